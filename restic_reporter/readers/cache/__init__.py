"""Encrypted snapshot files on disk, in the layout of restic's own cache and shared with it."""

from .snapshots import SnapshotCache as SnapshotCache
