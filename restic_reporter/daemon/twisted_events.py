"""Reword Twisted's own log events, and drop those that repeat ours."""

import re

from attrs import frozen
from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

from .. import __version__

# By Twisted's words; as they are ours, they are never masked.
_OUR_WORDS = {
    "twistd {version} ({exe} {pyVersion}) starting up.": (
        f"starting restic-reporter {__version__} (Twisted {{version}}, Python {{pyVersion}})"
    ),
    "Received SIGINT, shutting down.": "Received SIGINT, shutting down",
    "Received SIGTERM, shutting down.": "Received SIGTERM, shutting down",
    "Server Shut Down.": "stopped",
}

_DROPPED = {"reactor class: {reactor}.", "Main loop terminated."}

# Legacy events of Twisted, without a format.
_DROPPED_TEXT = re.compile(r"BoundedSite( \(TLS\))? starting on .+|\(\w+ Port .+ Closed\)")


@implementer(ILogObserver)
@frozen
class PlainEvents:
    """Passes events on to ``observer``, Twisted's own reworded or dropped."""

    observer: ILogObserver

    def __call__(self, event: LogEvent) -> None:
        """Pass on ``event``."""
        namespace = str(event.get("log_namespace"))
        if namespace.startswith("twisted."):
            format = event.get("log_format")
            if format in _DROPPED:
                return
            if format in _OUR_WORDS:
                event = {**event, "log_namespace": __name__, "log_format": _OUR_WORDS[format]}
        elif namespace == "log_legacy" and _DROPPED_TEXT.fullmatch(str(event.get("log_text"))):
            return
        self.observer(event)
