"""Tests of `restic_reporter.http.urls`, and of the short way that it opens."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from treq.client import HTTPClient
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient, urls
from restic_reporter.http import client as client_module
from restic_reporter.http.urls import is_plain, place_of, split
from restic_reporter.model.repository import DEFAULT_TRANSPORT, Transport
from restic_reporter.model.snapshots import Meter
from tests.doubles.retry_case import ClientConnection

ANY_PATH = st.text("aZ0/._~!$&'()*+,;=:@-%?#[] \"\\<>^`{|}ü\n\x00", max_size=12)


@implementer(IAgent)
class Recorder:
    """An agent that keeps the URIs it is asked for."""

    def __init__(self) -> None:
        self.uris: list[bytes] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        self.uris.append(uri)
        return Deferred()


def sent_by_treq(url: str) -> bytes:
    """What treq asks its agent for."""
    recorder = Recorder()
    reactor: Any = default_reactor
    HTTPClient(recorder).get(url, unbuffered=True, reactor=reactor)
    return recorder.uris[0]


class PlaceTests(SynchronousTestCase):
    """`split`, `is_plain` and `place_of`."""

    def test_split(self) -> None:
        """A URL is split where its path, query or fragment begins."""
        for origin, rest in (
            ("http://h:1", "/a//b?c#d"),
            ("https://[::1]", ""),
            ("http://h", "?q=//x"),
            ("http://u:p@h", "#f/"),
            ("", "no-url"),
            ("", ""),
        ):
            self.assertEqual(split(origin + rest), (origin, rest))

    @settings(max_examples=300, deadline=None)
    @given(ANY_PATH | st.from_regex(urls._PLAIN, fullmatch=True))
    def test_plain(self, path: str) -> None:
        """What counts as plain is what treq sends unaltered."""
        # Two slashes at the beginning become four by way of treq, with Python 3.13.
        if is_plain(path) and not path.startswith("//"):
            self.assertEqual(sent_by_treq(f"http://h{path}"), f"http://h{path}".encode())

    def test_what_is_plain(self) -> None:
        """Encoded paths and queries are plain; a fragment and what needs encoding are not."""
        for path in (
            *("/", "/a-b/r_1.x/snapshots/", f"/user@host/{'0' * 64}", "/a%20b", "/%FF"),
            *("/b/?list-type=2&prefix=a%2Fb", "/?q"),
        ):
            self.assertTrue(is_plain(path), path)
        for path in ("", "/?", "/#f", "/%4", "/%ff", "/a b", "/ü", "/a\n", "//h\x00", "a/"):
            self.assertFalse(is_plain(path), path)

    def test_servers(self) -> None:
        """A server's URI is what treq makes of it; one whose name cannot be one has none."""
        for origin in (
            "http://h",
            "https://h.example:8443",
            "http://127.0.0.1",
            "http://bücher.example",
            "http://UPPER.example",
        ):
            uri = place_of(origin, DEFAULT_TRANSPORT).uri
            assert uri is not None
            self.assertEqual(uri.toBytes(), sent_by_treq(f"{origin}/"))
        self.assertIsNone(place_of("http://a..b", DEFAULT_TRANSPORT).uri)

    def test_ipv6(self) -> None:
        """An IPv6 address, which treq refuses, is a server."""
        place = place_of("http://[2001:db8::1]:8000", DEFAULT_TRANSPORT)
        assert place.uri is not None
        self.assertEqual((place.uri.host, place.uri.port), (b"2001:db8::1", 8000))
        self.assertEqual(place.shown, "[2001:db8::1]:8000")


class ShortWayTests(SynchronousTestCase):
    """A plain GET, which goes to the agent without treq's layers."""

    def request(self, url: str, headers: dict[str, str]) -> tuple[str, list[str]]:
        """The request line and the header lines that a GET sends."""
        reactor = MemoryReactorClock()
        asking = Deferred.fromCoroutine(
            BoundedHTTPClient(reactor).request(
                "get",
                url,
                transport=Transport(unix_socket="/socket"),
                headers=headers,
                deadline=Deadline.after(reactor, 9),
                meter=Meter(),
                operation="list",
            )
        )
        asking.addErrback(lambda _: None)
        connection = ClientConnection(reactor.unixClients[-1][1])
        first, *others = connection.value().decode().split("\r\n")
        asking.cancel()
        return first, sorted(others)

    def test_same_bytes(self) -> None:
        """It sends what treq would."""
        for url in ("http://h:8000/a/snapshots/", "http://bücher/x;y=1//@"):
            headers = {"Authorization": "Basic eDp5", "accept": "text/plain"}
            short = self.request(url, headers)
            with self.subTest(url):
                self.patch(client_module, "is_plain", lambda _: False)
                self.assertEqual(short, self.request(url, headers))
                self.patch(client_module, "is_plain", is_plain)
        self.assertIn("GET ", short[0])
        self.assertIn("Accept-Encoding: identity", short[1])
