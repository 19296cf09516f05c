"""The errors of a config, and of a repository's read with its `Reason`."""

from collections.abc import Sequence
from enum import StrEnum


class Reason(StrEnum):
    """
    Why a repository could not be read: the values of the label ``reason`` of
    ``backup_read_failures_total``.
    """

    AUTH = "auth"  # credentials or repository password refused
    NETWORK = "network"  # no connection, or a broken one
    TIMEOUT = "timeout"  # the deadline passed
    TLS = "tls"  # certificate or handshake
    REDIRECT = "redirect"  # redirects are never followed
    PROTOCOL = "protocol"  # a response that violates the protocol
    TOO_LARGE = "too_large"  # more data than the limit allows
    NOT_FOUND = "not_found"  # no repository there
    UNAVAILABLE = "unavailable"  # 429, 5xx, caps, after retries
    KEYS = "keys"  # no usable key file
    PARTIAL = "partial"  # some snapshots could not be read
    PARSE = "parse"  # a response that is not the expected JSON
    EXEC = "exec"  # restic could not be run
    RESTIC = "restic"  # restic failed for an unknown reason
    SIGNAL = "signal"  # restic was killed by a signal
    SECRET = "secret"  # noqa: S105 - no password or credentials
    LOCKED = "locked"  # the repository is locked
    INTERNAL = "internal"  # a bug in this program or a plugin


class ReadError(Exception):
    """
    A repository could not be read.

    Backends, readers and secret stores raise it; the collection turns it into metrics and
    one log line. The message must never contain a secret: it is logged unchanged.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


class ConfigError(Exception):
    """
    An invalid config.

    ``problems`` are complete messages without secrets, each with its file, entry and key;
    ``str`` returns one a line.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
