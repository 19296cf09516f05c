"""Tests of `restic_reporter.web.security.tls`, over real connections."""

import socket
import ssl
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.logger import LogLevel, globalLogPublisher

from restic_reporter.concurrency.daemon_threads import in_daemon_thread
from restic_reporter.web.connections import State
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
from tests.doubles.certificates import self_signed
from tests.doubles.tls_site_case import CAN_SET_CURVES, TLSTestCase, client_tls
from tests.doubles.web_clients import get, reactor


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
        for name in CURVES if CAN_SET_CURVES else ():
            make_context(TLSSettings(pem, pem, curves=(name,)))

    async def test_curves(self) -> None:
        """Only the named curves are there."""
        if not CAN_SET_CURVES:
            with self.assertRaisesRegex(TLSError, "needs the package cryptography 47 or newer"):
                self.serve_tls(curves=("CurveP384",))
            return
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
