"""What opens a repository: its key files and its config."""

import hashlib

from attrs import field, frozen


@frozen
class Access:
    """
    The names of a repository's key files, and its encrypted config.

    A key file's name is the hash of its content. So the repository opens as it did before as
    long as ``token`` is the same.
    """

    keys: frozenset[str]
    config: bytes = field(repr=False)
    token: bytes = field(init=False, repr=False)

    @token.default
    def _make_token(self) -> bytes:
        digest = hashlib.sha256(self.config)
        for name in sorted(self.keys):
            digest.update(name.encode())
        return digest.digest()
