"""What restic's repository syntax says, without asking restic."""

import difflib
import os
import re

from ..model.schemes import RESTIC_SCHEMES, SCHEME

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# As ssh takes it, with or without a user.
_HOST = re.compile(r"[\w.@-]+")


def scheme_of(repo: str, extra: tuple[str, ...] | None = ()) -> str:
    """
    The scheme that restic sees in ``repo``; ``local`` for a path.

    ``extra`` are the schemes that plugins serve; ``None`` where there may be any.

    :raises ValueError: there is none that anybody knows.
    """
    if _CONTROL.search(repo):
        raise ValueError("contains a control character")
    if repo != repo.strip():
        raise ValueError("begins or ends with a blank, which restic would not keep")
    head, colon, _ = repo.partition(":")
    plugins = extra or ()
    if colon and head in (*RESTIC_SCHEMES, *plugins):
        return head
    if colon and extra is None and SCHEME.fullmatch(head):
        return head
    if colon and not repo.startswith(("/", "./", "../")):
        mend = _mend(repo, sorted({*RESTIC_SCHEMES, *plugins}))
        raise ValueError(f"unknown scheme {head!r}; {mend}")
    return "local"


def _mend(repo: str, known: list[str]) -> str:
    """What was probably meant by ``repo``, without what may be a password in it."""
    head, _, path = repo.partition(":")
    scheme = head.lower()
    near = difflib.get_close_matches(scheme, known, n=1, cutoff=0.75)
    if scheme in ("http", "https"):
        meant = f"rest:{scheme}://…"
    elif near:
        meant = f"{near[0]}:…"
    elif "@" not in path and _HOST.fullmatch(head) and path.startswith("/") and path[1:2] != "/":
        meant = f"sftp:{repo}"
    elif "@" not in path and "/" in head:
        meant = f"local:{repo}"
    else:
        return f"known schemes: {', '.join(known)}"
    return f"did you mean {meant!r}?"


def absolute(repo: str, scheme: str, directory: str) -> str:
    """``repo`` as restic can be told from any folder: a relative local path made absolute."""
    if scheme != "local":
        return repo
    path = repo.removeprefix("local:")
    return f"local:{os.path.join(directory, path)}"
