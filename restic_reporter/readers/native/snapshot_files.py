"""Encrypted snapshot files to `Snapshot` values; for worker threads."""

import time
from collections.abc import Sequence
from enum import Enum

from attrs import frozen

from ...model.snapshots import UNKNOWN_USER, Snapshot
from ...restic_format.json_members import parse_members
from ...restic_format.snapshot_json import MEMBERS, parse_snapshot
from .compression import TooLargeError, UnknownEncodingError, unpack_in_pieces
from .encryption import OVERHEAD, DecryptionError, Decryptor

# 350,000 paths. It takes a fifth of a second to go through them, at worst a second.
CONTENT_LIMIT = 32 * 2**20
FILE_LIMIT = CONTENT_LIMIT + OVERHEAD

# Seconds after which the other files must wait, so that a thread serves others between.
_TURN = 0.1


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

    They may be those of the first few alone, one at least, where these took long. Text that
    is no JSON gives a snapshot that is counted as invalid; ``limit`` is how many bytes it may
    have.
    """
    decryptor = Decryptor(key)
    until = time.monotonic() + _TURN
    outcomes: list[Decoded] = []
    for name, content in files:
        outcomes.append(_decoded(name, content, decryptor, limit))
        if time.monotonic() > until:
            break
    return outcomes


def _decoded(name: str, content: bytes, decryptor: Decryptor, limit: int) -> Decoded:
    value = None
    try:
        value = parse_members(unpack_in_pieces(decryptor.open(content), limit), MEMBERS)
    except DecryptionError as error:
        return Decoded(name, None, Flaw.SEAL, str(error))
    except TooLargeError as error:
        return Decoded(name, None, Flaw.TOO_LARGE, str(error))
    except UnknownEncodingError as error:
        return Decoded(name, None, Flaw.ENCODING, str(error))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Decoded(name, Snapshot(name, None, None, UNKNOWN_USER))
    value["id"] = name
    return Decoded(name, parse_snapshot(value))
