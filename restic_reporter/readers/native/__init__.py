"""Reads restic's repositories without restic, as its own documentation describes them."""

from .reader import NativeReader as NativeReader
