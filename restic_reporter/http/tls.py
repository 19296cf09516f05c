"""How to reach a server: the certificates to trust and to show, or a socket of this host."""

import re
from typing import Any

from attrs import Factory, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ..model.repository import Transport

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL
)


def _load_certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(f"{what}: no certificate, or a broken one, in this PEM") from None


def parse_ca_certificates(pem: bytes) -> Any:
    """
    The trust root (for ``optionsForClientTLS``) that consists of the certificates in ``pem``.

    :raises ValueError: telling what is wrong, if there is none or a broken one.
    """
    certificates = _load_certificates(pem, "CA certificates")
    return trustRootFromCertificates(
        [Certificate(X509.from_cryptography(certificate)) for certificate in certificates]
    )


def parse_client_certificate(pem: bytes) -> dict[str, Any]:
    """
    The keyword arguments of ``CertificateOptions`` that make TLS show this certificate.

    ``pem`` holds an unencrypted private key and the certificates, the client's own first.

    :raises ValueError: telling what is wrong, if one is missing, broken or encrypted, or
        if the key is not the certificate's. The message shows nothing of the key.
    """
    what = "client certificate"
    block = _PRIVATE_KEY.search(pem)
    if block is None:
        raise ValueError(f"{what}: no private key in this PEM")
    try:
        key = load_pem_private_key(block.group(), None)
    except TypeError:
        raise ValueError(f"{what}: the private key is encrypted") from None
    except Exception:
        # ValueError or UnsupportedAlgorithm, by the library's version and the key's kind.
        raise ValueError(f"{what}: the private key is broken or of an unknown kind") from None
    own, *chain = _load_certificates(pem, what)
    if _spki(key) != _spki(own):
        raise ValueError(f"{what}: the private key does not belong to the first certificate")
    try:
        private_key = PKey.from_cryptography_key(key)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{what}: TLS cannot use a private key of this kind") from None
    return {
        "privateKey": private_key,
        "certificate": X509.from_cryptography(own),
        "extraCertChain": [X509.from_cryptography(certificate) for certificate in chain],
    }


def _spki(holder: Any) -> bytes:
    public: bytes = holder.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return public


@implementer(IPolicyForHTTPS)
@frozen
class TLSPolicy:
    """Verifies a server against the trust root, by its DNS name or IP address."""

    trust_root: Any = Factory(platformTrust)
    client_certificate: dict[str, Any] = field(factory=dict, repr=False)

    @classmethod
    def for_transport(cls, transport: Transport) -> "TLSPolicy":
        """
        The policy that ``transport`` asks for.

        :raises ValueError: if its PEM cannot be used.
        """
        ca, own = transport.ca_certificates, transport.client_certificate
        return cls(
            platformTrust() if ca is None else parse_ca_certificates(ca),
            {} if own is None else parse_client_certificate(own),
        )

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        return optionsForClientTLS(
            hostname.decode("ascii"),
            trustRoot=self.trust_root,
            extraCertificateOptions=dict(self.client_certificate),
        )
