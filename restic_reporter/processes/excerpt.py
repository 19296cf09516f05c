"""Keeps the beginning and the end of a child's stderr."""

from attrs import define, field

_GAP = "\n[…]\n"


@define
class Excerpt:
    """
    The first and the last ``limit`` bytes of a text of any length, in whole lines.

    A cut line could contain a part of a secret, which would not be masked.
    """

    limit: int = 2**16
    _head: bytearray = field(factory=bytearray)
    _tail: bytearray = field(factory=bytearray)
    _cut: bool = False

    def add(self, data: bytes) -> None:
        """Add more of the text."""
        room = self.limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        if len(self._tail) > self.limit:
            del self._tail[: -self.limit]
            self._cut = True

    def text(self) -> str:
        """Return the kept text; undecodable bytes become U+FFFD."""
        if not self._cut:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = self._head[: self._head.rfind(b"\n") + 1]
        tail = self._tail.partition(b"\n")[2]
        return head.decode("utf-8", "replace") + _GAP + tail.decode("utf-8", "replace")
