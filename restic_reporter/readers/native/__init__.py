"""Reads restic's repositories without restic, after the documentation of their format."""

from .reader import NativeReader as NativeReader
