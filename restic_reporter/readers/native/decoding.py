"""Encrypted snapshot files to `Snapshot` values; for worker threads."""

from collections.abc import Sequence
from enum import Enum

from attrs import frozen

from ...model import UNKNOWN_USER, Snapshot
from ..snapshot_json import parse_snapshot
from .sealing import OVERHEAD, SealBrokenError, Unsealer
from .unpacking import TooLargeError, UnknownEncodingError, parse, unpack

# As much as the restic reader takes for one snapshot.
CONTENT_LIMIT = 4 * 2**20
FILE_LIMIT = CONTENT_LIMIT + OVERHEAD


class Flaw(Enum):
    """Why there is no snapshot in a file."""

    SEAL = "seal"
    TOO_LARGE = "too large"
    ENCODING = "encoding"


@frozen
class Decoded:
    """What one file came to: a snapshot, or its flaw and what to say of it."""

    name: str
    snapshot: Snapshot | None
    flaw: Flaw | None = None
    message: str = ""


def decode(
    files: Sequence[tuple[str, bytes]], key: bytes, limit: int = CONTENT_LIMIT
) -> list[Decoded]:
    """
    The snapshots in ``files`` (name and content), opened with the master ``key``.

    Text that is no JSON gives a snapshot that is counted as invalid; ``limit`` is how many
    bytes it may have.
    """
    unsealer = Unsealer(key)
    return [_decoded(name, content, unsealer, limit) for name, content in files]


def _decoded(name: str, content: bytes, unsealer: Unsealer, limit: int) -> Decoded:
    try:
        text = unpack(unsealer.open(content), limit)
    except SealBrokenError as error:
        return Decoded(name, None, Flaw.SEAL, str(error))
    except TooLargeError as error:
        return Decoded(name, None, Flaw.TOO_LARGE, str(error))
    except UnknownEncodingError as error:
        return Decoded(name, None, Flaw.ENCODING, str(error))
    try:
        value = parse(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Decoded(name, Snapshot(name, None, None, UNKNOWN_USER))
    value["id"] = name
    return Decoded(name, parse_snapshot(value))
