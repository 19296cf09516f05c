"""Filter the log that twistd writes by level, and mask its secrets."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from string import Formatter
from typing import IO, Any, cast

from attrs import frozen
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile
from twisted.python.reflect import namedAny
from zope.interface import implementer

from ..model.errors import Reason
from ..redaction.masks import redact
from .journal import is_journal, journal_lines
from .log_queue import LogQueue
from .twisted_events import PlainEvents

Redact = Callable[[str], str]

# Characters of one event: masking more would block the reactor.
TEXT_LIMIT = 2**15

# Masked beyond the limit, then cut off: a secret cut in two would not be found.
_OVERLAP = 2**12

# Fields of an event without secrets.
_KEPT = ("log_time", "log_level", "log_namespace", "isError")

# Each logger is named after its module.
_OURS = f"{__name__.partition('.')[0]}."


@frozen
class _MaskedFields(Formatter):
    """Formats as `str.format` does, and masks each value, but not the text around them."""

    redact: Redact

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return one formatted value; numbers and reasons are no secrets."""
        if isinstance(value, int | float | Reason):
            return format(value, format_spec)
        if isinstance(value, str):
            # Masked first: the format could cut a secret in two.
            return format(self.redact(value), format_spec)
        return self.redact(format(value, format_spec))


@implementer(ILogObserver)
@frozen
class RedactingObserver:
    """
    Passes on only the level and text of an event, traceback included, with secrets masked.

    The words of our own messages are never masked: a mask would show that a password is one of
    them. Other fields of an event, such as a failure, do not reach ``observer``.
    """

    observer: ILogObserver
    redact: Redact

    def __call__(self, event: LogEvent) -> None:
        """Pass on ``event``."""
        shown = {key: event[key] for key in _KEPT if key in event}
        level = event.get("log_level")
        # Twisted's observers write log_system before the text, in brackets.
        shown["log_system"] = "-" if level is None else level.name
        self.observer({**shown, "log_format": "{log_text}", "log_text": self._text(event)})

    def _text(self, event: LogEvent) -> str:
        if f"{event.get('log_namespace')}.".startswith(_OURS):
            # Twisted has a text for events that cannot be formatted.
            with suppress(Exception):
                return self._own_text(event)
        return self._shown(_as_text(event))

    def _own_text(self, event: LogEvent) -> str:
        text = _MaskedFields(self._shown).vformat(event["log_format"], (), event)
        if "log_failure" in event:
            text += self._shown(_as_text({"log_format": "", "log_failure": event["log_failure"]}))
        return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"

    def _shown(self, text: str) -> str:
        if len(text) <= TEXT_LIMIT:
            return self.redact(text)
        return f"{self.redact(text[: TEXT_LIMIT + _OVERLAP])[:-_OVERLAP]}…"


def _as_text(event: LogEvent) -> str:
    return eventAsText(event, includeTimestamp=False, includeSystem=False)


@frozen
class _Unbuffered:
    """A file without a buffer, whose lock a hanging thread would hold: Python's exit needs it."""

    descriptor: int

    def write(self, text: str) -> None:
        """Write all of ``text``."""
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self.descriptor, data) :]

    def flush(self) -> None:
        """Do nothing, as nothing is buffered."""


def take_logger(twistd_options: dict[str, Any]) -> Callable[[], Any] | None:
    """
    Return the function named by ``--logger``, if any, and remove the option.

    Call this while options are parsed: twistd would pass unmasked events to its observer.
    """
    name = twistd_options.get("logger")
    if not name:
        return None
    try:
        make: Callable[[], Any] = namedAny(name)
    except Exception:
        return None  # twistd reports it.
    twistd_options["logger"] = None
    return make


def observer_factory(
    twistd_options: Mapping[str, Any],
    level: str,
    redact: Redact = redact,
    logger: Callable[[], Any] | None = None,
    queue: LogQueue | None = None,
) -> Callable[[], ILogObserver] | None:
    """
    Return a function that makes twistd's log observer, for events of ``level`` and above.

    They pass through ``redact`` to the observer of ``logger``, if any, else through ``queue`` to
    twistd's target: syslog, a file or stdout. ``None`` means that twistd must report an error.
    """
    logfile = twistd_options.get("logfile")
    foreground = twistd_options.get("nodaemon") or twistd_options.get("debug")
    if logger is None and logfile == "-" and not foreground:
        return None

    def make() -> ILogObserver:
        observer: ILogObserver
        if logger is not None:
            given = logger()
            modern = ILogObserver.providedBy(given)
            observer = given if modern else LegacyLogObserverWrapper(given)
        elif twistd_options.get("syslog"):
            from twisted.python.syslog import SyslogObserver

            syslog: Any = SyslogObserver(twistd_options.get("prefix") or "").emit
            observer = LegacyLogObserverWrapper(syslog)
        elif logfile == "-" or (foreground and not logfile):
            # Twisted will replace sys.stdout, which is None if it is closed.
            stdout = _Unbuffered(-1 if sys.stdout is None else sys.stdout.fileno())
            file = cast(IO[str], stdout)
            if is_journal(stdout.descriptor, os.environ):
                observer = FileLogObserver(file, journal_lines)
            else:
                observer = textFileLogObserver(file)
        else:
            observer = textFileLogObserver(LogFile.fromFullPath(logfile or "twistd.log"))
        if queue is not None and logger is None:
            queue.observer = observer
            observer = queue
        predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
        if predicate.defaultLogLevel < LogLevel.warn:
            # It logs each 1xx response, and a hostile server sends thousands.
            predicate.setLogLevelForNamespace("twisted.web._newclient", LogLevel.warn)
        plain = PlainEvents(RedactingObserver(observer, redact))
        return FilteringLogObserver(plain, [predicate])

    return make
