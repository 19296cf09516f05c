"""Reads documents of a KV mount whose version nobody told us, and which may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define

from .errors import VaultRefusedError
from .settings import MOUNT

if TYPE_CHECKING:
    from .client import VaultClient

# A refused read makes us ask again which version is mounted, but not more often than this.
_RECHECK = 60.0


@define
class KVMount:
    """
    What is known of the mount at ``kv/``; ``clock`` gives seconds.

    Several look-ups may find out the same at one time.
    """

    clock: Callable[[], float]
    version: int | None = None
    found_at: float = 0.0

    async def read(self, client: VaultClient, path: str) -> dict[str, object]:
        """
        The document at ``path``.

        :raises VaultOutageError: Vault is of no help now.
        :raises VaultRefusedError: 403 or 404; ``data`` as Vault's answer to a deleted version.
        """
        known, found_at = self.version, self.found_at
        if known is None:
            return await self._find_and_read(client, path)
        try:
            return await _read(client, known, path)
        except VaultRefusedError as refusal:
            # What is refused as of the wrong version looks like any other refusal.
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
    """With an ordinary policy, the wrong version is forbidden and the right one missing."""
    return min(refusals, key=lambda one: (one.data is None, one.status != 404))


def checked_path(path: str) -> str:
    """
    ``path`` as it is asked for: slashes at its ends do not count.

    :raises ValueError: Vault could not have a document there.
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
    """A refused read in words for the user; ``said`` is what Vault says, fit to be shown."""
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
