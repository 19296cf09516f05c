"""Key files: the master key, encrypted with a password."""

import base64
from typing import Any

from attrs import field, frozen
from nacl.bindings import crypto_pwhash_scryptsalsa208sha256_ll as scrypt

from .compression import parse
from .encryption import KEY_SIZE, DecryptionError, Decryptor

# restic calibrates for 32 MiB and half a second of the machine that made the key: N is 32768,
# r 8, p about 1 to 16. An attacker with write access to the storage can ask for more.
MEMORY_LIMIT = 256 * 2**20
WORK_LIMIT = 2**24

# Keys beyond these limits are unusual: they are tried last, and wait for memory.
USUAL_MEMORY = 64 * 2**20
_USUAL_WORK = 2**22

_SALT_SIZE = 64

# restic's have about 200 bytes, and a time of 35 characters; many are held at the same time.
_DATA_LIMIT = 2**12
_CREATED_LIMIT = 64


@frozen
class KeyFile:
    """
    A parsed key file.

    ``n``, ``r`` and ``p`` are scrypt's parameters, within limits; ``created`` is unparsed.
    """

    name: str
    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    data: bytes = field(repr=False)
    created: str

    @property
    def memory(self) -> int:
        """Bytes of memory that a derivation takes."""
        return _memory(self.n, self.r, self.p)

    @property
    def rank(self) -> tuple[bool, str, str]:
        """
        Sort key for tries: usual before expensive, older before newer.

        The values may be forged, so they decide only the order.
        """
        usual = self.memory <= USUAL_MEMORY and self.n * self.r * self.p <= _USUAL_WORK
        return not usual, self.created, self.name


def parse_key_file(name: str, content: bytes) -> KeyFile:
    """
    Parse the key file ``name``.

    :raises ValueError: it is invalid, or opening it is too expensive.
    """
    value = parse(content)
    if not isinstance(value, dict) or value.get("kdf") != "scrypt":
        raise ValueError("not a key file")
    n, r, p = (value.get(parameter) for parameter in ("N", "r", "p"))
    if not (type(n) is type(r) is type(p) is int):
        raise ValueError("scrypt parameters are not whole numbers")
    if n < 2 or n & (n - 1) or r < 1 or p < 1:
        raise ValueError("invalid scrypt parameters")
    if _memory(n, r, p) > MEMORY_LIMIT or n * r * p > WORK_LIMIT:
        # They may have thousands of digits.
        shown = ", ".join(
            f"{name} {value if value < 2**32 else 'is huge'}"
            for name, value in (("N", n), ("r", r), ("p", p))
        )
        raise ValueError(f"scrypt parameters too expensive: {shown}")
    salt = _bytes(value.get("salt"))
    if len(salt) != _SALT_SIZE:
        raise ValueError("wrong length of the salt")
    data = _bytes(value.get("data"))
    if len(data) > _DATA_LIMIT:
        raise ValueError("data too long")
    created = value.get("created")
    shown = created[:_CREATED_LIMIT] if isinstance(created, str) else ""
    return KeyFile(name, n, r, p, salt, data, shown)


def open_key_file(key_file: KeyFile, password: bytes) -> bytes | None:
    """
    Return the master key, ``None`` if ``password`` is wrong. Takes long.

    :raises ValueError: the password is right, but the content is not a key.
    :raises MemoryError: not enough memory.
    """
    n, r, p = key_file.n, key_file.r, key_file.p
    try:
        key = scrypt(password, key_file.salt, n, r, p, KEY_SIZE, 2 * MEMORY_LIMIT)
    except RuntimeError:
        raise MemoryError from None
    try:
        content = Decryptor(key).open(key_file.data)
    except DecryptionError:
        return None
    value = parse(content)
    if not isinstance(value, dict) or not isinstance(value.get("mac"), dict):
        raise ValueError("no master key in it")
    mac = value["mac"]
    parts = [_bytes(part) for part in (value.get("encrypt"), mac.get("k"), mac.get("r"))]
    if [len(part) for part in parts] != [32, 16, 16] or not all(map(any, parts)):
        raise ValueError("invalid master key")
    return b"".join(parts)


def _memory(n: int, r: int, p: int) -> int:
    return 128 * r * (n + p + 2)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("incomplete key file")
    return base64.b64decode(value, validate=True)
