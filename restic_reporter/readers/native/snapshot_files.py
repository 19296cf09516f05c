"""Encrypted snapshot files to `Snapshot` values; for worker threads."""

import time
from collections.abc import Sequence

from ...model.errors import ReadError, Reason
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

# The name of a file, and its snapshot or the reason why it gives none.
Decoded = tuple[str, Snapshot | ReadError]


def decode(
    files: Sequence[tuple[str, bytes]],
    key: bytes,
    limit: int = CONTENT_LIMIT,
    client_paths: bool | None = None,
) -> list[Decoded]:
    """
    Decrypt the snapshots in ``files`` (name and content) with the master ``key``.

    May return only the first few, one at least, if these took long. Text that is not JSON
    gives an invalid snapshot; ``limit`` is the most bytes of text. The errors are ``too_large``
    and ``protocol``. For ``client_paths`` see `Shape`.
    """
    decryptor = Decryptor(key)
    until = time.monotonic() + _TURN
    outcomes: list[Decoded] = []
    for name, content in files:
        outcomes.append((name, _decoded(name, content, decryptor, limit, client_paths)))
        if time.monotonic() > until:
            break
    return outcomes


def _decoded(
    name: str, content: bytes, decryptor: Decryptor, limit: int, client_paths: bool | None
) -> Snapshot | ReadError:
    try:
        value = parse_members(unpack_in_pieces(decryptor.open(content), limit), MEMBERS)
    except TooLargeError as error:
        return ReadError(Reason.TOO_LARGE, str(error))
    except (DecryptionError, UnknownEncodingError) as error:
        return ReadError(Reason.PROTOCOL, str(error))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Snapshot(name, None, None, UNKNOWN_USER)
    value["id"] = name
    return parse_snapshot(value, client_paths)
