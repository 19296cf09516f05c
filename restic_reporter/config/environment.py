"""A config of one repository from the environment, by restic's own names and restic-exporter's."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from ..model.errors import ConfigError
from .sources import read_private_file

NAME = "environment"

_MAX_FILE = 2**16

_REPOSITORY = {"RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE"}

# Names of restic-exporter before its version 1.5, by those that it and restic use now.
_OLD_NAMES = {
    "RESTIC_REPOSITORY": "RESTIC_REPO_URL",
    "RESTIC_PASSWORD": "RESTIC_REPO_PASSWORD",
    "RESTIC_PASSWORD_FILE": "RESTIC_REPO_PASSWORD_FILE",
}

# The variables that give the keys of an entry. Backends look for more by themselves.
_KEYS = {
    "password_command": "RESTIC_PASSWORD_COMMAND",
    "password_file": "RESTIC_PASSWORD_FILE",
    "password": "RESTIC_PASSWORD",
    "key_hint": "RESTIC_KEY_HINT",
    "cacert": "RESTIC_CACERT",
    "tls_client_cert": "RESTIC_TLS_CLIENT_CERT",
}
_REST_KEYS = {"rest_username": "RESTIC_REST_USERNAME", "rest_password": "RESTIC_REST_PASSWORD"}

# What restic's own backends and their programs read: nothing else of the environment is theirs.
_PREFIXES = {
    "s3": ("AWS_", "RESTIC_AWS_"),
    "sftp": ("SSH_",),
    "azure": ("AZURE_",),
    "gs": ("GOOGLE_",),
    "swift": ("OS_", "ST_"),
    "rclone": ("RCLONE_",),
}

# Levels of Python's log.
_LEVELS = {"warning": "warn", "critical": "error", "fatal": "error"}

# Options, by the variables that give them.
OPTIONS = {
    "bind": "LISTEN_ADDRESS and LISTEN_PORT",
    "cron": "REFRESH_INTERVAL",
    "log-level": "LOG_LEVEL",
    "cache-dir": "RESTIC_CACHE_DIR",
}
_DEFAULT_PORT = "9121"

# Variables that restic-exporter, or its restic, honours: when ignored here, and what is instead.
_IGNORED = {
    "NO_CHECK": (False, "use the key check of a config file, or report results by POST /-/results"),
    "NO_GLOBAL_STATS": (False, "use the key size_cron of a config file"),
    "NO_LEGACY_STATS": (False, "backups by restic before 0.17 have no statistics"),
    "NO_LOCKS": (True, "locks are counted, at the cost of one request at most"),
    "EXIT_ON_ERROR": (True, "alert on backup_read_error_count, or use restic-reporter collect"),
    "INSECURE_TLS": (True, "name the server's CA certificate in RESTIC_CACERT"),
    "RESTIC_HOST": (True, "the backups of all hosts are shown"),
}


def is_true(environ: Mapping[str, str], name: str) -> bool:
    """Return whether a variable is set to anything but what restic-exporter takes for false."""
    return environ.get(name, "").strip().lower() not in ("", "0", "f", "false")


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are not empty, as restic ignores such, by their present names."""
    given = {name: text for name, text in environ.items() if text}
    return {new: given[old] for new, old in _OLD_NAMES.items() if old in given} | given


@frozen
class EnvironmentConfig:
    """The config in ``environ``: one entry, and values for options."""

    environ: Mapping[str, str] = field(repr=False, converter=_given)

    @property
    def names_repository(self) -> bool:
        """Whether there is a repository."""
        return not _REPOSITORY.isdisjoint(self.environ)

    def options(self) -> dict[str, str]:
        """Return the texts of options, by their names."""
        given = {name: text.strip() for name, text in self.environ.items()}
        found = {name: given.get(variable, "") for name, variable in OPTIONS.items()}
        address, port = given.get("LISTEN_ADDRESS", ""), given.get("LISTEN_PORT", "")
        if address or port:
            host = f"[{address}]" if ":" in address else address
            found["bind"] = f"{host}:{port or _DEFAULT_PORT}"
        level = found["log-level"].lower()
        found["log-level"] = _LEVELS.get(level, level)
        return {name: text for name, text in found.items() if text}

    def document(self, directory: str) -> list[dict[str, Any]]:
        """Return the document of a config; raise a `ConfigError` without a repository."""
        if not self.names_repository:
            problem = "no config.json here; set RESTIC_REPOSITORY, or name a file by --config"
            raise ConfigError([f"{NAME}: {problem}"])
        if self.environ.keys() >= _REPOSITORY:
            raise ConfigError([f"{NAME}: both {' and '.join(sorted(_REPOSITORY))} are set"])
        repo = self.environ.get("RESTIC_REPOSITORY") or self._repository_in_file(directory)
        scheme = repo.partition(":")[0]
        # restic prefers credentials within the URL.
        without = scheme == "rest" and "@" not in repo.partition("://")[2].partition("/")[0]
        keys = _KEYS | _REST_KEYS if without else _KEYS
        entry: dict[str, Any] = {"repo": repo}
        entry |= {key: self.environ[name] for key, name in keys.items() if name in self.environ}
        if not any(key.startswith("password") for key in entry):
            *others, last = (_KEYS[key] for key in _KEYS if key.startswith("password"))
            raise ConfigError([f"{NAME}: no password; set {', '.join(others)} or {last}"])
        # Of two values restic takes the same.
        if {"password_file", "password_command"} & entry.keys():
            entry.pop("password", None)
        prefixes = _PREFIXES.get(scheme, ())
        env = {name: text for name, text in self.environ.items() if name.startswith(prefixes)}
        return [{**entry, "env": env} if env else entry]

    def _repository_in_file(self, directory: str) -> str:
        path = self.environ["RESTIC_REPOSITORY_FILE"]
        where = f"{NAME}: RESTIC_REPOSITORY_FILE"
        try:
            content, _ = read_private_file(os.path.join(directory, path), _MAX_FILE)
            text = content.decode("utf-8", "surrogateescape").strip()
        except OSError as error:
            raise ConfigError([f"{where}: cannot read {path!r}: {error.strerror}"]) from None
        except ValueError as error:
            raise ConfigError([f"{where}: {path!r}: {error}"]) from None
        if not text:
            raise ConfigError([f"{where}: {path!r}: is empty"])
        return text

    def place(self, problem: str) -> str:
        """Return a problem of the entry with the names of variables instead of keys."""
        head, colon, rest = problem.partition(": ")
        names = {"repo": "RESTIC_REPOSITORY"} | _KEYS | _REST_KEYS
        for key in sorted(names, key=len, reverse=True):
            head = head.replace(key, names[key])
        return f"{head}{colon}{rest}"

    def warnings(self, compat: bool) -> Iterator[str]:
        """Yield a line for each variable that is ignored; with ``compat`` also if it is not set."""
        for name, (ignored, instead) in _IGNORED.items():
            text = self.environ.get(name, "false (by default)" if compat else "")
            if text and is_true(self.environ, name) is ignored:
                yield f"{name}={text} is ignored; {instead}"
        if is_true(self.environ, "INCLUDE_PATHS") and not compat:
            yield "INCLUDE_PATHS is ignored without --compat restic-exporter"
