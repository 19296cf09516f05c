"""The files of a repository, as restic names them."""

import hashlib

from ..model.errors import ReadError, Reason

# Their names are the SHA-256 of their content. The config has no such name, and locks are
# rewritten in place by some versions.
_HASHED = ("keys/", "snapshots/")


def check_content(path: str, content: bytes) -> bytes:
    """
    ``content``, if it is what a file with this ``path`` within its repository must hold.

    :raises ReadError: ``protocol`` where it is not.
    """
    if path.startswith(_HASHED):
        name = path.partition("/")[2]
        if hashlib.sha256(content).hexdigest() != name:
            raise ReadError(Reason.PROTOCOL, f"{path}: content is incomplete or altered (SHA-256)")
    return content
