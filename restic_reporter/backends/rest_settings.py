"""The keys of ``rest:`` repositories, and what their URLs say."""

import re
from urllib.parse import quote, unquote, urlsplit

from attrs import field, frozen

from ..model.settings import BackendSettings, OwnKeys, missing
from ..redaction.secret import Secret, basic_auth_secret

# What Go's net/url, and so restic, takes there.
_USERINFO = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")
_NO_HOST = re.compile(r"""[\s<>"{}|\\^`]""")


@frozen
class RestCredentials:
    """User name and password for a REST server's basic auth."""

    username: str
    password: Secret


@frozen(kw_only=True)
class RestSettings(BackendSettings):
    """``base`` is the URL of the repository with a slash at its end and without credentials."""

    base: str
    credentials: RestCredentials | None = None


def configure(own: OwnKeys) -> RestSettings | None:
    """The settings of one repository, with the credentials in its URL or in keys."""
    try:
        rest = parse_rest(own.repo)
    except ValueError as error:
        own.problem("repo", str(error))
        return None
    if rest.username is not None or rest.password is not None:
        if own.written:
            names = ", ".join(own.written)
            own.problem("", f"{names}: the URL in 'repo' has credentials already")
        return _settings(rest, None, rest.username or "", rest.password or "")
    username, password = own.values.get("rest_username"), own.values.get("rest_password")
    alone = not own.awaited and missing(own, "rest_username", "rest_password")
    if own.awaited or alone or username is None or password is None:
        return RestSettings(
            base=rest.base, unix_socket=rest.unix_socket, awaits_document=own.awaited
        )
    if ":" in username:
        own.problem("rest_username", "must not contain a colon")
    location = Secret(with_credentials(own.repo, username, password))
    return _settings(rest, location, username, password)


def _settings(rest: "Rest", location: Secret | None, username: str, password: str) -> RestSettings:
    credentials = RestCredentials(username, Secret(password))
    return RestSettings(
        base=rest.base,
        credentials=credentials,
        location=location,
        unix_socket=rest.unix_socket,
        has_credentials=location is None,
        secrets=(credentials.password, basic_auth_secret(username, credentials.password)),
    )


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


def with_credentials(repo: str, username: str, password: str) -> str:
    """The ``rest:`` repository ``repo``, which has none, with these credentials in its URL."""
    before, _, rest = repo.partition("://")
    return f"{before}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"
