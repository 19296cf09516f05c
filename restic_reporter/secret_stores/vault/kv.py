"""Reads documents of a KV mount; detects its version, which may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define

from .errors import VaultRefusedError
from .settings import MOUNT

if TYPE_CHECKING:
    from .client import VaultClient

# Seconds between two checks of the version after rejected reads.
_RECHECK = 60.0


@define
class KVMount:
    """
    The mount at ``kv/`` with its version, if known; ``clock`` returns seconds.

    Several look-ups may detect the version at the same time.
    """

    clock: Callable[[], float]
    version: int | None = None
    found_at: float = 0.0

    async def read(self, client: VaultClient, path: str) -> dict[str, object]:
        """
        Read the document at ``path``.

        :raises VaultOutageError: Vault is unavailable now.
        :raises VaultRefusedError: 403 or 404; ``data`` is Vault's response for a deleted version.
        """
        known, found_at = self.version, self.found_at
        if known is None:
            return await self._find_and_read(client, path)
        try:
            return await _read(client, known, path)
        except VaultRefusedError as refusal:
            # A wrong version cannot be told from any other rejection.
            if refusal.status not in (403, 404) or self.clock() - found_at < _RECHECK:
                raise
            return await self._find_and_read(client, path, known, refusal)

    async def _find_and_read(
        self,
        client: VaultClient,
        path: str,
        known: int | None = None,
        refusal: VaultRefusedError | None = None,
    ) -> dict[str, object]:
        try:
            version = await client.mount_version()
        except VaultRefusedError:
            return await self._try_both(client, path, known, refusal)
        self._found(version)
        if version == known and refusal is not None:
            raise refusal
        return await _read(client, version, path)

    async def _try_both(
        self, client: VaultClient, path: str, known: int | None, refusal: VaultRefusedError | None
    ) -> dict[str, object]:
        refusals = [] if refusal is None else [refusal]
        for version in (2, 1):
            if version == known:
                continue
            try:
                document = await _read(client, version, path)
            except VaultRefusedError as another:
                refusals.append(another)
                if another.data is not None:
                    break
            else:
                self._found(version)
                return document
        if known is not None:
            self._found(known)
        raise _most_specific(refusals)

    def _found(self, version: int) -> None:
        self.version, self.found_at = version, self.clock()


async def _read(client: VaultClient, version: int, path: str) -> dict[str, object]:
    return await (client.read_v2(path) if version == 2 else client.read_v1(path))


def _most_specific(refusals: list[VaultRefusedError]) -> VaultRefusedError:
    """Prefer 404: most policies forbid the wrong version, so the right one is missing."""
    return min(refusals, key=lambda one: (one.data is None, one.status != 404))


def checked_path(path: str) -> str:
    """
    Return ``path`` without slashes at its ends.

    :raises ValueError: it is not a valid path in Vault.
    """
    inner = path.strip("/")
    if not inner:
        raise ValueError("empty path")
    if any(part in (".", "..") for part in inner.split("/")):
        raise ValueError("path contains '.' or '..'")
    if "//" in inner:
        raise ValueError("path contains '//'")
    if not inner.isprintable():
        raise ValueError("path contains an unprintable character")
    return inner


def explain(refusal: VaultRefusedError, path: str, said: str) -> str:
    """Return the message of a rejected read; ``said`` is Vault's printable message."""
    metadata = refusal.data.get("metadata") if isinstance(refusal.data, dict) else None
    if refusal.status == 404 and isinstance(metadata, dict):
        state = "destroyed" if metadata.get("destroyed") is True else "deleted"
        return f"the latest version of the document at {path!r} in {MOUNT}/ is {state}"
    if refusal.status == 404:
        return f"Vault has no document at {path!r} in {MOUNT}/{_hint(path)}"
    if refusal.status == 403:
        return f"Vault denies access to {path!r} in {MOUNT}/: {said}{_hint(path)}"
    return f"Vault rejects the read of {path!r} in {MOUNT}/ (status {refusal.status}): {said}"


def _hint(path: str) -> str:
    for wrong in (f"{MOUNT}/data/", f"{MOUNT}/", "data/"):
        rest = path.strip("/").removeprefix(wrong)
        if rest and rest != path.strip("/"):
            return f"; did you mean {rest!r}? Paths are relative to {MOUNT}/"
    return ""
