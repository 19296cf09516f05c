"""Warn of files with secrets, the config included, that every user can read."""

import grp
import os
import pwd
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any

from ..redaction.secret import url_passwords
from .sources import resolve

# Further files are only counted.
_WARNINGS = 20

# Names in ``env`` whose values are probably secret, and those that only resemble them.
_SECRET = re.compile(r"CREDENTIAL|KEY|PASS|SECRET|TOKEN|_SAS$", re.IGNORECASE)
_HARMLESS = re.compile(r".*_(FILE|ID|NAME|PATH)|GOOGLE_APPLICATION_CREDENTIALS", re.IGNORECASE)

_ADVICE = "chgrp it to the daemon's group, then chmod 0640"


def _status(path: str) -> os.stat_result | None:
    """Return the status of a regular file; ``None`` for other and missing files."""
    with suppress(OSError, ValueError):
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return status
    return None


def _access(status: os.stat_result) -> str:
    """Return owner and mode, such as ``root:root 0644``."""
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f"{_user_name(status.st_uid)}:{group} {stat.S_IMODE(status.st_mode):04o}"


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def open_warning(path: str, secret: str) -> str | None:
    """Return a warning if every user can read the file at ``path``, which has this secret."""
    status = _status(path)
    if status is None or not status.st_mode & stat.S_IROTH:
        return None
    return f"is readable by every user ({_access(status)}) and has a secret ({secret}); {_ADVICE}"


def config_warnings(
    path: str, entries: Sequence[Any], defaults: Mapping[Any, Any], secret_keys: Collection[str]
) -> Iterator[str]:
    """Yield a warning if every user can read the config at ``path`` and it has a secret."""
    status = _status(path)
    if status is None or not status.st_mode & stat.S_IROTH:
        return
    places = chain(
        (f"defaults: {key}" for key in _secrets(defaults, secret_keys)),
        (
            f"entry {n}: {key}"
            for n, one in enumerate(entries, 1)
            for key in _secrets(one, secret_keys)
        ),
    )
    for place in islice(places, 1):
        yield f"is readable by every user ({_access(status)}) and has a secret ({place}); {_ADVICE}"


def _secrets(entry: Any, secret_keys: Collection[str]) -> Iterator[Any]:
    """Yield the keys of an ``entry`` that have secrets."""
    for key, value in entry.items() if isinstance(entry, dict) else ():
        if value and (key in secret_keys or (key == "repo" and any(url_passwords(str(value))))):
            yield key
        for name, one in value.items() if key == "env" else ():
            named = _SECRET.search(name) and not _HARMLESS.fullmatch(name)
            if one and (named or any(url_passwords(one))):
                yield f"env: {name}"


def file_warnings(
    files: Mapping[tuple[str, str], list[int]], directory: str, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield a warning for each file; they are by key and path, with the entries' positions."""
    for (key, path), (first, *others) in islice(files.items(), _WARNINGS):
        more = f" and {len(others)} more" if others else ""
        status = _status(resolve(path, directory, environ))
        if status is not None:
            readable = f"{path!r} is readable by every user ({_access(status)}); {_ADVICE}"
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
        status = _status(place)
        if status is not None and status.st_uid not in (0, user):
            yield (
                f"cannot check as {_user_name(user)} if the daemon can read {path!r} of"
                f" {_user_name(status.st_uid)}; run as the daemon's user"
            )
            return
