"""
One bounded connection to Vault, for the blocking HTTP library that hvac uses.

Everything that `requests` would find by itself (.netrc, proxies, certificates, redirects)
is decided here, and whatever hangs in it can be ended from another thread.
"""

import contextlib
import json
import socket
import ssl
import threading
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from .errors import VaultOutageError, VaultRefusedError
from .settings import VaultSettings

# Vault's storage holds documents of 1 MiB at most.
LIMIT = 2 * 1024 * 1024
_BLOCK = 64 * 1024

# What Vault answers where it cannot serve now, though it may later: a standby that lags
# behind (412), a limit of requests (429), standbys (472, 473).
_UNAVAILABLE = frozenset({412, 429, 472, 473})

# Far more than is ever shown: what is cut here may still hold a secret to be masked.
_ERROR_LENGTH = 10_000


class Channel:
    """
    A connection to Vault, kept between calls; one call at a time uses it.

    `abort` may be called from any thread and ends at once what hangs in a socket; the
    channel is of no use afterwards. What may hang elsewhere is a look-up of a name, which
    has time limits of the system's own.
    """

    def __init__(self, settings: VaultSettings) -> None:
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._aborted = False
        self.session = requests.Session()
        self.session.trust_env = False
        if settings.proxy is not None:
            self.session.proxies = {"https": settings.proxy.reveal()}
        adapter = _Adapter(self, settings)
        self.session.adapters.clear()
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)

    def watch(self, connection: socket.socket) -> None:
        """Let `abort` end this one too."""
        # A descriptor of our own: the original's number may be another file's by then.
        handle = connection.dup()
        with self._lock:
            for old in self._handles:
                old.close()
            self._handles = [handle]
            if self._aborted:
                _shut(handle)

    def abort(self) -> None:
        """End whatever goes on."""
        with self._lock:
            self._aborted = True
            for handle in self._handles:
                _shut(handle)

    def close(self) -> None:
        """Close the connection; to be called when no call is at work."""
        self.session.close()
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles = []


def _shut(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Sends a request and gives the whole answer where it is a good one."""

    def __init__(self, channel: Channel, settings: VaultSettings) -> None:
        self._channel = channel
        self._skip_verify = settings.skip_verify
        self._context: ssl.SSLContext | None = None
        if settings.address.startswith("https:"):
            self._context = _tls(settings)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {} if self._context is None else {"ssl_context": self._context}

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool = super().get_connection_with_tls_context(*arguments, **options)
        if not getattr(pool.ConnectionCls, "watched", False):
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._channel, self._skip_verify)
        return pool

    def cert_verify(self, *arguments: Any) -> None:
        """The context has it all."""

    def send(
        self, request: Any, stream: bool = False, timeout: Any = None, *others: Any, **more: Any
    ) -> requests.Response:
        # A compressed answer could be a bomb.
        request.headers["Accept-Encoding"] = "identity"
        response = super().send(request, True, timeout, *others, **more)
        body = _read(response)
        _check(response, body)
        response._content = body
        response._content_consumed = True
        return response


def _watched(base: Any, channel: Channel, skip_verify: bool) -> Any:
    class Watched(base):  # type: ignore[misc]
        watched = True

        def _new_conn(self) -> socket.socket:
            connection: socket.socket = super()._new_conn()
            channel.watch(connection)
            return connection

        def connect(self) -> None:
            super().connect()
            if skip_verify:
                # Or each request would draw a warning; ours stands in the log once.
                self.is_verified = True

    assert issubclass(base, HTTPConnection)
    return Watched


def _tls(settings: VaultSettings) -> ssl.SSLContext:
    try:
        # Without a file, the system's authorities.
        context = ssl.create_default_context(cafile=settings.cacert)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no certificates in it"
        raise VaultOutageError(f"VAULT_CACERT {settings.cacert!r} cannot be used: {why}") from None
    if settings.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # From Python 3.13 on the default is stricter than Vault's own programs, and refuses what many
    # a company's own authority has issued.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    while block := response.raw.read(_BLOCK, decode_content=False):
        body += block
        if len(body) > LIMIT:
            raise VaultOutageError(f"its answer has more than {LIMIT} bytes")
    return bytes(body)


def _check(response: requests.Response, body: bytes) -> None:
    """
    :raises VaultOutageError: the answer is of no use.
    :raises VaultRefusedError: it is Vault's refusal.
    """
    status = response.status_code
    if 300 <= status < 400:
        place = _place(response.headers.get("Location", ""))
        raise VaultOutageError(
            f"it redirects to {place}, where we do not follow: VAULT_ADDR is wrong"
        )
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise VaultOutageError("its answer is compressed, though that was not asked for")
    if status in (200, 204):
        return
    document = _document(body)
    errors = _errors(document)
    if status in _UNAVAILABLE or not 400 <= status < 500:
        said = f"it answers with status {status}" + (f": {errors}" if errors else "")
        raise VaultOutageError(said, may_pass_soon=True)
    if not isinstance(document, dict) or not isinstance(document.get("errors", []), list):
        raise VaultOutageError(f"it answers with status {status}, and not in Vault's way")
    raise VaultRefusedError(status, errors, document.get("data"))


def _document(body: bytes) -> object:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document


def _errors(document: object) -> str:
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ""
    text = " ".join("; ".join(one for one in errors if isinstance(one, str)).split())
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:_ERROR_LENGTH])


def _place(location: str) -> str:
    """Scheme, host and port of where a redirect leads; the rest may hold anything."""
    try:
        url = urlsplit(location)
        port = f":{url.port}" if url.port else ""
    except ValueError:
        return "nowhere"
    return repr(f"{url.scheme}://{url.hostname}{port}") if url.hostname else "another path"
