"""HashiCorp Vault: renews a token, and reads documents of its KV store."""

from .store import VaultStore

__all__ = ["VaultStore"]
