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


@frozen
class KeyFacts:
    """
    What is known of a repository's key files and of its format.

    ``count`` is the number of key files, ``newest`` when the newest of them was made or stored, in
    Unix seconds; ``None`` if it is unknown. ``version`` is that of the format, empty if unknown.
    """

    count: int | None = None
    newest: float | None = None
    version: str = ""


NO_KEY_FACTS = KeyFacts()
