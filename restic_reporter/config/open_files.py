"""Files with secrets, the config among them, and which users can read them."""

import grp
import os
import pwd
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from attrs import frozen

from ..redaction.secret import url_passwords
from .sources import resolve

# Of one kind; beyond that they are counted.
_WARNINGS = 20

MEND = "chgrp it to the daemon's group, then chmod 0640"


@frozen
class Access:
    """Whose a regular file is; ``str`` is like ``root:root 0644``."""

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
    """The name of the user with this number, or the number."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def access_of(place: str) -> Access | None:
    """Of the regular file at ``place``; ``None`` where there is none, or none any more."""
    try:
        status = os.stat(place)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Access(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def config_warnings(
    place: str, entries: Sequence[Any], defaults: Mapping[Any, Any], secret_keys: Collection[str]
) -> Iterator[str]:
    """A warning if all users can read the config at ``place`` and it holds a secret."""
    access = access_of(place)
    if access is None or not access.mode & stat.S_IROTH:
        return
    named = ((f"entry {position}", entry) for position, entry in enumerate(entries, 1))
    for where, entry in (("defaults", defaults), *named):
        for key in _secrets(entry, secret_keys):
            yield (
                f"is readable by every user ({access}) and holds a secret ({where}: {key}); {MEND}"
            )
            return


def _secrets(entry: Any, secret_keys: Collection[str]) -> Iterator[Any]:
    """The keys of an ``entry`` that hold secrets."""
    for key, value in entry.items() if isinstance(entry, dict) else ():
        secret = key == "env" or key in secret_keys
        if value and (secret or (key == "repo" and any(url_passwords(str(value))))):
            yield key


def file_warnings(
    files: Mapping[tuple[str, str], list[int]], directory: str, environ: Mapping[str, str]
) -> Iterator[str]:
    """A sentence for each file with secrets that all can read; ``files`` are by key and path."""
    for (key, path), (first, *others) in islice(files.items(), _WARNINGS):
        more = f" and {len(others)} more" if others else ""
        access = access_of(resolve(path, directory, environ))
        if access is not None:
            yield (
                f"entry {first}{more}: {key}: {path!r} is readable by every user ({access}); {MEND}"
            )
    if len(files) > _WARNINGS:
        yield f"{len(files) - _WARNINGS} more files with secrets are readable by every user"


def user_warnings(places: Iterable[tuple[str, str]]) -> Iterator[str]:
    """
    A sentence where we are not the user for whom the files are.

    ``places`` are the files by the paths that the user has written. Files of root that we can
    read are meant for our group.
    """
    user = os.geteuid()
    unknown = "cannot tell whether the daemon's user can read"
    if user == 0:
        yield f"check-config runs as root and {unknown} the files; run it as that user"
        return
    for path, place in places:
        access = access_of(place)
        if access is not None and access.user not in (0, user):
            yield (
                f"check-config runs as {user_name(user)} and {unknown} {path!r} of"
                f" {user_name(access.user)}; run it as that user"
            )
            return
