"""Tests of `restic_reporter.web.security.tls`, over real connections."""

import socket
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509, PKey
from twisted.internet.error import ConnectionAborted
from twisted.logger import LogLevel, globalLogPublisher

from restic_reporter.concurrency.daemon_threads import in_daemon_thread
from restic_reporter.web.connections import Connections, Limits, State
from restic_reporter.web.security.gate import Security
from restic_reporter.web.security.tls import (
    CIPHERS,
    CLIENT_AUTH,
    CURVES,
    TLS13_CIPHERS,
    TLSError,
    TLSSettings,
    make_context,
)
from restic_reporter.web.security.web_config import WebConfig
from tests.doubles.certificates import Authority, self_signed
from tests.doubles.web_clients import Client, ClientTLS, SiteTestCase, get, reactor


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


class ProtocolTests(TLSTestCase):
    """Versions, cipher suites and curves."""

    async def test_default(self) -> None:
        """TLS 1.3 and 1.2 are there, and nothing below."""
        self.serve_tls()
        for version, served in (
            (SSL.TLS1_3_VERSION, True),
            (SSL.TLS1_2_VERSION, True),
            (SSL.TLS1_1_VERSION, False),
        ):
            tls = client_tls()
            tls.context.set_max_proto_version(version)
            tls.context.set_cipher_list(b"ALL:@SECLEVEL=0")
            self.assertEqual(await self.served(tls), served, version)

    async def test_versions(self) -> None:
        """Only versions within the limits are there, old ones if they are asked for."""
        for lowest, highest, expected in (
            ("TLS13", "TLS13", "TLSv1.3"),
            ("TLS12", "TLS12", "TLSv1.2"),
            ("TLS10", "TLS11", "TLSv1.1"),
        ):
            self.serve_tls(min_version=lowest, max_version=highest)
            tls = client_tls()
            tls.context.set_cipher_list(b"ALL:@SECLEVEL=0")
            session = await self.session(tls)
            assert session is not None
            self.assertEqual(session.get_protocol_version_name(), expected)

    async def test_ciphers(self) -> None:
        """Only the named suites are there below TLS 1.3, and the server's order counts."""
        names = list(CIPHERS)[:2]
        for server_first, order in ((True, names), (False, names), (True, names[::-1])):
            self.serve_tls(
                max_version="TLS12", ciphers=tuple(order), prefer_server_ciphers=server_first
            )
            tls = client_tls()
            tls.context.set_cipher_list(":".join(CIPHERS[one] for one in names[::-1]).encode())
            session = await self.session(tls)
            assert session is not None
            chosen = order[0] if server_first else names[1]
            self.assertEqual(session.get_cipher_name(), CIPHERS[chosen])
            other = client_tls()
            other.context.set_cipher_list(b"ECDHE-ECDSA-CHACHA20-POLY1305")
            self.assertFalse(await self.served(other))

    async def test_ciphers_of_tls13(self) -> None:
        """A list with suites of TLS 1.3 alone leaves nothing below."""
        self.serve_tls(ciphers=TLS13_CIPHERS[:1])
        self.assertTrue(await self.served())
        old = client_tls()
        old.context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self.assertFalse(await self.served(old))

    def test_all(self) -> None:
        """OpenSSL has every cipher suite and curve."""
        pem = self_signed()
        for name in CIPHERS:
            make_context(TLSSettings(pem, pem, ciphers=(name,)))
        for name in CURVES:
            make_context(TLSSettings(pem, pem, curves=(name,)))

    async def test_curves(self) -> None:
        """Only the named curves are there."""
        for name, served in (("CurveP384", True), ("CurveP521", False)):
            self.serve_tls(curves=(name,))
            tls = client_tls()
            context: Any = tls.context
            lib.SSL_CTX_set1_curves_list(context._context, b"P-384:P-256")
            self.assertEqual(await self.served(tls), served)

    async def test_protocol(self) -> None:
        """HTTP/1.1 is what a client is given that offers HTTP/2 as well."""
        self.serve_tls()
        tls = client_tls()
        tls.context.set_alpn_protos([b"h2", b"http/1.1"])
        session = await self.session(tls)
        assert session is not None
        self.assertEqual(session.get_alpn_proto_negotiated(), b"http/1.1")

    async def test_no_resumption(self) -> None:
        """No session is resumed, so a new config counts for each connection."""
        self.serve_tls()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.maximum_version = version
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            session = None
            for _ in range(2):
                reused, session = await in_daemon_thread(
                    reactor, _talk, context, self.port, session
                )
                self.assertFalse(reused)


def _talk(context: ssl.SSLContext, port: int, session: Any) -> tuple[bool | None, Any]:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, session=session) as tls,
    ):
        tls.sendall(get("/-/healthy"))
        tls.recv(1000)
        return tls.session_reused, tls.session


class ClientCertificateTests(TLSTestCase):
    """Certificates of clients."""

    async def test_policies(self) -> None:
        """Each policy lets in the clients that Go's policy of that name lets in."""
        good = self.authority.issue("client")
        unknown = self_signed("client")
        expired = self.authority.issue("client", expired=True)
        for policy, served in (
            ("NoClientCert", (True, True, True, True)),
            ("RequestClientCert", (True, True, True, True)),
            ("RequireAnyClientCert", (False, True, True, True)),
            ("RequireClientCert", (False, True, True, True)),
            ("VerifyClientCertIfGiven", (True, True, False, False)),
            ("RequireAndVerifyClientCert", (False, True, False, False)),
        ):
            # A CA without a policy is refused.
            ca = None if policy == "NoClientCert" else self.authority.pem
            self.serve_tls(client_auth=CLIENT_AUTH[policy], client_ca=ca)
            self.assertEqual(
                tuple([await self.served(client_tls(p)) for p in (None, good, unknown, expired)]),
                served,
                policy,
            )

    async def test_system(self) -> None:
        """Without a CA of its own, the system's verify a client."""
        self.serve_tls(client_auth=CLIENT_AUTH["RequireAndVerifyClientCert"])
        self.assertFalse(await self.served(client_tls(self.authority.issue("client"))))

    async def test_names(self) -> None:
        """A client needs one of the allowed names: DNS, IP, email or URI."""
        names = ("web.example", "10.0.0.1", "ops@example.com", "spiffe://example/prom")
        for policy in ("RequireAndVerifyClientCert", "RequestClientCert"):
            self.serve_tls(
                client_auth=CLIENT_AUTH[policy], client_ca=self.authority.pem, allowed_names=names
            )
            for name in names:
                self.assertTrue(await self.served(client_tls(self.authority.issue(name))), name)
            for other in ("other.example", "WEB.example", "10.0.0.2"):
                self.assertFalse(await self.served(client_tls(self.authority.issue(other))), other)
            self.assertFalse(await self.served(client_tls()))

    async def test_no_names(self) -> None:
        """An empty list of names lets nobody in."""
        self.serve_tls(client_auth=CLIENT_AUTH["RequireAnyClientCert"], allowed_names=())
        self.assertFalse(await self.served(client_tls(self.authority.issue("client"))))

    async def test_no_verified_name(self) -> None:
        """A name in a certificate that cannot be verified is worth nothing."""
        self.serve_tls(
            client_auth=CLIENT_AUTH["VerifyClientCertIfGiven"],
            client_ca=self.authority.pem,
            allowed_names=("client",),
        )
        self.assertFalse(await self.served(client_tls(self_signed("client"))))

    async def test_logged(self) -> None:
        """A client that is turned away is logged at debug, with its address."""
        lines: list[str] = []

        def note(event: dict[str, Any]) -> None:
            if event.get("log_level") is LogLevel.debug and "reason" in event:
                lines.append(event["log_format"].format(**event))

        observer: Any = note
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.serve_tls(client_auth=CLIENT_AUTH["RequireAnyClientCert"])
        self.assertFalse(await self.served())
        await self.until_count(0, *State)
        (line,) = lines
        self.assertIn("TLS with 127.0.0.1 failed: ", line)
        self.assertIn("peer did not return a certificate", line)

    def test_bad(self) -> None:
        """A CA without a policy, or that is none, is refused."""
        pem = self_signed()
        for settings, where in (
            ({"client_ca": self.authority.pem}, "client_auth_type"),
            ({"client_ca": b"x", "client_auth": CLIENT_AUTH["RequestClientCert"]}, "client_ca"),
        ):
            error = self.assertRaises(TLSError, make_context, TLSSettings(pem, pem, **settings))
            self.assertEqual(error.where, where)


class ChangeTests(TLSTestCase):
    """A config that is replaced."""

    async def test_renewed(self) -> None:
        """New connections have the new certificate; those that are open go on."""
        self.serve_tls()
        old = await self.connect(get("/-/healthy"))
        await old.response()
        pem = self.authority.issue("renewed.example")
        self.site.security.use(WebConfig(tls=make_context(TLSSettings(pem, pem))))
        session = await self.session()
        assert session is not None
        certificate = session.get_peer_certificate()
        assert certificate is not None
        self.assertEqual(certificate.get_subject().CN, "renewed.example")
        old.transport.write(get("/-/healthy"))
        self.assertEqual((await old.response()).status, 200)


def _is_open(channel: Any) -> bool:
    """Whether the server still has a descriptor for this connection."""
    below: Any = channel.transport.transport
    return bool(below.fileno() != -1)


class HandshakeTests(TLSTestCase):
    """Clients that do not do their part of a handshake."""

    async def plain(self, send: bytes) -> Client:
        """A connection without TLS."""
        self.client_tls = None
        return await self.connect(send)

    async def serve_briefly(self) -> None:
        """Start a site that gives a request a short time."""
        pem = self_signed()
        security = Security(reactor, WebConfig(tls=make_context(TLSSettings(pem, pem))))
        self.serve(limits=Limits(request_timeout=0.2, max_connections=4), security=security)

    async def test_slow(self) -> None:
        """A handshake must end within the time for a request, whatever part of it comes."""
        await self.serve_briefly()
        hello = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        hello.set_connect_state()
        self.assertRaises(SSL.WantReadError, hello.do_handshake)
        first = hello.bio_read(65536)
        for part in (b"", first[:3], first[:-1], first):
            client = await self.plain(part)
            await client.lost
        await self.until_count(0, *State)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_no_handshake(self) -> None:
        """What is no TLS is closed at once, without an error in the log."""
        await self.serve_briefly()
        for send in (get(), b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\x80" * 100):
            client = await self.plain(send)
            await client.lost
            self.assertNotIn(b"HTTP", client.received)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_burst(self) -> None:
        """A burst of connections, accepted in one turn, keeps no more descriptors than allowed."""
        await self.serve_briefly()
        sockets = [socket.socket() for _ in range(50)]
        for one in sockets:
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
        descriptors: list[int] = []
        admit = Connections.admit

        def counting(connections: Connections) -> bool:
            descriptors.append(sum(_is_open(channel) for channel in self.states))
            return admit(connections)

        self.patch(Connections, "admit", counting)
        await self.until(lambda: len(descriptors) == 50)
        # Half as many more are closing, and one is about to be admitted.
        self.assertLessEqual(max(descriptors), 4 * 3 // 2 + 1)
        await self.until_count(0, *State)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_give_way(self) -> None:
        """Connections that never begin a handshake give way to one that does."""
        await self.serve_briefly()
        for _ in range(4):
            await self.plain(b"")
        self.assertTrue(await self.served())
