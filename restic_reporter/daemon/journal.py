"""The log in systemd's journal, which has a time and a priority for each line."""

import os
from collections.abc import Mapping

from twisted.logger import LogEvent, LogLevel, eventAsText

# Those of syslog.
_PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}


def is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Return whether what is written there goes to the journal, by systemd's JOURNAL_STREAM."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def journal_lines(event: LogEvent) -> str:
    """Return the level and text of an event, each line with the prefix of its priority."""
    text = eventAsText(event, includeTimestamp=False)
    priority = _PRIORITIES.get(event.get("log_level", LogLevel.info), 6)
    return "".join(f"<{priority}>{line}\n" for line in text.split("\n"))
