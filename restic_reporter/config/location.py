"""The syntax of a repository, read as restic reads it."""

import difflib
import os
import re
from collections.abc import Collection

from ..model.schemes import RESTIC_SCHEMES, SCHEME

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# As ssh accepts it, with or without a user.
_HOST = re.compile(r"[\w.@-]+")


def scheme_of(repo: str, extra: Collection[str] = (), broken: bool = False) -> str:
    """
    Return the scheme of ``repo``; ``local`` for a path.

    Plugins serve the schemes ``extra``; a ``broken`` one may serve any other.

    :raises ValueError: the scheme is unknown.
    """
    if _CONTROL.search(repo):
        raise ValueError("contains a control character")
    if repo != repo.strip():
        raise ValueError("begins or ends with a blank, which restic would remove")
    scheme, colon, _ = repo.partition(":")
    if not colon or repo.startswith(("/", "./", "../")):
        return "local"
    if scheme in RESTIC_SCHEMES or scheme in extra:
        return scheme
    if broken and SCHEME.fullmatch(scheme) and scheme not in ("http", "https"):
        return scheme
    hint = hint_for(repo, extra) or f"known schemes: {', '.join(_known(extra))}"
    raise ValueError(f"unknown scheme {scheme!r}; {hint}")


def hint_for(repo: str, extra: Collection[str] = ()) -> str | None:
    """Return a hint, without passwords, for a ``repo`` with an unknown scheme."""
    head, _, path = repo.partition(":")
    scheme = head.lower()
    near = difflib.get_close_matches(scheme, _known(extra), n=1, cutoff=0.75)
    if scheme in ("http", "https"):
        meant = f"rest:{scheme}://…"
    elif near:
        meant = f"{near[0]}:…"
    elif "@" not in path and _HOST.fullmatch(head) and path.startswith("/") and path[1:2] != "/":
        meant = f"sftp:{repo}"
    elif "@" not in path and "/" in head:
        meant = f"local:{repo}"
    else:
        return None
    return f"did you mean {meant!r}?"


def _known(extra: Collection[str]) -> list[str]:
    return sorted({*RESTIC_SCHEMES, *extra})


def absolute(repo: str, scheme: str, directory: str) -> str:
    """Return ``repo`` with a relative local path made absolute."""
    if scheme != "local":
        return repo
    path = repo.removeprefix("local:")
    return f"local:{os.path.join(directory, path)}"
