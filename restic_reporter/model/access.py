"""The key files and the config, which open a repository."""

import hashlib

from attrs import field, frozen


@frozen
class Access:
    """
    The names of a repository's key files, and its encrypted config.

    A key file's name is the hash of its content. An equal ``token`` means that the repository
    opens as before.
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
