"""A site with TLS, and clients of it."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509, PKey
from twisted.internet.error import ConnectionAborted

from restic_reporter.web.security.tls import (
    TLSSettings,
    make_context,
)
from tests.doubles.certificates import Authority
from tests.doubles.web_clients import ClientTLS, SiteTestCase, get

# Since cryptography 47.
CAN_SET_CURVES = hasattr(lib, "SSL_CTX_set1_curves_list")


def client_tls(pem: bytes | None = None) -> ClientTLS:
    """A client's TLS, with a certificate of its own or without."""
    context = SSL.Context(SSL.TLS_METHOD)
    if pem is not None:
        key: Any = load_pem_private_key(pem, None)
        context.use_privatekey(PKey.from_cryptography_key(key))
        context.use_certificate(X509.from_cryptography(x509.load_pem_x509_certificate(pem)))
    return ClientTLS(context)


class TLSTestCase(SiteTestCase):
    """A server with an authority of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority.make()
        self.client_tls = client_tls()

    def serve_tls(self, **settings: Any) -> None:
        """Start a site with these `TLSSettings`."""
        pem = self.authority.issue()
        self.server_tls = make_context(TLSSettings(pem, pem, **settings))
        self.serve()

    async def session(self, tls: ClientTLS | None = None) -> SSL.Connection | None:
        """The TLS of a connection that was answered, or ``None``."""
        self.client_tls = tls or client_tls()
        client = await self.connect(get("/-/healthy"))
        try:
            response = await client.response()
        except (SSL.Error, ConnectionAborted):
            return None
        self.assertEqual(response.status, 200)
        connection: SSL.Connection = client.transport.getHandle()
        return connection

    async def served(self, tls: ClientTLS | None = None) -> bool:
        """Whether a client is answered."""
        return await self.session(tls) is not None
