"""Divide the repositories of one config among several daemons. Pure."""

import re
from hashlib import blake2b

from attrs import frozen

MAX_COUNT = 1000


@frozen
class Shard:
    """Shard ``index``, from 0, of ``count``; ``str`` returns ``1/4``."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, label: str) -> bool:
        """Return whether the repository with this ``label`` is in the shard."""
        return shard_of(label, self.count) == self.index


WHOLE = Shard(0, 1)


def parse_shard(text: str) -> Shard:
    """Return the shard in ``text``, such as ``1/4``; raise a ValueError if it is invalid."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None:
        raise ValueError(f"invalid value {text!r}; must be I/N: shard I of N")
    index, count = int(match[1]), int(match[2])
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"invalid value {text!r}; N must be 1 to {MAX_COUNT}")
    if index >= count:
        raise ValueError(f"invalid value {text!r}; the last shard is {count - 1}/{count}")
    return Shard(index, count)


def shard_of(label: str, count: int) -> int:
    """
    Return the number, from 0, of the shard out of ``count`` that has ``label``.

    It is the same on every machine and in every version, as daemons must agree: the jump
    consistent hash of Lamping and Veach. With one more shard only its own labels move.
    """
    digest = blake2b(label.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    key = int.from_bytes(digest)
    shard, following = 0, 0
    while following < count:
        shard = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = (shard + 1) * 2**31 // ((key >> 33) + 1)
    return shard
