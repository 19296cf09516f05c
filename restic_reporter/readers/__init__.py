"""Readers, which get the snapshots out of a repository: one `ISnapshotReader` a module."""
