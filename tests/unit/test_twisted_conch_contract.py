"""
What the code relies on in Conch's SFTP client beyond Twisted's public interfaces.

Nothing of ours is in these tests, as in `test_twisted_contract`.
"""

import struct
from typing import Any

from twisted.conch.ssh.filetransfer import FXF_READ, FileTransferClient
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase


class ClientTests(SynchronousTestCase):
    """`FileTransferClient`: backends/sftp/protocol.py relies on it."""

    def setUp(self) -> None:
        self.client: Any = FileTransferClient()
        self.transport = StringTransport()
        self.client.makeConnection(self.transport)

    def sent(self) -> bytes:
        """What was sent since the last call."""
        value: bytes = self.transport.value()
        self.transport.clear()
        return value

    def test_start(self) -> None:
        """It begins with version 3, an empty buffer and no request."""
        self.assertEqual(self.sent(), b"\0\0\0\5\1\0\0\0\3")
        self.assertEqual((self.client.buf, self.client.openRequests), (b"", {}))

    def test_packet_types(self) -> None:
        """Each answer has a name, and so a method."""
        answers = {2: "VERSION", 101: "STATUS", 102: "HANDLE", 103: "DATA", 104: "NAME"}
        types = self.client.packetTypes
        self.assertEqual({kind: types[kind] for kind in answers}, answers)
        self.assertEqual(types[105], "ATTRS")

    def test_requests(self) -> None:
        """Each goes through `_sendRequest` and waits in `openRequests`, also for a handle."""
        self.sent()
        calls: list[tuple[int, bytes]] = []
        original = self.client._sendRequest

        def note(kind: int, data: bytes) -> Any:
            calls.append((kind, data))
            return original(kind, data)

        self.client._sendRequest = note
        name = b"\0\0\0\1x"
        handle = b"\0\0\0\1h"
        attributes = self.client.getAttrs(b"x", followLinks=1)
        self.assertEqual(self.client.openRequests, {0: attributes})
        self.assertEqual(self.sent(), struct.pack("!LBL", 10, 17, 0) + name)
        self.client.openDirectory(b"x")
        self.client.openFile(b"x", FXF_READ, {})
        opened = [self.client.openRequests.pop(number) for number in (1, 2)]
        for one in opened:
            one.callback(b"h")
        directory, file = map(self.successResultOf, opened)
        directory.read()
        directory.close()
        file.readChunk(1, 2)
        file.getAttrs()
        file.close()
        self.assertEqual(
            calls,
            [
                (17, name),
                (11, name),
                (3, name + b"\0\0\0\1" + b"\0\0\0\0"),
                (12, handle),
                (4, handle),
                (5, handle + struct.pack("!QL", 1, 2)),
                (8, handle),
                (4, handle),
            ],
        )
