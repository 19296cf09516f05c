"""Which of several daemons with the same config reads which repository. Pure."""

import re
from hashlib import blake2b

from attrs import frozen

MAX_COUNT = 1000


@frozen
class Shard:
    """The part with number ``index`` (from 0) out of ``count``; ``str`` writes it ``1/4``."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, label: str) -> bool:
        """Whether the repository with this ``label`` belongs to it."""
        return shard_of(label, self.count) == self.index


WHOLE = Shard(0, 1)


def parse_shard(text: str) -> Shard:
    """
    The shard that ``text``, like ``1/4``, means.

    :raises ValueError: it means none; the message says why.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None:
        raise ValueError(f"{text!r} must look like I/N: the number of this shard, and of all")
    index, count = int(match[1]), int(match[2])
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"{text!r}: there may be 1 to {MAX_COUNT} shards")
    if index >= count:
        raise ValueError(f"{text!r}: shards count from 0, so the last one is {count - 1}/{count}")
    return Shard(index, count)


def shard_of(label: str, count: int) -> int:
    """
    The number, from 0, of the one shard out of ``count`` that holds ``label``.

    The same on every machine and in every version: siblings must agree. It is the jump
    consistent hash of Lamping and Veach: from ``count`` to ``count + 1`` only those labels
    move that the new shard takes, about one out of ``count + 1``.
    """
    digest = blake2b(label.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    key = int.from_bytes(digest)
    shard, following = 0, 0
    while following < count:
        shard = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = (shard + 1) * 2**31 // ((key >> 33) + 1)
    return shard
