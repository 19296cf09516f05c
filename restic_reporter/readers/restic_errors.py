"""What a failed restic meant: from exit status and stderr to a reason. Pure."""

import json
import re

from ..errors import ReadError, Reason
from .child import Exit

# Exit codes that say enough, since restic 0.17.
_CODES = {
    10: Reason.NOT_FOUND,
    11: Reason.LOCKED,
    12: Reason.AUTH,
    130: Reason.SIGNAL,
}

# Older versions exit with 1 for all; and 1 is all that newer ones say of storage errors. The
# order counts: "Is there a repository…" follows on every error of the first request.
_PATTERNS = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (Reason.AUTH, r"wrong password or no key found"),
        (Reason.KEYS, r"ciphertext verification failed|(config|key)\S* .*(damaged|invalid data)"),
        (Reason.LOCKED, r"repository is already locked|unable to create lock"),
        (Reason.TLS, r"x509: |tls: |certificate"),
        (
            Reason.AUTH,
            r"\b40[13]\b|unauthorized|forbidden|access ?denied|permission denied|no credentials"
            r"|InvalidAccessKeyId|SignatureDoesNotMatch|bad_auth_token|Host key verification",
        ),
        (Reason.UNAVAILABLE, r"HTTP response.*\b(429|5\d\d)\b|too many requests|SlowDown|cap.exceeded"),
        (
            Reason.NETWORK,
            r"connection re(fused|set)|no such host|no route to host|network is unreachable"
            r"|i/o timeout|timed out|could not resolve|dial tcp|dial unix|broken pipe|\bEOF\b"
            r"|connection closed",
        ),
        (
            Reason.NOT_FOUND,
            r"(?s)(config file|repository).*(does not exist|no such file|not found)"
            r"|Is there a repository at the following location|NoSuchBucket|NoSuchKey",
        ),
    )
)

_UNREADABLE = re.compile(
    r"(?:could not load|failed to load) snapshot ([0-9a-f]{8,64})|^Ignoring \"([0-9a-f]{64})\"",
    re.MULTILINE,
)

_MESSAGE_LIMIT = 500


def unreadable_snapshots(stderr: str) -> frozenset[str]:
    """The ids, shortened to 8 digits, of the snapshots that restic says it could not load."""
    return frozenset((a or b)[:8] for a, b in _UNREADABLE.findall(stderr))


def failure(exit: Exit) -> ReadError | None:
    """The error that ``exit`` stands for; ``None`` for a success."""
    if exit.signal is not None:
        return ReadError(Reason.SIGNAL, f"restic was ended by signal {exit.signal}")
    if exit.code == 0:
        return None
    text = _messages(exit.stderr)
    reason = _CODES.get(exit.code or 0) or _by_text(text)
    shown = " ".join(text.split())[:_MESSAGE_LIMIT] or "it says nothing"
    return ReadError(reason, f"restic failed with exit status {exit.code}: {shown}")


def _by_text(text: str) -> Reason:
    for reason, pattern in _PATTERNS:
        if pattern.search(text):
            return reason
    return Reason.RESTIC


def _messages(stderr: str) -> str:
    """
    The last words of restic: since 0.18 as JSON lines between plain ones.

    Where there is an ``exit_error`` or a line that begins with ``Fatal:``, all before it
    was on the way (retries, warnings) and is left out.
    """
    lines = []
    for line in stderr.splitlines():
        text = line
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict) and isinstance(value.get("message"), str):
                text = value["message"]
        if text.startswith("Fatal:"):
            lines.clear()
        lines.append(text)
    return "\n".join(lines)
