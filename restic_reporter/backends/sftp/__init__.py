"""Repositories on hosts with ssh, by SFTP version 3."""

from .backend import SFTPBackend

__all__ = ["SFTPBackend"]
