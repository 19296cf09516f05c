"""Turns the exit status and stderr of a failed restic into a reason. Pure."""

import json
import re
from collections.abc import Iterable

from attrs import define

from ..model.errors import ReadError, Reason
from ..processes.child import Exit
from ..redaction.masks import redact
from ..redaction.secret import Secret

# Exit codes with one meaning, since restic 0.17.
_CODES = {10: Reason.NOT_FOUND, 11: Reason.LOCKED, 12: Reason.AUTH, 130: Reason.SIGNAL}

# An interrupted restic may exit with any code, even that of a wrong password.
_INTERRUPTED = re.compile(r"signal \w+ received, cleaning up")

# Older versions exit with 1 for every error, newer ones for storage errors. The order counts:
# messages of ssh or rclone come together with a broken connection.
_PATTERNS = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (Reason.AUTH, r"wrong password or no key found"),
        (
            Reason.KEYS,
            r"ciphertext verification failed|config file has zero size|<(config|key)/.*invalid data"
            r"|Fatal: Unmarshal: ",
        ),
        (Reason.LOCKED, r"repository is already locked|unable to create lock"),
        (Reason.TLS, r"x509: |tls: |certificate|HTTP response to HTTPS client"),
        (
            Reason.AUTH,
            r"HTTP response \(40[13]\)|unauthorized|forbidden|access ?denied|permission denied"
            r"|InvalidAccessKeyId|Access Key Id you provided|SignatureDoesNotMatch"
            r"|request signature we calculated|bad_auth_token|Host key verification"
            r"|no credentials|default credentials|authentication information|conn\.Authenticate"
            r"|\(\$B2_ACCOUNT_(ID|KEY)\) is empty",
        ),
        (Reason.REDIRECT, r"HTTP response \(3\d\d\)"),
        (
            Reason.UNAVAILABLE,
            r"HTTP response \((429|5\d\d)\)|too many requests|SlowDown|reduce your request rate"
            r"|service unavailable|cap.exceeded",
        ),
        (
            Reason.NOT_FOUND,
            r"config file: .*(does not exist|no such file|not found)"
            r"|<config/> does not exist|bucket does not exist|NoSuchBucket|NoSuchKey",
        ),
        (Reason.PROTOCOL, r"HTTP response \(4\d\d\)|Decode: invalid character"),
        (Reason.RESTIC, r"executable file not found|Failed to create file system"),
        (
            Reason.NETWORK,
            r"connection re(fused|set)|no such host|no route to host|network is unreachable"
            r"|i/o timeout|timed out|deadline exceeded|could not resolve|dial tcp|dial unix"
            r"|broken pipe|\bEOF\b|connection closed|unable to start the sftp session",
        ),
    )
)

_RETRY = re.compile(r"returned error, retrying after [^:]*: (.*)")

_UNREADABLE = re.compile(
    r"(?:could not load|failed to load) snapshot ([0-9a-f]{8,64})|^Ignoring \"([0-9a-f]{64})\"",
    re.MULTILINE,
)

# Older versions, and newer ones with some storages, retry for many minutes.
_VANISHED = re.compile(
    rb"Load\(<snapshot/([0-9a-f]{8,64})>.*returned error, retrying after [^:]*: "
    rb".*(?:does(?:n't| not) exist|no such file|not found|\(404\)|(?<![\w/])404: |=404\b)",
    re.IGNORECASE,
)

# No known message is in a longer line.
_LINE_LIMIT = 2**12

# Messages of programs that restic runs, which explain restic's own error.
_HELPERS = ("subprocess ", "rclone: ")

# The last words of a check that has found errors, and lines before it that are none.
_FOUND = "repository contains errors"
_NO_FINDING = re.compile("returned error, retrying after|^unable to open cache:")

_GO_FRAME = re.compile(r"\n\S+\n\t\S+:\d+")
_URL = re.compile(r"\bhttps?://\S+")

# A server's text must not control the terminal that shows the log.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

_MESSAGE_LIMIT = 500


def unreadable_snapshots(stderr: str) -> frozenset[str]:
    """Return the ids (8 digits) of the snapshots that restic could not load."""
    return frozenset((a or b)[:8] for a, b in _UNREADABLE.findall(stderr))


class VanishedError(Exception):
    """A snapshot that restic has listed is missing; ``name`` is the beginning of its id."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@define
class VanishedWatch:
    """Scans restic's stderr, while it arrives, for a snapshot that has vanished."""

    _line: bytes = b""

    def feed(self, data: bytes) -> None:
        """
        Scan some more.

        :raises VanishedError: restic cannot find a snapshot, and retries.
        """
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[:_LINE_LIMIT]
        for line in lines:
            match = _VANISHED.search(line[:_LINE_LIMIT])
            if match is not None:
                raise VanishedError(match[1].decode())


def failure(exit: Exit, location: str = "", secrets: Iterable[Secret] = ()) -> ReadError | None:
    """
    Return the error that ``exit`` means, or ``None`` for a success.

    ``location`` is the repository's, whose words must not decide the reason; ``secrets``
    are masked in the message.
    """
    if exit.signal is not None:
        return ReadError(Reason.SIGNAL, f"restic was killed by signal {exit.signal}")
    if exit.code == 0:
        return None
    text = _error_text(exit.stderr)
    if _INTERRUPTED.search(exit.stderr):
        reason = Reason.SIGNAL
    else:
        reason = _CODES.get(exit.code or 0) or _reason_from(text, location)
    said = _printable(text, secrets) or "no error message"
    return ReadError(reason, f"restic failed with exit status {exit.code}: {said}")


def check_failure(
    exit: Exit, location: str = "", secrets: Iterable[Secret] = ()
) -> ReadError | None:
    """Return the error that the ``exit`` of a check means: with the first error that it found."""
    secrets = list(secrets)
    error = failure(exit, location, secrets)
    if error is None or _FOUND not in exit.stderr:
        return error
    texts = (_message(line)[0] for line in exit.stderr.splitlines())
    found = (text for text in texts if text.strip() and not _NO_FINDING.search(text))
    first = next(found)
    if first.rstrip().endswith(":"):
        first += next(found, "")
    said = _printable(first, secrets)
    return ReadError(Reason.RESTIC, f"restic check found errors: {said}")


def last_retry(stderr: str, location: str = "", secrets: Iterable[Secret] = ()) -> ReadError | None:
    """
    Return the error of restic's last retry, or ``None`` if it did not retry.

    restic 0.18 and later retry for 15 minutes, even when the connection is refused.
    """
    causes = _RETRY.findall(stderr)
    if not causes:
        return None
    said = _printable(causes[-1], secrets)
    return ReadError(
        _reason_from(causes[-1], location), f"restic retried until the timeout: {said}"
    )


def _reason_from(text: str, location: str) -> Reason:
    path = location.partition(":")[2].rstrip("/")
    for name in (location, path):
        if len(name) > 1:
            text = text.replace(name, "")
    text = _URL.sub("", text)
    for reason, pattern in _PATTERNS:
        if pattern.search(text):
            return reason
    return Reason.RESTIC


def _printable(text: str, secrets: Iterable[Secret]) -> str:
    # Mask before cutting: a secret cut at the limit would not be recognised.
    shown = _CONTROL.sub(" ", redact(text, secrets))
    return " ".join(shown.split())[:_MESSAGE_LIMIT]


def _error_text(stderr: str) -> str:
    """
    Find restic's error message in ``stderr``; 0.18 and later mix JSON and plain lines.

    Lines before an ``exit_error`` or ``Fatal:`` are retries and warnings: they are dropped,
    except for those of helper programs.
    """
    lines: list[str] = []
    for line in stderr.splitlines():
        text, last = _message(line)
        if last or text.startswith("Fatal:"):
            lines = [one for one in lines if one.startswith(_HELPERS)]
        lines.append(text)
    return _GO_FRAME.sub("", "\n".join(lines))


def _message(line: str) -> tuple[str, bool]:
    """Return the text of one line of stderr, and whether it is the final error."""
    if line.startswith("{"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return line, False
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            return value["message"], value.get("message_type") == "exit_error"
    return line, False
