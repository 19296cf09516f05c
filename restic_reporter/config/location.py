"""What restic's repository syntax says, without asking restic."""

import difflib
import os
import posixpath
import re
from urllib.parse import quote, unquote, urlsplit

from attrs import field, frozen

from ..model.schemes import RESTIC_SCHEMES, SCHEME

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# What Go's net/url, and so restic, takes there.
_USERINFO = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")
_NO_HOST = re.compile(r"""[\s<>"{}|\\^`]""")


# As ssh takes it, with or without a user.
_HOST = re.compile(r"[\w.@-]+")


@frozen
class Rest:
    """
    A ``rest:`` repository, taken apart.

    ``base`` is the URL of the repository with a slash at its end and without credentials;
    for a server at a Unix socket its host stands for nothing and ``unix_socket`` is the
    socket's path. ``username`` and ``password`` are decoded, ``None`` where absent.
    """

    base: str
    unix_socket: str | None
    username: str | None
    password: str | None = field(repr=False)


@frozen
class B2Location:
    """
    A ``b2:`` repository, taken apart.

    ``prefix`` has no slash at its ends; it is empty for the bucket's root.
    """

    bucket: str
    prefix: str


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


def parse_rest(repo: str) -> Rest:
    """
    The parts of a ``rest:`` repository.

    :raises ValueError: it is none; the message does not repeat the URL, it may hold a
        password.
    """
    text = repo.removeprefix("rest:")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("is no valid URL") from None
    if url.scheme not in ("http", "https", "http+unix"):
        raise ValueError("must go on with http://, https:// or http+unix:// after 'rest:'")
    if url.query or url.fragment or "?" in text or "#" in text:
        raise ValueError("must not have a query or fragment; write '?' as %3F and '#' as %23")
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("has a '%' without two hex digits after it; write '%' itself as %25")
    userinfo, _, authority = url.netloc.rpartition("@")
    if not _USERINFO.fullmatch(userinfo):
        raise ValueError("has a user name or password with characters to be written as %XX")
    if _NO_HOST.search(authority):
        raise ValueError("names a host that cannot be")
    try:
        username = None if url.username is None else unquote(url.username, errors="strict")
        password = None if url.password is None else unquote(url.password, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a user name or password that is not UTF-8") from None
    if url.scheme == "http+unix":
        socket, colon, path = url.path.partition(":")
        if not colon or not socket.startswith("/"):
            raise ValueError("must look like rest:http+unix:///path/of/socket:/path/")
        return Rest(f"http://localhost{_folder(path)}", unquote(socket), username, password)
    if not url.hostname:
        raise ValueError("names no host")
    if port == 0:
        raise ValueError("port 0 cannot be reached")
    return Rest(f"{url.scheme}://{authority}{_folder(url.path)}", None, username, password)


def _folder(path: str) -> str:
    """``path`` percent-encoded, from a slash to a slash, as restic asks for it."""
    encoded = quote(path, safe="/%:@!$&'()*+,;=~-._")
    if not encoded.startswith("/"):
        encoded = f"/{encoded}"
    return encoded if encoded.endswith("/") else f"{encoded}/"


def parse_b2(repo: str) -> B2Location:
    """
    The parts of ``b2:bucket[:path]``.

    :raises ValueError: it is none, or the bucket can have no such name.
    """
    bucket, _, path = repo.removeprefix("b2:").partition(":")
    if "/" in bucket:
        raise ValueError("must look like b2:bucket:path, with a colon before the path")
    if not re.fullmatch(r"[a-zA-Z0-9-]{6,50}", bucket):
        raise ValueError("a bucket's name has 6 to 50 letters, digits and dashes")
    prefix = clean_path(path).removeprefix("/") if path else ""
    return B2Location(bucket, "" if prefix == "." else prefix)


def clean_path(path: str) -> str:
    """``path`` in the shortest form, as Go's ``path.Clean`` has it: restic uses that."""
    cleaned = posixpath.normpath(path)
    # POSIX gives two leading slashes a meaning of their own; Go does not.
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def parse_api_url(text: str) -> str:
    """
    The base URL of an API, without a slash at its end.

    :raises ValueError: it is none; the message does not repeat it.
    """
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or url.query or url.fragment or "@" in url.netloc:
        raise ValueError("must be an http:// or https:// URL without credentials or query")
    return text.rstrip("/")


def with_credentials(repo: str, username: str, password: str) -> str:
    """The ``rest:`` repository ``repo``, which has none, with these credentials in its URL."""
    before, _, rest = repo.partition("://")
    return f"{before}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"
