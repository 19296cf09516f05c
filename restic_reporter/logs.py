"""What ``--log-level`` does to the log that twistd writes."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogLevel,
    LogLevelFilterPredicate,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile


def observer_factory(
    twistd_options: Mapping[str, Any], level: str
) -> Callable[[], ILogObserver] | None:
    """
    What makes twistd's log observer, so that it only sees events of ``level`` and above.

    It writes where twistd's own would: to syslog, a file or stdout. ``None`` where twistd's
    own should be asked: it has another observer by ``--logger``, or an error to report.
    """
    logfile = twistd_options.get("logfile")
    foreground = twistd_options.get("nodaemon") or twistd_options.get("debug")
    if twistd_options.get("logger") or (logfile == "-" and not foreground):
        return None

    def make() -> ILogObserver:
        observer: ILogObserver
        if twistd_options.get("syslog"):
            from twisted.python.syslog import SyslogObserver

            syslog: Any = SyslogObserver(twistd_options.get("prefix") or "").emit
            observer = LegacyLogObserverWrapper(syslog)
        elif logfile == "-" or (foreground and not logfile):
            observer = textFileLogObserver(sys.stdout)
        else:
            observer = textFileLogObserver(LogFile.fromFullPath(logfile or "twistd.log"))
        predicate = LogLevelFilterPredicate(LogLevel.levelWithName(level))
        if predicate.defaultLogLevel < LogLevel.warn:
            # It tells of each 1xx answer, which a hostile server sends by the thousand.
            predicate.setLogLevelForNamespace("twisted.web._newclient", LogLevel.warn)
        return FilteringLogObserver(observer, [predicate])

    return make
