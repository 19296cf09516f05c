"""Notes how reading a repository went: in its status and in the log."""

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..redaction.masks import redact
from .state import LONGEST_MESSAGE, PastRead, Reading, RepositoryStatus

_log = Logger()


def plural(noun: str, count: int) -> str:
    """Return the form of ``noun`` for ``count``."""
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeo" else f"{noun}s"


def note_success(status: RepositoryStatus, reading: Reading, now: float) -> None:
    """Note a successful read that ended at ``now``, in Unix seconds."""
    url, content = status.task.repository.url, reading.content
    status.success = True
    status.error = None
    status.last_success = now
    status.content = content
    status.fingerprint = reading.fingerprint
    status.access = reading.access
    status.keys = reading.keys
    status.locks = reading.locks
    if reading.removed:
        status.removed += reading.removed
        status.last_removal = now
    sets = len(content.sets) + content.dropped_sets
    emit = _log.debug if reading.unchanged else _log.info
    # Words belong into the format: those in values may be masked, if they are passwords.
    emit(
        f"read {{url}}: {{count}} {plural('snapshot', content.snapshot_count)}"
        f" in {{sets}} {plural('backup set', sets)}{', unchanged' if reading.unchanged else ''}",
        url=url,
        count=content.snapshot_count,
        sets=sets,
    )
    if reading.locks_error is not None:
        _log.warn(
            "cannot list the locks of {url}, lock metrics omitted: {error} ({reason})",
            url=url,
            error=redact(reading.locks_error.message, status.task.repository.secrets()),
            reason=reading.locks_error.reason,
        )
    if content.dropped_sets:
        _log.warn(
            "no series for {count} of {sets} backup sets of {url}: limit exceeded",
            url=url,
            count=content.dropped_sets,
            sets=sets,
        )
    if content.dropped_groups:
        _log.warn(
            "no series for {count} groups of {url}: limit exceeded",
            url=url,
            count=content.dropped_groups,
        )


def note_failure(status: RepositoryStatus, error: Exception) -> None:
    """Note a failed read; any ``error`` but a `ReadError` is a bug, logged with a traceback."""
    # A copy: a traceback would keep alive all that the read had.
    status.error = log_failure("cannot read {url}", error, status.task.repository)
    status.success = False
    reason = status.error.reason
    status.failures[reason] = status.failures.get(reason, 0) + 1


def log_failure(what: str, error: Exception, repository: Repository) -> ReadError:
    """
    Log ``what`` has failed, the beginning of a format with ``url``, and why.

    :return: the error without secrets, without a traceback.
    """
    if isinstance(error, ReadError):
        reason, message = error.reason, redact(error.message, repository.secrets())
        _log.error(
            f"{what}: {{error}} ({{reason}})", url=repository.url, error=message, reason=reason
        )
        return ReadError(reason, message)
    # Not as a failure event: a plugin's exceptions may contain secrets.
    _log.error(
        f"{what}: bug in restic-reporter or a plugin (internal)\n{{traceback}}",
        url=repository.url,
        traceback=redact(Failure(error).getTraceback(), repository.secrets()),
    )
    return ReadError(Reason.INTERNAL, "bug in restic-reporter or a plugin; see the log")


def note_read(status: RepositoryStatus, now: float, duration: float) -> None:
    """Keep the outcome of a read that ended at ``now``, in Unix seconds."""
    status.duration = duration
    content = status.content
    error = status.error
    message = "" if error is None else error.message[:LONGEST_MESSAGE]
    if status.reads and status.reads[-1].message == message:
        # The same text again, at no cost.
        message = status.reads[-1].message
    count = content.snapshot_count if content is not None else 0
    status.reads.append(PastRead(now, duration, count, error.reason if error else None, message))
