"""
``twistd restic-reporter``: its options, and its start.

This module imports little, so that signals find their handlers as soon as can be.
`restic_reporter.daemon.wiring` imports the rest.
"""

import os
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, NoReturn

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions

from . import __version__
from .concurrency.deadline import LONGEST_TIMEOUT
from .daemon.garbage import set_apart
from .daemon.signals import hold_signals, install_handlers
from .model.schemes import READERS
from .redaction.masks import redact

LOG_LEVELS = ("debug", "info", "warn", "error")


def refuse(problem: str) -> NoReturn:
    """End the process with status 1 and one message."""
    raise SystemExit(redact(f"restic-reporter: {problem}"))


class Options(UsageOptions):
    """The daemon's command line."""

    synopsis = "[options]"
    longdesc = "Tell Prometheus which restic backups are late or broken."

    optParameters: ClassVar = [
        [
            "bind",
            "b",
            ":9121",
            "Address of the web server: :PORT, HOST:PORT, [V6]:PORT, or a Twisted endpoint string.",
        ],
        [
            "config",
            "c",
            "config.json",
            "The config file; JSON, or YAML where its name ends in .yaml or .yml.",
        ],
        [
            "cron",
            None,
            "0 0 * * *",
            "When to collect, besides at start: five fields of cron, in the local time zone.",
        ],
        ["reader", None, "auto", "What reads the repositories: auto, restic or native."],
        ["restic", None, "restic", "The restic program."],
        ["concurrency", None, "8", "How many repositories are read at one time."],
        ["timeout", None, "300", "How many seconds one repository's read may take."],
        [
            "cache-dir",
            None,
            None,
            "Where to keep encrypted snapshot files across restarts; by default nowhere.",
        ],
        [
            "shard",
            None,
            "0/1",
            "I/N: collect only what falls to this process, I, of N with one config.",
        ],
        [
            "log-level",
            None,
            "info",
            "The least important events to log: debug, info, warn or error.",
        ],
    ]

    held_signals: Collection[int] = ()

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse them; under twistd this command is to be run, so its signals are held."""
        if self.parent is not None:
            self.held_signals = hold_signals()
        super().parseOptions(options)

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"restic-reporter {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """
        Check and convert the values.

        Paths are made absolute, since twistd will change directory.
        """
        from .config.sharding import parse_shard
        from .daemon.log_observer import take_logger
        from .schedule.cron import parse_cron
        from .web.listener import parse_address

        self["logger"] = take_logger(self.parent or {})
        self["directory"] = os.getcwd()
        self["bind"] = self._checked("bind", parse_address)
        self["cron"] = self._checked("cron", parse_cron)
        self["reader"] = self._one_of("reader", READERS)
        self["log-level"] = self._one_of("log-level", LOG_LEVELS)
        self["concurrency"] = self._checked("concurrency", _whole_number)
        self["timeout"] = self._checked("timeout", _seconds)
        self["shard"] = self._checked("shard", parse_shard)
        if self["cache-dir"] is not None:
            self["cache-dir"] = self._checked("cache-dir", _folder)
        if os.sep in self["restic"]:
            self["restic"] = os.path.abspath(self["restic"])

    def _checked(self, name: str, convert: Any) -> Any:
        try:
            return convert(self[name])
        except ValueError as error:
            refuse(f"--{name}: {error}")

    def _one_of(self, name: str, values: tuple[str, ...]) -> str:
        value: str = self[name]
        if value not in values:
            refuse(f"--{name}: {value!r} is none of {', '.join(values)}")
        return value


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{text!r} is no whole number above 0")
    return int(text)


def _folder(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("must name a folder")
    return os.path.abspath(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= LONGEST_TIMEOUT:
        raise ValueError(f"{text!r} is no number of seconds above 0 and up to a year")
    return value


def makeService(options: Options) -> IService:
    """
    The daemon as a service.

    :raises SystemExit: with a message, where it cannot run with these options or this config.
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
        wired.append(wire(options, options.parent or {}, reactor, os.environ))
    except ValueError as error:
        refuse(str(error))
    # Nobody waits yet.
    set_apart()
    service: IService = wired[0]
    return service
