"""The HTTP client over TLS, against real sockets."""

import gc
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from attrs import evolve
from OpenSSL import SSL
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.http import parse_ca_certificates, parse_client_certificate
from restic_reporter.http.pool import Route
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Transport
from tests.doubles.certificates import Authority, key_pem, self_signed
from tests.doubles.hostile import HostileServer, ServerConnection, answer
from tests.doubles.http_case import reactor
from tests.doubles.tls_case import TLSCase, options


class RotationTests(TLSCase):
    """Certificates that are replaced by others, again and again."""

    async def test_forgotten(self) -> None:
        """What is not kept is gone, with its key and its idle connections; the rest stays."""
        server = await self.serve_tls(lambda c: c.push(answer(b"[]")))
        kept = self.trusting
        # What other tests left behind may go meanwhile, or stay.
        before = WeakSet(self.routes())
        for number in range(30):
            rotated = evolve(kept, client_certificate=self.authority.issue(f"client-{number}"))
            for transport in (kept, rotated):
                await self.get(server, scheme="https", transport=transport)
            self.client.keep_only([kept])
            del rotated, transport
        # One for each, and one for what was kept.
        first, *others = server.connections
        self.assertEqual((len(others), first.closed), (30, False))
        await DeferredList([one.lost for one in others])
        gc.collect()
        held = [one for one in gc.get_objects() if isinstance(one, Transport)]
        ours = [one for one in held if one.ca_certificates == kept.ca_certificates]
        self.assertEqual([one for one in ours if one.client_certificate is not None], [])
        self.assertEqual(len([one for one in self.routes() if one not in before]), 1)

    def routes(self) -> list[Route]:
        """All that there are in this process."""
        return [one for one in gc.get_objects() if isinstance(one, Route)]

    async def test_in_flight(self) -> None:
        """A request under way is answered, though its transport is not kept."""
        asked: Deferred[ServerConnection] = Deferred()
        server = await self.serve_tls(asked.callback)
        sending = Deferred.fromCoroutine(self.get(server, scheme="https", transport=self.trusting))
        connection = await asked
        self.client.keep_only([])
        connection.push(answer(b"[]"))
        self.assertEqual((await sending).body, b"[]")


class VerificationTests(TLSCase):
    """Who is trusted."""

    async def assert_untrusted(
        self, pem: bytes, text: str, transport: Transport | None = None, **kwargs: Any
    ) -> None:
        """The server with ``pem`` gets no byte of a request, once."""
        server = await self.serve_tls(lambda c: c.push(answer(b"[]")), options(pem))
        error = await self.refused(
            server, Reason.TLS, scheme="https", transport=transport or self.trusting, **kwargs
        )
        self.assertIn(text, str(error))
        self.assertEqual([c.received for c in server.connections], [b""])

    async def test_trusted(self) -> None:
        """A certificate of the given CA is trusted, for an address and for a name, and reused."""
        for host in ("127.0.0.1", "localhost"):
            with self.subTest(host):
                server = await self.serve_tls(
                    lambda c: c.push(answer(b"[]")), options(self.authority.issue(host))
                )
                for _ in range(2):
                    response = await self.get(
                        server, scheme="https", host=host, transport=self.trusting
                    )
                    self.assertEqual(response.body, b"[]")
                self.assertEqual(len(server.connections), 1)

    async def test_several_authorities(self) -> None:
        """Each of several given CAs is trusted."""
        server = await self.serve_tls(lambda c: c.push(answer(b"[]")))
        both = Transport(ca_certificates=Authority.make("another").pem + self.authority.pem)
        self.assertEqual((await self.get(server, scheme="https", transport=both)).status, 200)

    async def test_wrong_host(self) -> None:
        """A certificate for another name or address is refused."""
        for host, asked in (
            ("other.example", "127.0.0.1"),
            ("127.0.0.2", "127.0.0.1"),
            ("other.example", "localhost"),
        ):
            with self.subTest(f"{host} for {asked}"):
                pem = self.authority.issue(host)
                await self.assert_untrusted(pem, "for another host", host=asked)

    async def test_self_signed(self) -> None:
        """A self-signed certificate is refused."""
        await self.assert_untrusted(self_signed(), "self-signed certificate")

    async def test_expired(self) -> None:
        """An expired certificate is refused."""
        pem = self.authority.issue(expired=True)
        await self.assert_untrusted(pem, "certificate expired")

    async def test_system_authorities(self) -> None:
        """Without a CA of its own, a Transport trusts the system's, which know no test CA."""
        pem = self.authority.issue()
        await self.assert_untrusted(pem, "signed by an unknown authority", Transport())

    async def test_plain_server(self) -> None:
        """A server that speaks plain HTTP on the port is a TLS error, and gets no request."""

        def answer_anything(c: ServerConnection) -> None:
            c.push(answer(b"[]"))

        server = await self.serve(lambda c: None, answer_anything)
        await self.refused(server, Reason.TLS, scheme="https", transport=self.trusting)
        self.assertNotIn(b"GET", server.connections[0].received)

    async def test_unix_socket(self) -> None:
        """Over a UNIX socket, too, the URL's host is verified."""
        path = self.mktemp()[-60:].replace("/", "-")
        server = HostileServer(lambda c: c.push(answer(b"[]")))
        tls = options(self.authority.issue("good.example"))
        await server.listen(UNIXServerEndpoint(reactor, path), tls)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        transport = Transport(ca_certificates=self.authority.pem, unix_socket=path)
        response = await self.get(server, scheme="https", host="good.example", transport=transport)
        self.assertEqual(response.body, b"[]")
        await self.client.close()
        error = await self.refused(
            server,
            Reason.TLS,
            scheme="https",
            host="bad.example",
            transport=transport,
            client=self.make_client(),
        )
        self.assertIn(f"unix:{path}", str(error))


class ClientCertificateTests(TLSCase):
    """Servers that ask who we are."""

    async def test_shown(self) -> None:
        """The client certificate of the Transport is shown to a server that asks."""
        clients = Authority.make("clients")
        tls = options(self.authority.issue(), clients.pem)
        server = await self.serve_tls(lambda c: c.push(answer(b"[]")), tls)
        transport = Transport(
            ca_certificates=self.authority.pem, client_certificate=clients.issue("client")
        )
        response = await self.get(server, scheme="https", transport=transport)
        self.assertEqual(response.body, b"[]")

    async def test_missing_or_foreign(self) -> None:
        """Without one, or with an unknown CA's, it is a TLS error, in TLS 1.2 and 1.3."""
        clients = Authority.make("clients")
        for version in (SSL.OP_NO_TLSv1_3, SSL.OP_NO_TLSv1_2):
            for own in (None, Authority.make("strangers").issue("client")):
                with self.subTest(f"{version} {own is None}"):
                    tls = options(self.authority.issue(), clients.pem)
                    tls.getContext().set_options(version)
                    server = await self.serve_tls(lambda c: c.push(answer(b"[]")), tls)
                    transport = Transport(
                        ca_certificates=self.authority.pem, client_certificate=own
                    )
                    await self.refused(server, Reason.TLS, scheme="https", transport=transport)
                    self.assertEqual(server.requests, [])


class PEMTests(SynchronousTestCase):
    """What is said of bad PEM."""

    def setUp(self) -> None:
        self.authority = Authority.make()
        self.pem = self.authority.issue("client")

    def assert_refused(self, parse: Callable[[bytes], object], pem: bytes, text: str) -> None:
        """``pem`` is refused with a message that has ``text`` and nothing of the PEM."""
        error = self.assertRaises(ValueError, parse, pem)
        self.assertIn(text, str(error))
        self.assertNotIn("BEGIN", str(error))

    def test_good(self) -> None:
        """Good PEM is accepted, the key before or after the certificates, with a chain."""
        parse_ca_certificates(self.authority.pem * 2)
        key, mark, certificate = self.pem.partition(b"-----BEGIN CERTIFICATE-----")
        parse_client_certificate(self.pem)
        parsed = parse_client_certificate(mark + certificate + self.authority.pem + key)
        self.assertEqual(len(parsed["extraCertChain"]), 1)

    def test_bad_authorities(self) -> None:
        """CA certificates that are missing or broken are refused."""
        broken = self.authority.pem.replace(b"\nMII", b"\nMXX")
        for pem in (b"", b"nonsense", broken, self.authority.pem + broken):
            self.assert_refused(parse_ca_certificates, pem, "no valid certificate")

    def test_bad_client_certificates(self) -> None:
        """A client certificate without its own, readable key is refused."""
        key, mark, certificate = self.pem.partition(b"-----BEGIN CERTIFICATE-----")
        certificate = mark + certificate
        encrypted = key_pem(self.authority.key, b"pass")
        broken = key.replace(b"\nMI", b"\nMX")
        for pem, text in (
            (b"", "no private key"),
            (certificate, "no private key"),
            (key, "no valid certificate"),
            (encrypted + certificate, "encrypted"),
            (broken + certificate, "invalid private key"),
            (key_pem(self.authority.key) + certificate, "does not match"),
        ):
            self.assert_refused(parse_client_certificate, pem, text)

    def test_repr(self) -> None:
        """A Transport does not show its certificate or key."""
        transport = Transport(client_certificate=self.pem, ca_certificates=self.authority.pem)
        self.assertNotIn("BEGIN", repr(transport))
