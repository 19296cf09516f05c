"""
Options and start of ``twistd restic-reporter``.

This module imports little, so that signals are handled early; `restic_reporter.daemon.wiring`
imports the rest.
"""

import os
import re
import time
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from functools import partial
from getopt import GetoptError
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from . import __version__
from .daemon.garbage import set_apart
from .daemon.signals import hold_signals, install_handlers
from .model.compat import COMPATS, Compat
from .model.schemes import READERS
from .redaction.masks import redact

LOG_LEVELS = ("debug", "info", "warn", "error")

_EXAMPLES = """
Examples:
  restic-reporter run --config config.json
      Run in the foreground; metrics at http://localhost:9121/metrics.
  restic-reporter run --bind 127.0.0.1:9121 --cron "17 * * * *"
      Only for clients on this host; collect at 17 past each hour.
  twistd restic-reporter --config config.json
      Run in the background, with a pidfile and a log file.
"""


def refuse(problem: str) -> NoReturn:
    """End the process with status 1 and one message."""
    raise SystemExit(redact(f"restic-reporter: {problem}"))


# The options of the original restic-reporter, whose flags may begin with one dash, as Go has it.
_GO_FLAG = re.compile(
    r"-(?:help|version|bind|config|cron|no-vault|no-discover-vault)(?:=.*)?", re.S
)


class Default(str):
    """The value of an option that is not given."""

    __slots__ = ()


class Options(UsageOptions):
    """The daemon's command line."""

    synopsis = "[options]"
    longdesc = "Report late and broken restic backups to Prometheus."

    optParameters: ClassVar = [
        [
            "bind",
            "b",
            Default(":9121"),
            "Address: :PORT, HOST:PORT, [V6]:PORT, or a Twisted endpoint.",
        ],
        [
            "config",
            "c",
            Default("config.json"),
            "Config file: JSON, or YAML if named .yaml or .yml.",
        ],
        [
            "cron",
            None,
            Default("0 0 * * *"),
            "Schedule besides the start: five cron fields, local time.",
        ],
        ["reader", None, "auto", "Reader of the repositories: auto, restic or native."],
        ["restic", None, "restic", "restic program: a name on PATH, or a path."],
        ["concurrency", None, "8", "Number of repositories read at the same time."],
        ["timeout", None, "300", "Timeout in seconds for the read of one repository."],
        ["cache-dir", None, None, "Folder that keeps encrypted snapshot files across restarts."],
        [
            "state-dir",
            None,
            None,
            "Folder that remembers what was read. Default: $STATE_DIRECTORY.",
        ],
        ["shard", None, "0/1", "I/N: collect only shard I of N, from 0; all have the same config."],
        ["log-level", None, Default("info"), "Lowest level to log: debug, info, warn or error."],
        ["web-config", None, None, "File with TLS, passwords and a rate limit for the web server."],
        ["compat", None, None, "Also serve the metrics of another exporter: restic-exporter."],
    ]

    optFlags: ClassVar = [
        ["enable-lifecycle", None, "Allow POST /-/reload, /-/collect and /-/results."],
        ["no-vault", None, "Ignore the variables VAULT_* of the environment."],
        ["no-discover-vault", None, "Changes nothing: Vault is only where VAULT_ADDR says."],
    ]

    held_signals: Collection[int] = ()
    _variables: Mapping[str, str] = MappingProxyType({})

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse them; under twistd, hold the signals for the daemon to come."""
        if self.parent is not None:
            self.held_signals = hold_signals()
        if options is not None:
            options = [f"-{one}" if _GO_FLAG.fullmatch(one) else one for one in options]
        try:
            super().parseOptions(options)
        except UsageError as error:
            # twistd would print all of its usage and ours before the message.
            refuse(self._explained(error))

    def getUsage(self, width: int | None = None) -> str:
        """Return the text of ``--help``, with examples, each in lines of its own."""
        return f"{super().getUsage(width)}{_EXAMPLES}"

    def parseArgs(self, *arguments: str) -> None:
        """Refuse any; usually they are parts of an unquoted cron expression."""
        if arguments and len(self["cron"].split()) == 1:
            refuse("--cron: the expression must be quoted: --cron '0 0 * * *'")
        if arguments:
            refuse(f"unexpected argument {arguments[0]!r}; see --help")

    def _explained(self, error: UsageError) -> str:
        """Return a message with a hint, in one line."""
        name = error.__context__.opt if isinstance(error.__context__, GetoptError) else ""
        option = f"-{name}" if len(name) == 1 else f"--{name}"
        if not name or name in self.synonyms:
            return f"{error}; see --help"
        if self.parent is not None and name in self.parent.synonyms:
            value = " …" if f"{self.parent.synonyms[name]}=" in self.parent.longOpt else ""
            return (
                f"{option} is an option of twistd and goes before the command:"
                f" twistd {option}{value} restic-reporter"
            )
        return unknown_option(option, [f"--{known}" for known in self.synonyms if len(known) > 1])

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"restic-reporter {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Check and convert the values; make paths absolute, as twistd changes directory."""
        from .config.environment import is_true
        from .config.option_values import folder, seconds, whole_number
        from .config.sharding import parse_shard
        from .daemon.log_observer import take_logger
        from .schedule.cron import parse_cron
        from .schedule.interval import parse_interval
        from .web.listener import parse_address

        self["logger"] = take_logger(self.parent or {})
        self["directory"] = _current_folder()
        self._variables = self._use_environment()
        self["bind"] = self._checked("bind", parse_address)
        self["cron"] = self._checked(
            "cron",
            partial(parse_interval, start=time.time()) if "cron" in self._variables else parse_cron,
        )
        self["reader"] = self._one_of("reader", READERS)
        self["log-level"] = self._one_of("log-level", LOG_LEVELS)
        self["concurrency"] = self._checked("concurrency", whole_number)
        self["timeout"] = self._checked("timeout", seconds)
        self["shard"] = self._checked("shard", parse_shard)
        if self["cache-dir"] is not None:
            self["cache-dir"] = self._checked("cache-dir", folder)
        if self["state-dir"] is None:
            self["state-dir"] = _systemd_folder()
        if self["state-dir"] is not None:
            self["state-dir"] = self._checked("state-dir", folder)
        if self["compat"] is not None:
            self._one_of("compat", COMPATS)
            from_file = isinstance(self["config"], str)
            self["compat"] = Compat(is_true(os.environ, "INCLUDE_PATHS"), url=from_file)
        if os.sep in self["restic"]:
            self["restic"] = os.path.abspath(self["restic"])

    def _use_environment(self) -> Mapping[str, str]:
        """
        Without a config file take the config, and options with it, from the environment.

        :return: the names of the variables, by the options that they gave.
        """
        from .config.environment import OPTIONS, EnvironmentConfig

        if not _is_missing(self["config"]):
            return {}
        self["config"] = found = EnvironmentConfig(os.environ)
        if not found.names_repository:
            return {}
        given = {
            name: text
            for name, text in found.options().items()
            if self[name] is None or isinstance(self[name], Default)
        }
        self.update(given)
        return {name: OPTIONS[name] for name in given}

    def _checked(self, name: str, convert: Any) -> Any:
        try:
            return convert(self[name])
        except ValueError as error:
            refuse(f"{self._variables.get(name, f'--{name}')}: {error}")

    def _one_of(self, name: str, values: tuple[str, ...]) -> str:
        value: str = self[name]
        if value not in values:
            given_by = self._variables.get(name, f"--{name}")
            refuse(f"{given_by}: invalid value {value!r}; must be one of {', '.join(values)}")
        return value


def unknown_option(option: str, known: Iterable[str]) -> str:
    """Return the message about ``option``, with the nearest of the ``known`` long ones, if any."""
    # Only a wrong command line needs it.
    from difflib import get_close_matches

    # A lower cutoff would take --cron for --version.
    near = get_close_matches(option, [one for one in known if one[:2] == "--"], n=1, cutoff=0.7)
    return f"unknown option {option!r}; " + (f"did you mean {near[0]!r}?" if near else "see --help")


def _is_missing(config: str) -> bool:
    """Return whether no config file is named, and none has the default name."""
    return isinstance(config, Default) and not os.path.lexists(config)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        # The folder is removed; absolute paths can be read all the same.
        return os.curdir


def _systemd_folder() -> str | None:
    """Return the folder that systemd has made for the daemon; several are joined by colons."""
    return os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or None


def _environ(options: Options) -> MutableMapping[str, str]:
    """Return the environment for the daemon."""
    if not options["no-vault"]:
        return os.environ
    return {name: one for name, one in os.environ.items() if not name.startswith("VAULT_")}


def makeService(options: Options) -> IService:
    """
    Return the daemon as a service.

    :raises SystemExit: with a message, if the options or the config are invalid.
    """
    from twisted.internet import reactor

    wired: list[Any] = []
    install_handlers(
        reactor,  # type: ignore[arg-type]
        hup=lambda: wired[0].reload(),
        usr1=lambda: wired[0].collect_now(),
        held=options.held_signals,
    )
    from .daemon.wiring import wire

    try:
        wired.append(wire(options, options.parent or {}, reactor, _environ(options)))
    except ValueError as error:
        refuse(str(error))
    # Nothing can be blocked yet.
    set_apart()
    service: IService = wired[0]
    return service
