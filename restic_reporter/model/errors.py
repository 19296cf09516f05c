"""The errors of a config and of a repository's read, the latter in the words of ``reason``."""

from collections.abc import Sequence
from enum import StrEnum


class Reason(StrEnum):
    """
    Why a repository could not be read: the values of the label ``reason`` of
    ``backup_read_failures_total``.
    """

    AUTH = "auth"  # credentials or repository password refused
    NETWORK = "network"  # no connection, or one that broke
    TIMEOUT = "timeout"  # the deadline passed
    TLS = "tls"  # certificate or handshake
    REDIRECT = "redirect"  # the server sent us elsewhere; we never go
    PROTOCOL = "protocol"  # an answer that the protocol does not allow
    TOO_LARGE = "too_large"  # more data than the cap allows
    NOT_FOUND = "not_found"  # no repository there
    UNAVAILABLE = "unavailable"  # 429, 5xx, caps, after retries
    KEYS = "keys"  # no usable key file
    PARTIAL = "partial"  # some snapshots could not be read
    PARSE = "parse"  # an answer that is not the expected JSON
    EXEC = "exec"  # restic could not be run
    RESTIC = "restic"  # restic failed and no better reason is known
    SIGNAL = "signal"  # restic was ended by a signal
    SECRET = "secret"  # a password or credential could not be had
    LOCKED = "locked"  # the repository is locked
    INTERNAL = "internal"  # a bug, ours or a plugin's


class ReadError(Exception):
    """
    A repository could not be read.

    Raised by backends, readers and secret stores, and turned into metrics and one log
    line by the collection. The message must never hold a secret: it is logged as it is.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


class ConfigError(Exception):
    """
    A config that cannot be used.

    ``problems`` are complete sentences without secrets, each with the file, the entry and
    the key that it speaks of; ``str`` gives one a line.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
