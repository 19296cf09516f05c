"""A socket like systemd's, to which a service sends its notifications."""

import contextlib
import select
import socket

from tests.doubles.programs import PATIENCE


class NotifySocket:
    """Receives notifications at ``address``: a path, or with ``@`` an abstract one."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.messages: list[str] = []

    def next(self) -> str:
        """The next message; waits for it."""
        if not select.select([self.socket], [], [], PATIENCE)[0]:
            raise AssertionError(f"no further message in time: {self.messages}")
        self.messages.append(self.socket.recv(4096).decode())
        return self.messages[-1]

    def waiting(self) -> list[str]:
        """What has come since the last look, without a wait."""
        found: list[str] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(4096).decode())
        return found

    def wait_for(self, begin: str) -> str:
        """The next message that begins like this."""
        while not self.next().startswith(begin):
            pass
        return self.messages[-1]

    def close(self) -> None:
        """Close it: nobody listens from then on."""
        self.socket.close()
