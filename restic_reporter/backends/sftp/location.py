"""Parses ``sftp:`` repositories as restic does. Pure."""

import re
from urllib.parse import unquote_to_bytes

from attrs import frozen

from ..b2.settings import clean_path

_URL = "sftp://"
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


@frozen
class SFTPLocation:
    """
    The parts of an ``sftp:`` repository.

    ``user``, ``port`` and ``host`` may be empty; ``host`` may be an alias of ssh's own config.
    ``path`` is clean; it is relative to the login's folder without a slash at its beginning.
    """

    user: str
    host: str
    port: str
    path: str


def parse_sftp(repo: str) -> SFTPLocation:
    """
    Parse ``sftp:USER@HOST:PATH`` or ``sftp://USER@HOST:PORT/PATH``.

    :raises ValueError: it is invalid; the message contains no password.
    """
    if repo.startswith(_URL):
        user, host, port, path = _from_url(repo.removeprefix(_URL))
    else:
        user, host, port, path = _from_words(repo.removeprefix("sftp:"))
    path = clean_path(path)
    if path.startswith("~"):
        raise ValueError("SFTP does not know '~'; a path without a slash begins in the home folder")
    if "\0" in path + user + host:
        raise ValueError("contains a NUL character")
    return SFTPLocation(user, host, port, path)


def _from_words(text: str) -> tuple[str, str, str, str]:
    place, colon, path = text.partition(":")
    if not colon:
        raise ValueError("must look like sftp:user@host:path, with a colon before the path")
    # The user may contain one "@", the host any number.
    parts = place.split("@", 2)
    return "@".join(parts[:-1]), parts[-1], "", path


def _from_url(text: str) -> tuple[str, str, str, str]:
    for mark, name in (("?", "query"), ("#", "fragment")):
        if mark in text:
            raise ValueError(f"must not have a {name}; write {mark!r} as %{ord(mark):X}")
    place, slash, path = text.partition("/")
    if not slash:
        raise ValueError("must look like sftp://user@host/path, with a slash before the path")
    login, _, address = place.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        raise ValueError("must not contain a password, as ssh takes none; use a key")
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?", address)
    if match is None:
        raise ValueError("has an invalid host or port")
    host = match[1].strip("[]")
    return _decoded(user), _decoded(host), match[2] or "", _decoded(path)


def _decoded(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise ValueError("'%' must be followed by two hex digits")
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")
