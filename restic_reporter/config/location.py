"""What restic's repository syntax says, without asking restic."""

import os
import re

from ..model.schemes import RESTIC_SCHEMES, SCHEME

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


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
        known = ", ".join(sorted({*RESTIC_SCHEMES, *plugins}))
        raise ValueError(
            f"names no scheme out of {known}; a local path with a colon wants 'local:' before it"
        )
    return "local"


def absolute(repo: str, scheme: str, directory: str) -> str:
    """``repo`` as restic can be told from any folder: a relative local path made absolute."""
    if scheme != "local":
        return repo
    path = repo.removeprefix("local:")
    return f"local:{os.path.join(directory, path)}"
