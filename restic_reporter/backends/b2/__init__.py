"""Repositories in Backblaze B2, by its native API, version 4."""

from .backend import B2Backend

__all__ = ["B2Backend"]
