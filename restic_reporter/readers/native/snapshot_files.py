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

# 350,000 paths. They take a fifth of a second to parse, at worst a second.
CONTENT_LIMIT = 32 * 2**20
FILE_LIMIT = CONTENT_LIMIT + OVERHEAD

# Seconds after which the remaining files wait, so that the thread can do other work.
_TURN = 0.1


class Flaw(Enum):
    """Why a file gives no snapshot."""

    SEAL = "seal"
    TOO_LARGE = "too large"
    ENCODING = "encoding"


@frozen
class Decoded:
    """The result of one file: a snapshot, or its flaw and a message."""

    name: str
    snapshot: Snapshot | None
    flaw: Flaw | None = None
    message: str = ""


def decode(
    files: Sequence[tuple[str, bytes]], key: bytes, limit: int = CONTENT_LIMIT
) -> list[Decoded]:
    """
    Decrypt the snapshots in ``files`` (name and content) with the master ``key``.

    May return only the first few, one at least, if these took long. Text that is not JSON
    gives an invalid snapshot; ``limit`` is the most bytes of text.
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
