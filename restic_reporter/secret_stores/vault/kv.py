"""Reads documents of a KV mount; detects its version, which may change."""

from collections.abc import Callable

from attrs import define

from .client import VaultClient
from .errors import VaultRefusedError
from .settings import MOUNT

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
        refusals: list[VaultRefusedError] = []
        if known is not None:
            try:
                return await client.read(path, known)
            except VaultRefusedError as refusal:
                # A wrong version cannot be told from any other rejection.
                if refusal.status not in (403, 404) or self.clock() - found_at < _RECHECK:
                    raise
                refusals.append(refusal)
        try:
            version = await client.mount_version()
        except VaultRefusedError:
            return await self._try_others(client, path, known, refusals)
        self._found(version)
        if version == known:
            raise refusals[0]
        return await client.read(path, version)

    async def _try_others(
        self, client: VaultClient, path: str, known: int | None, refusals: list[VaultRefusedError]
    ) -> dict[str, object]:
        """Read ``path`` in the versions other than ``known``."""
        for version in (one for one in (2, 1) if one != known):
            try:
                document = await client.read(path, version)
            except VaultRefusedError as refusal:
                refusals.append(refusal)
                if refusal.data is not None:
                    break
            else:
                self._found(version)
                return document
        if known is not None:
            self._found(known)
        # Prefer 404: most policies forbid the wrong version, so the right one is missing.
        raise min(refusals, key=lambda one: (one.data is None, one.status != 404))

    def _found(self, version: int) -> None:
        self.version, self.found_at = version, self.clock()


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
