"""Checks files of a repository against their names, which are hashes."""

import hashlib

from ..model.errors import ReadError, Reason

# Folders whose files are named by their SHA-256. The config is not, and some versions rewrite
# locks in place.
_HASHED = ("keys/", "snapshots/")


def check_content(path: str, content: bytes) -> bytes:
    """
    Return ``content`` if it matches the ``path`` of its file within the repository.

    :raises ReadError: ``protocol`` if it does not.
    """
    if path.startswith(_HASHED):
        name = path.partition("/")[2]
        if hashlib.sha256(content).hexdigest() != name:
            raise ReadError(Reason.PROTOCOL, f"{path}: content is incomplete or altered (SHA-256)")
    return content
