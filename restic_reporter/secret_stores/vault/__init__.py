"""HashiCorp Vault: a token that stays alive, and documents of its KV store."""

from .store import VaultStore

__all__ = ["VaultStore"]
