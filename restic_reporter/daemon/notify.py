"""Tell systemd how the daemon is: ready, reloading, stopping, alive, and what it does."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable, MutableMapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..collection.state import CollectionState

# Seconds between two looks at what the daemon does.
STATUS_INTERVAL = 1.0

# Seconds between two signs of life without a watchdog: a start may take longer than is allowed.
_START_INTERVAL = 30.0

# Messages that change what systemd thinks of the service, so each must arrive.
_LASTING = ("READY=", "RELOADING=", "STOPPING=")


class Notifier(Service):
    """
    Sends systemd's notifications (``sd_notify``); does nothing without the socket for them.

    The variables are taken out of ``environ``, so no child gets them. ``describe`` returns what
    the daemon does, in one line.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        environ: MutableMapping[str, str],
        describe: Callable[[], str],
    ) -> None:
        self._reactor = reactor
        self._describe = describe
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self._watchdog = _watchdog(environ)
        # Half of what is allowed, as systemd recommends: one may come late.
        self._interval = self._watchdog / 2 or _START_INTERVAL
        self._socket: socket.socket | None = None
        self._unsent: deque[str] = deque()
        self._calls: list[LoopingCall] = []
        self._status = ""
        self._failed = False
        self._is_ready = False

    def startService(self) -> None:
        """Send the status, and signs of life if systemd expects them."""
        super().startService()
        if self._address is None:
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        for interval, call in (
            (STATUS_INTERVAL, self._send_status),
            (self._interval, self._send_alive),
        ):
            looping = LoopingCall(call)
            looping.clock = self._reactor
            looping.start(interval)
            self._calls.append(looping)

    def stopService(self) -> None:
        """Report the stop, and nothing afterwards."""
        super().stopService()
        while self._calls:
            self._calls.pop().stop()
        self._send("STOPPING=1\nSTATUS=stopping")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ready(self) -> None:
        """Report the end of the start: all pages are served."""
        self._is_ready = True
        self._send_ready()

    def reloading(self, begins: bool) -> None:
        """Report that a reload of the config begins or has ended."""
        # READY=1 would end the start too.
        if not self._is_ready:
            return
        if begins:
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")
        else:
            self._send_ready()

    def _send_ready(self) -> None:
        """Send it with the status, so that who has waited for it sees what holds now."""
        self._status = self._describe()
        self._send(f"READY=1\nSTATUS={self._status}")

    def _send_status(self) -> None:
        status = self._describe()
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")
        else:
            self._flush()

    def _send_alive(self) -> None:
        if not self._is_ready:
            # systemd's watchdog begins when the start has ended, and the first collection may
            # take longer than a start is allowed to.
            self._send(f"EXTEND_TIMEOUT_USEC={self._interval * 2e6:.0f}")
        elif self._watchdog:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._socket is not None:
            self._unsent.append(message)
            self._flush()

    def _flush(self) -> None:
        """Send what is unsent, in its order; what cannot be sent now, later."""
        while self._unsent and self._socket is not None and self._address is not None:
            try:
                self._socket.sendto(self._unsent[0].encode(), self._address)
            except OSError as error:
                if not self._failed:
                    self._log.warn("cannot notify systemd: {error}", error=error)
                self._failed = True
                # The rest is sent anew, with what holds then.
                self._unsent = deque(one for one in self._unsent if one.startswith(_LASTING))
                self._status = ""
                return
            self._failed = False
            self._unsent.popleft()


def _address(text: str) -> bytes | None:
    """Return the address of the socket that ``NOTIFY_SOCKET`` names: a path, or an abstract one."""
    if text.startswith("@"):
        return b"\0" + os.fsencode(text[1:])
    return os.fsencode(text) if text.startswith("/") else None


def _watchdog(environ: MutableMapping[str, str]) -> float:
    """Return after how many seconds without a sign of life systemd restarts us; 0 for never."""
    microseconds = environ.pop("WATCHDOG_USEC", "")
    process = environ.pop("WATCHDOG_PID", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or process not in (
        "",
        str(os.getpid()),
    ):
        return 0.0
    return int(microseconds) / 1e6


def describe(state: CollectionState, next_due: float | None) -> str:
    """Return what the daemon does, for ``systemctl status``."""
    job = state.job
    if job.running:
        text = f"collecting {job.due - job.left} of {job.due}"
    elif next_due is None:
        text = "starting"
    else:
        text = time.strftime("next collection at %Y-%m-%d %H:%M", time.localtime(next_due))
    if job.error_count:
        text += f"; cannot read {job.error_count}"
    if not state.config.successful:
        text += "; config not reloaded, keeping the running one"
    return text
