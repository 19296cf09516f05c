"""Warn of files with secrets, the config included, that every user can read."""

import grp
import os
import pwd
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from attrs import frozen

from ..redaction.secret import url_passwords
from .sources import resolve

# Further files are only counted.
_WARNINGS = 20

# Names in ``env`` whose values are probably secret, and those that only resemble them.
_SECRET = re.compile(r"CREDENTIAL|KEY|PASS|SECRET|TOKEN|_SAS$", re.IGNORECASE)
_HARMLESS = re.compile(r".*_(FILE|ID|NAME|PATH)|GOOGLE_APPLICATION_CREDENTIALS", re.IGNORECASE)

_MEND = "chgrp it to the daemon's group, then chmod 0640"


@frozen
class Access:
    """Owner and mode of a regular file; ``str`` returns ``root:root 0644``."""

    user: int
    group: int
    mode: int

    def __str__(self) -> str:
        try:
            group = grp.getgrgid(self.group).gr_name
        except KeyError:
            group = str(self.group)
        return f"{user_name(self.user)}:{group} {self.mode:04o}"


def user_name(user: int) -> str:
    """Return the name of a user, or the number if it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def access_of(path: str) -> Access | None:
    """Return the access of a regular file; ``None`` for other and missing files."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Access(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def config_warnings(
    path: str, entries: Sequence[Any], defaults: Mapping[Any, Any], secret_keys: Collection[str]
) -> Iterator[str]:
    """Yield a warning if every user can read the config at ``path`` and it has a secret."""
    access = access_of(path)
    if access is None or not access.mode & stat.S_IROTH:
        return
    named = ((f"entry {position}", entry) for position, entry in enumerate(entries, 1))
    places = (
        f"{name}: {key}"
        for name, entry in (("defaults", defaults), *named)
        for key in _secrets(entry, secret_keys)
    )
    for place in islice(places, 1):
        yield f"is readable by every user ({access}) and has a secret ({place}); {_MEND}"


def _secrets(entry: Any, secret_keys: Collection[str]) -> Iterator[Any]:
    """Yield the keys of an ``entry`` that have secrets."""
    for key, value in entry.items() if isinstance(entry, dict) else ():
        if key == "env":
            yield from (f"env: {name}" for name, one in value.items() if _is_secret(name, one))
        elif value and (key in secret_keys or (key == "repo" and any(url_passwords(str(value))))):
            yield key


def _is_secret(name: str, value: str) -> bool:
    named = _SECRET.search(name) and not _HARMLESS.fullmatch(name)
    return bool(value) and (bool(named) or any(url_passwords(value)))


def file_warnings(
    files: Mapping[tuple[str, str], list[int]], directory: str, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield a warning for each file; they are by key and path, with the entries' positions."""
    for (key, path), (first, *others) in islice(files.items(), _WARNINGS):
        more = f" and {len(others)} more" if others else ""
        access = access_of(resolve(path, directory, environ))
        if access is not None:
            readable = f"{path!r} is readable by every user ({access}); {_MEND}"
            yield f"entry {first}{more}: {key}: {readable}"
    if len(files) > _WARNINGS:
        yield f"{len(files) - _WARNINGS} more files with secrets are readable by every user"


def user_warnings(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """
    Yield a warning if another user than ours owns a file: the daemon may not be able to read it.

    ``files`` are written and absolute paths. Files of root that we can read are for our group.
    """
    user = os.geteuid()
    if user == 0:
        yield "cannot check as root which files the daemon can read; run as the daemon's user"
        return
    for path, place in files:
        access = access_of(place)
        if access is not None and access.user not in (0, user):
            yield (
                f"cannot check as {user_name(user)} if the daemon can read {path!r} of"
                f" {user_name(access.user)}; run as the daemon's user"
            )
            return
