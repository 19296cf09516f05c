"""Repositories whose files are sealed with a known key, made without restic."""

import base64
import functools
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import Factory, define
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from restic_reporter.model.snapshots import Listing
from restic_reporter.readers.native.key_file import open_key_file, parse_key_file
from restic_reporter.testing import MemoryBackend

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PASSWORD = "sesame"


def seal(key: bytes, content: bytes) -> bytes:
    """``content``, encrypted with the 64 bytes of ``key``."""
    iv = os.urandom(16)
    text = Cipher(AES(key[:32]), CTR(iv)).encryptor().update(content)
    mask = Cipher(AES(key[32:48]), ECB()).encryptor().update(iv)
    return iv + text + Poly1305.generate_tag(key[48:] + mask, text)


def compressed(content: bytes) -> bytes:
    """``content`` as a version 2 repository has it."""
    return b"\2" + zstd.compress(content)


def empty_frame() -> bytes:
    """Nothing at all, compressed."""
    return zstd.compress(b"")


def key_file(
    master: bytes,
    password: str = PASSWORD,
    n: int = 2,
    r: int = 1,
    p: int = 1,
    created: str | None = "2025-01-01T00:00:00Z",
    inside: Any = None,
    **changes: Any,
) -> bytes:
    """A key file, cheap to open; ``inside`` is sealed in place of the ``master`` key."""
    salt = os.urandom(64)
    key = Scrypt(salt=salt, length=64, n=n, r=r, p=p).derive(password.encode())
    if inside is None:
        inside = {
            "mac": {"k": _text(master[32:48]), "r": _text(master[48:])},
            "encrypt": _text(master[:32]),
        }
    value = {
        "created": created,
        "username": "u",
        "hostname": "h",
        "kdf": "scrypt",
        "N": n,
        "r": r,
        "p": p,
        "salt": _text(salt),
        "data": _text(seal(key, json.dumps(inside).encode())),
        **changes,
    }
    return json.dumps(value).encode()


@functools.cache
def master_key(name: str, content: bytes, password: str) -> bytes:
    """The master key of a key file; derived once, as that takes half a second of a processor."""
    master = open_key_file(parse_key_file(name, content), password.encode())
    assert master is not None
    return master


def cheap_key(name: str, content: bytes, password: str, new: str | None = None) -> bytes:
    """A key file with the master key of this one, for its password or a ``new`` one."""
    return key_file(master_key(name, content, password), password if new is None else new)


def cheapen(path: Path, password: str, new: str | None = None) -> None:
    """Replace a repository's only key file by a cheap one, for its password or a ``new`` one."""
    [own] = (path / "keys").iterdir()
    cheap = cheap_key(own.name, own.read_bytes(), password, new)
    own.unlink()
    (path / "keys" / name_of(cheap)).write_bytes(cheap)


def snapshot_json(time: str = "2025-03-01T12:00:00Z", **values: Any) -> dict[str, Any]:
    """The content of a snapshot file."""
    return {"time": time, "tree": "0" * 64, "hostname": "h", "username": "u", **values}


def name_of(content: bytes) -> str:
    """The name that restic gives a file."""
    return hashlib.sha256(content).hexdigest()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@define
class SealedRepository(MemoryBackend):
    """A repository in memory whose files are sealed with the key ``master``."""

    master: bytes = Factory(lambda: os.urandom(64))
    identifier: str = Factory(lambda: os.urandom(32).hex())
    version: int = 2
    concurrent_loads: int = 4

    def __attrs_post_init__(self) -> None:
        config = {
            "version": self.version,
            "id": self.identifier,
            "chunker_polynomial": "3da3358b4dc173",
        }
        self.files["config"] = seal(self.master, json.dumps(config).encode())

    @classmethod
    def made(cls, snapshots: int = 0, **options: Any) -> "SealedRepository":
        """One with a key file, and so many snapshots of one set."""
        repository = cls(**options)
        repository.add("keys", key_file(repository.master))
        for number in range(snapshots):
            repository.add_snapshot(snapshot_json(number=number))
        return repository

    def add(self, folder: str, content: bytes) -> str:
        """Put a file as it is into a folder; its name."""
        name = name_of(content)
        self.files[f"{folder}/{name}"] = content
        return name

    def add_snapshot(self, value: Any, compress: bool = False) -> str:
        """Add a snapshot: bytes as they are, any other value as JSON."""
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.add(
            "snapshots", seal(self.master, compressed(content) if compress else content)
        )

    def add_key(self, password: str = PASSWORD, **options: Any) -> str:
        """Add another key file."""
        return self.add("keys", key_file(self.master, password, **options))

    def add_lock(self, time: str, **values: Any) -> str:
        """Add a lock."""
        content = json.dumps({"time": time, "exclusive": False, **values}).encode()
        return self.add("locks", seal(self.master, content))

    def listing(self) -> Listing:
        """What is there now."""
        keys = self.names("keys") if self.shows_keys else None
        return Listing(self.names("snapshots"), self.names("locks"), keys)

    def loaded(self, folder: str) -> Sequence[str]:
        """The names in a folder that were asked for, and forget them."""
        found = [path.partition("/")[2] for path in self.loads if path.startswith(f"{folder}/")]
        self.loads = [path for path in self.loads if not path.startswith(f"{folder}/")]
        return found
