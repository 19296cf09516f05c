"""TLS for the client: certificates to trust and to present."""

import re
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL.crypto import X509, PKey
from OpenSSL.SSL import VERIFY_FAIL_IF_NO_PEER_CERT, VERIFY_PEER, Connection, Error
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ..model.repository import Transport

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL
)

# OpenSSL's error codes, from x509_vfy.h.
_VERDICTS = {
    2: "certificate signed by an unknown authority",
    9: "certificate not valid yet",
    10: "certificate expired",
    18: "self-signed certificate",
    19: "self-signed certificate in its chain",
    20: "certificate signed by an unknown authority",
    21: "certificate signed by an unknown authority",
    23: "certificate revoked",
}


def _load_certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(f"{what}: no valid certificate in this PEM") from None


def parse_ca_certificates(pem: bytes) -> Any:
    """
    Return the trust root (for ``optionsForClientTLS``) of the certificates in ``pem``.

    :raises ValueError: ``pem`` has no certificate, or an invalid one.
    """
    certificates = _load_certificates(pem, "CA certificates")
    return trustRootFromCertificates(
        [Certificate(X509.from_cryptography(certificate)) for certificate in certificates]
    )


def parse_client_certificate(pem: bytes) -> dict[str, Any]:
    """
    Return the keyword arguments of ``CertificateOptions`` to present this certificate.

    ``pem`` contains an unencrypted private key and the certificates, the client's own first.

    :raises ValueError: one is missing, invalid or encrypted, or the key does not match the
        certificate. The message contains nothing of the key.
    """
    what = "client certificate"
    block = _PRIVATE_KEY.search(pem)
    if block is None:
        raise ValueError(f"{what}: no private key in this PEM")
    try:
        key = load_pem_private_key(block.group(), None)
    except TypeError:
        raise ValueError(f"{what}: private key is encrypted; decrypt it") from None
    except Exception:
        # ValueError or UnsupportedAlgorithm, depending on the library's version and the key.
        raise ValueError(f"{what}: invalid private key, or of an unknown type") from None
    own, *chain = _load_certificates(pem, what)
    if key.public_key() != own.public_key():
        raise ValueError(f"{what}: private key does not match the first certificate")
    try:
        private_key = PKey.from_cryptography_key(key)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{what}: unsupported type of private key") from None
    return {
        "privateKey": private_key,
        "certificate": X509.from_cryptography(own),
        "extraCertChain": [X509.from_cryptography(certificate) for certificate in chain],
    }


class CertificateRefusedError(Error):
    """The server's certificate is invalid; the message has the reason."""


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Verified:
    """
    Verifies a server's certificate and name, and reports the reason of a failure.

    OpenSSL's own error has no reason. So this replaces the callback that newer versions of
    Twisted set, and does the same.
    """

    inner: IOpenSSLClientConnectionCreator
    server: ServiceID

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        connection: Connection = self.inner.clientConnectionForTLS(tlsProtocol)
        connection.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return connection

    def _verify(
        self, connection: Connection, certificate: X509, code: int, depth: int, good: int
    ) -> bool:
        # An exception raised here would be lost.
        try:
            if not good:
                problem = _VERDICTS.get(code, f"certificate rejected (OpenSSL code {code})")
                raise CertificateRefusedError(problem)
            if depth == 0:
                verify_service_identity(extract_patterns(certificate), [self.server], [])
        except Exception:
            connection.get_app_data().failVerification(Failure())
            return False
        return True


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Unverified:
    """TLS without verification of the server."""

    hostname: bytes

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        connection = Connection(CertificateOptions().getContext(), None)
        name = self.hostname.decode()
        if not isIPAddress(name) and not isIPv6Address(name):
            connection.set_tlsext_host_name(self.hostname)
        return connection


@implementer(IPolicyForHTTPS)
class TLSPolicy:
    """Verifies a server by the trust root and its DNS name or IP address."""

    def __init__(self, transport: Transport) -> None:
        """:raises ValueError: the PEM of ``transport`` is invalid."""
        ca, own = transport.ca_certificates, transport.client_certificate
        self._trust_root = platformTrust() if ca is None else parse_ca_certificates(ca)
        self._own = {} if own is None else parse_client_certificate(own)
        self._verify = transport.verify

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        if not self._verify:
            return _Unverified(hostname)
        name = hostname.decode("ascii")
        creator = optionsForClientTLS(
            name, trustRoot=self._trust_root, extraCertificateOptions=dict(self._own)
        )
        is_address = isIPAddress(name) or isIPv6Address(name)
        return _Verified(creator, IPAddress_ID(name) if is_address else DNS_ID(name))
