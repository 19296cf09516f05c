"""What the tests of the HTTP client over TLS share."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    trustRootFromCertificates,
)

from restic_reporter.model.repository import Transport
from tests.doubles.certificates import Authority
from tests.doubles.hostile import HostileServer, ServerConnection
from tests.doubles.http_case import ServerCase, reactor


def options(pem: bytes, client_ca: bytes | None = None, **kwargs: Any) -> CertificateOptions:
    """A server's TLS; with ``client_ca`` it asks for a client certificate."""
    own = PrivateCertificate.loadPEM(pem)
    if client_ca is not None:
        kwargs["trustRoot"] = trustRootFromCertificates([Certificate.loadPEM(client_ca)])
    return CertificateOptions(
        privateKey=own.privateKey.original, certificate=own.original, **kwargs
    )


class TLSCase(ServerCase):
    """TLS servers with certificates made for the test."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority.make()
        self.trusting = Transport(ca_certificates=self.authority.pem)

    async def serve_tls(
        self,
        behave: Callable[[ServerConnection], object],
        tls: CertificateOptions | None = None,
    ) -> HostileServer:
        """A TLS server for 127.0.0.1."""
        if tls is None:
            tls = options(self.authority.issue())
        server = HostileServer(behave)
        await server.listen(SSL4ServerEndpoint(reactor, 0, tls, interface="127.0.0.1"))
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server
