"""TLS of the server: settings to an OpenSSL context, and a context for each connection."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509, PKey, X509StoreFlags
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from .gate import Security

VERSIONS = {
    "TLS10": SSL.TLS1_VERSION,
    "TLS11": SSL.TLS1_1_VERSION,
    "TLS12": SSL.TLS1_2_VERSION,
    "TLS13": SSL.TLS1_3_VERSION,
}

# Go's names of the cipher suites that exporter-toolkit allows, with those of OpenSSL.
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}

# Valid in the list, and without effect there: TLS 1.3 always has them.
TLS13_CIPHERS = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)

CURVES = {"CurveP256": "P-256", "CurveP384": "P-384", "CurveP521": "P-521", "X25519": "X25519"}


@frozen
class ClientAuth:
    """Whether a client ``must`` send a certificate, and whether it is ``verified``."""

    asked: bool = True
    must: bool = False
    verified: bool = False


CLIENT_AUTH: Mapping[str, ClientAuth] = {
    "": ClientAuth(asked=False),
    "NoClientCert": ClientAuth(asked=False),
    "RequestClientCert": ClientAuth(),
    "RequireAnyClientCert": ClientAuth(must=True),
    # The older name of the one above.
    "RequireClientCert": ClientAuth(must=True),
    "VerifyClientCertIfGiven": ClientAuth(verified=True),
    "RequireAndVerifyClientCert": ClientAuth(must=True, verified=True),
}

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL
)


@frozen
class TLSSettings:
    """
    The section ``tls_server_config``: PEM, and values of the tables above.

    Without a ``client_ca`` certificates of clients are verified by the system's CAs.
    ``allowed_names`` are the subject alternative names of which a client needs one.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    client_auth: ClientAuth = CLIENT_AUTH[""]
    client_ca: bytes | None = None
    allowed_names: tuple[str, ...] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    ciphers: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    prefer_server_ciphers: bool = True


class TLSError(ValueError):
    """
    Settings that cannot be used. The message contains nothing of a key.

    ``where`` is ``cert``, ``key``, ``client_ca``, or the name of another key of the section.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(problem)
        self.where = where


def make_context(settings: TLSSettings) -> SSL.Context:
    """
    Return the context for new connections.

    :raises TLSError: the settings cannot be used.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    # No session is resumed: a client must show its certificate again, also to a new config.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # Idle connections hold less memory.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    _set_protocol(context, settings)
    _set_certificate(context, settings)
    _set_client_auth(context, settings)
    context.set_alpn_select_callback(_select_protocol)
    return context


def _set_protocol(context: SSL.Context, settings: TLSSettings) -> None:
    lowest, highest = VERSIONS[settings.min_version], VERSIONS[settings.max_version]
    if lowest > highest:
        raise TLSError("min_version", f"must not be above max_version {settings.max_version!r}")
    ciphers = [CIPHERS[name] for name in settings.ciphers if name in CIPHERS]
    if settings.ciphers and not ciphers:
        # None is left for TLS 1.2.
        lowest = SSL.TLS1_3_VERSION
        if highest < lowest:
            raise TLSError("cipher_suites", f"has none for {settings.max_version}")
    context.set_min_proto_version(lowest)
    context.set_max_proto_version(highest)
    if settings.prefer_server_ciphers:
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    # Forward secrecy and authenticated encryption, as Go has it by default; CBC for old clients.
    text = ":".join(ciphers) or "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
    if lowest < SSL.TLS1_2_VERSION:
        # OpenSSL leaves these versions out at any higher level.
        text += ":@SECLEVEL=0"
    try:
        context.set_cipher_list(text.encode())
    except SSL.Error:
        raise TLSError("cipher_suites", "OpenSSL has none of these suites") from None
    if settings.curves:
        set_curves = getattr(lib, "SSL_CTX_set1_curves_list", None)
        if set_curves is None:
            raise TLSError("curve_preferences", "needs the package cryptography 47 or newer")
        names = ":".join(CURVES[name] for name in settings.curves).encode()
        if set_curves(context._context, names) != 1:
            raise TLSError("curve_preferences", "OpenSSL has none of these curves")


def _set_certificate(context: SSL.Context, settings: TLSSettings) -> None:
    own, *chain = _certificates(settings.certificate, "cert")
    try:
        context.use_certificate(own)
        for certificate in chain:
            context.add_extra_chain_cert(certificate)
    except SSL.Error as error:
        raise TLSError("cert", f"OpenSSL refuses it: {_reason(error)}") from None
    block = _PRIVATE_KEY.search(settings.key)
    if block is None:
        raise TLSError("key", "no private key in this PEM")
    try:
        key = load_pem_private_key(block.group(), None)
    except TypeError:
        raise TLSError("key", "private key is encrypted; decrypt it") from None
    except Exception:
        # ValueError or UnsupportedAlgorithm, depending on the library's version and the key.
        raise TLSError("key", "invalid private key, or of an unknown type") from None
    try:
        context.use_privatekey(PKey.from_cryptography_key(key))  # type: ignore[arg-type]
        context.check_privatekey()
    except (SSL.Error, TypeError):
        raise TLSError("key", "private key does not match the first certificate") from None


def _set_client_auth(context: SSL.Context, settings: TLSSettings) -> None:
    auth, names = settings.client_auth, settings.allowed_names
    if settings.client_ca is not None:
        if not auth.asked:
            raise TLSError("client_auth_type", "must be set, as there is a client CA")
        store = context.get_cert_store()
        assert store is not None
        # An intermediate CA may be the one to trust.
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
        for certificate in _certificates(settings.client_ca, "client_ca"):
            store.add_cert(certificate)
            context.add_client_ca(certificate)
    elif auth.verified:
        context.set_default_verify_paths()
    if not auth.asked:
        return

    def verify(_: SSL.Connection, certificate: X509, code: int, depth: int, good: int) -> bool:
        # An exception would not reach OpenSSL.
        try:
            if auth.verified and not good:
                return False
            return depth > 0 or names is None or not set(names).isdisjoint(_names(certificate))
        except Exception:
            return False

    mode = SSL.VERIFY_PEER
    if auth.must or names is not None:
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, verify)


def _reason(error: SSL.Error) -> str:
    return ", ".join(reason for *_, reason in error.args[0])


def _certificates(pem: bytes, where: str) -> list[X509]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise TLSError(where, "no valid certificate in this PEM") from None
    return [X509.from_cryptography(one) for one in found]


def _names(certificate: X509) -> Iterator[str]:
    """Yield the subject alternative names of ``certificate``."""
    extensions = certificate.to_cryptography().extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for kind in (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier, x509.IPAddress):
        yield from map(str, names.get_values_for_type(kind))


def _select_protocol(_: SSL.Connection, offered: list[bytes]) -> Any:
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


@implementer(IOpenSSLServerConnectionCreator)
@frozen
class ServerTLS:
    """Gives each new connection the certificate that is in use at its beginning."""

    security: Security

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Return OpenSSL's side of a new connection."""
        context = self.security.config.tls
        assert context is not None
        return SSL.Connection(context, None)
