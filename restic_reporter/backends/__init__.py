"""Backends, which list and load the files of repositories: one `IBackend` a module."""
