"""The log that twistd writes: of which level its events must be, and without their secrets."""

import os
import sys
from collections.abc import Callable, Mapping
from string import Formatter
from typing import IO, Any, cast

from attrs import frozen
from twisted.logger import (
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
from .log_queue import LogQueue
from .twisted_events import PlainEvents

Redact = Callable[[str], str]

# Of an event; more takes the reactor longer than it may.
TEXT_LIMIT = 2**15

# So much more is looked at and then left out: a secret that is cut off would not be found.
_OVERLAP = 2**12

# What says where an event comes from, and nothing of what happened.
_KEPT = ("log_time", "log_level", "log_namespace", "isError")


# The logger of a module is named after it, or after a class in it.
_OURS = f"{__name__.partition('.')[0]}."


@frozen
class _MaskedFields(Formatter):
    """Formats as `str.format` does, with each value masked; the words around them stay."""

    redact: Redact

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one value; what the daemon has counted or chosen itself is no secret."""
        if isinstance(value, int | float | Reason):
            return format(value, format_spec)
        if isinstance(value, str):
            # Masked first: half a secret, cut off by the format, would not be recognised.
            return format(self.redact(value), format_spec)
        return self.redact(format(value, format_spec))


@implementer(ILogObserver)
@frozen
class RedactingObserver:
    """
    Hands events on as nothing but their level and text, message and traceback, after ``redact``.

    The words of our own messages are left as they are: masks in these would tell a password
    that is one of them. Nothing else that an event holds, such as a failure with all that
    belongs to it, reaches ``observer``.
    """

    observer: ILogObserver
    redact: Redact

    def __call__(self, event: LogEvent) -> None:
        """Hand on ``event``."""
        shown = {key: event[key] for key in _KEPT if key in event}
        level = event.get("log_level")
        self.observer(
            {
                **shown,
                # What Twisted's observers write before the text, in brackets.
                "log_system": "-" if level is None else level.name,
                "log_format": "{log_text}",
                "log_text": self._text(event),
            }
        )

    def _text(self, event: LogEvent) -> str:
        if f"{event.get('log_namespace')}.".startswith(_OURS):
            try:
                return self._own_text(event)
            except Exception:
                # It cannot be formatted, which Twisted has a text for.
                pass
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
    """
    A stream for `textFileLogObserver` that writes straight to a descriptor.

    A thread that hangs in writing to one of Python's own would hold the lock of its buffer,
    and the interpreter aborts at its end where it cannot have that.
    """

    _descriptor: int

    @classmethod
    def stdout(cls) -> "_Unbuffered":
        """One for the standard output, which fails where that is closed."""
        return cls(-1 if sys.stdout is None else sys.stdout.fileno())

    def write(self, text: str) -> None:
        """Write all of ``text``."""
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing is kept back."""


def take_logger(twistd_options: dict[str, Any]) -> Callable[[], Any] | None:
    """
    What ``--logger`` names, and makes an observer; ``None`` where it names nothing.

    To be called while options are parsed: twistd is not to know of it, since it would hand
    that observer all events as they are.
    """
    name = twistd_options.get("logger")
    if not name:
        return None
    try:
        make: Callable[[], Any] = namedAny(name)
    except Exception:
        return None  # twistd will say so itself.
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
    What makes twistd's log observer, so that it only sees events of ``level`` and above, and
    these through ``redact``.

    The observer that ``logger`` makes gets them, if there is one, at once. Else they go into
    ``queue``, which writes them where twistd's own would: to syslog, a file or stdout. ``None``
    where twistd's own should be asked: it has an error to report.
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
            observer = textFileLogObserver(cast(IO[str], _Unbuffered.stdout()))
        else:
            observer = textFileLogObserver(LogFile.fromFullPath(logfile or "twistd.log"))
        if queue is not None and logger is None:
            queue.observer = observer
            observer = queue
        predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
        if predicate.defaultLogLevel < LogLevel.warn:
            # It tells of each 1xx answer, which a hostile server sends by the thousand.
            predicate.setLogLevelForNamespace("twisted.web._newclient", LogLevel.warn)
        plain = PlainEvents(RedactingObserver(observer, redact))
        return FilteringLogObserver(plain, [predicate])

    return make
