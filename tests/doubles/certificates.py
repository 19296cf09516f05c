"""Certificates made for a test."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    """``key`` as PEM, encrypted if there is a password."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@frozen
class Authority:
    """A certificate authority, self-signed."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str = "test CA") -> "Authority":
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _sign(key, _name(name), _name(name), key.public_key(), ca=True))

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, host: str = "127.0.0.1", *, expired: bool = False) -> bytes:
        """PEM of key and certificate for ``host``: an IPv4 address, DNS name, email or URI."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(
            self.key,
            self.certificate.subject,
            _name(host),
            key.public_key(),
            host=host,
            expired=expired,
        )
        return key_pem(key) + certificate.public_bytes(Encoding.PEM)


def self_signed(host: str = "127.0.0.1") -> bytes:
    """PEM of key and certificate of a server that no authority knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, _name(host), _name(host), key.public_key(), host=host)
    return key_pem(key) + certificate.public_bytes(Encoding.PEM)


def _general_name(text: str) -> x509.GeneralName:
    if "://" in text:
        return x509.UniformResourceIdentifier(text)
    if "@" in text:
        return x509.RFC822Name(text)
    try:
        return x509.IPAddress(IPv4Address(text))
    except ValueError:
        return x509.DNSName(text)


def _sign(
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    host: str | None = None,
    ca: bool = False,
    expired: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    end = now - timedelta(days=1) if expired else now + timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if host is not None:
        names = x509.SubjectAlternativeName([_general_name(host)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())
