"""The errors of a config, and of a repository's read with its `Reason`."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from attrs import frozen


class Reason(StrEnum):
    """
    Why a repository could not be read: the values of the label ``reason`` of
    ``backup_read_failures_total``.
    """

    AUTH = "auth"
    NETWORK = "network"
    TIMEOUT = "timeout"
    TLS = "tls"
    REDIRECT = "redirect"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    KEYS = "keys"
    PARTIAL = "partial"
    PARSE = "parse"
    EXEC = "exec"
    RESTIC = "restic"
    SIGNAL = "signal"
    SECRET = "secret"  # noqa: S105 - the name of a reason
    LOCKED = "locked"
    INTERNAL = "internal"


@frozen
class Explanation:
    """What happened, and what to do about it: in the Markdown of docs/reasons.md."""

    happened: str
    advice: str


REASONS: Mapping[Reason, Explanation] = {
    Reason.AUTH: Explanation(
        "the storage refused the credentials (401, 403), the system refused to list a folder, or"
        " restic refused the repository's password",
        "check user, password and rights; try `restic snapshots` by hand",
    ),
    Reason.NETWORK: Explanation(
        "connection failed or broke, retries included; the disk or mount of a folder failed; no"
        " file descriptors left",
        "check server, name, port, firewall and mount",
    ),
    Reason.TIMEOUT: Explanation(
        "not done within `timeout`; not connected within 10 s; no data from the server for 30 s;"
        " or a mount hangs",
        "for a slow server or a large repository raise `timeout`; check the mount",
    ),
    Reason.TLS: Explanation(
        "certificate not trusted, expired or for another name; or the handshake failed",
        "check `cacert` and the server's certificate; set `tls_client_cert` if the server"
        " requires one",
    ),
    Reason.REDIRECT: Explanation(
        "the server redirected us; redirects are not followed",
        "write the final URL",
    ),
    Reason.PROTOCOL: Explanation(
        "invalid response for HTTP or restic's REST protocol: cut short, compressed, unknown"
        " status; a file in place of a folder",
        "check that this is a REST server for restic, and any proxy in between",
    ),
    Reason.TOO_LARGE: Explanation(
        "more data than the [limits](size-limits.md) allow",
        "check that this is a repository, and its number of snapshots",
    ),
    Reason.NOT_FOUND: Explanation(
        "the server has no repository there; a folder without `config`",
        "check the path and the mount",
    ),
    Reason.UNAVAILABLE: Explanation(
        "429 or 5xx, after three retries",
        "read the server's own log",
    ),
    Reason.KEYS: Explanation(
        "no valid key file, or too many to try; restic cannot read the config file",
        "the repository is damaged: read the message in the log; set `key_hint`",
    ),
    Reason.PARTIAL: Explanation(
        "listed snapshots could not be read, nor at a second try",
        "the log names some; run `restic check`",
    ),
    Reason.PARSE: Explanation(
        "the listing or restic's output is invalid JSON or has unexpected fields",
        "check that this is a REST server for restic, and that `--restic` is restic",
    ),
    Reason.EXEC: Explanation(
        "restic cannot be started: not found, not executable, no file descriptors left",
        "install it, or set `--restic`",
    ),
    Reason.RESTIC: Explanation(
        "restic failed, and its message fits no other reason",
        "read the message in the log",
    ),
    Reason.SIGNAL: Explanation(
        "another process ended restic by a signal",
        "check for the out-of-memory killer",
    ),
    Reason.SECRET: Explanation(
        "no password or credentials: `password_command` failed, printed nothing or did not end;"
        " Vault is unreachable, refuses, or lacks the document",
        "read the message in the log; run the command by hand, as the daemon's user; `vault kv"
        " get -mount=kv PATH`",
    ),
    Reason.LOCKED: Explanation(
        "restic found the repository locked; unlikely with `--no-lock`",
        "`restic unlock`, if no restic is running",
    ),
    Reason.INTERNAL: Explanation(
        "a bug in the daemon or a plugin, or a broken plugin; the log has more",
        "run `restic-reporter backends`; report it",
    ),
}


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
