"""Tests of `restic_reporter.web.lifecycle` and `same_origin`, over real connections."""

from base64 import b64encode

import bcrypt

from restic_reporter.web.connections import Limits, State
from restic_reporter.web.same_origin import is_cross_origin, is_form, is_rebindable
from restic_reporter.web.security.gate import Security
from restic_reporter.web.security.web_config import WebConfig
from tests.doubles.orders import ENCODED, LABEL, Daemon
from tests.doubles.web_clients import Response, SiteTestCase, get, reactor


class LifecycleTests(SiteTestCase):
    """``POST /-/reload`` and ``POST /-/collect``."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = Daemon()

    async def post(self, path: str, *headers: str) -> Response:
        """The response to an order."""
        return await self.ask(path, *headers, method="POST")

    async def test_disabled(self) -> None:
        """Without the option orders are refused."""
        self.serve()
        for path in ("/-/reload", "/-/collect", "/-/collect?url=x"):
            response = await self.post(path)
            self.assertEqual(response.status, 403)
            self.assertIn(b"--enable-lifecycle", response.body)

    async def test_methods(self) -> None:
        """Any other method is a 405, with the option or without it."""
        for lifecycle in (None, self.daemon):
            self.serve(lifecycle=lifecycle)
            for path in ("/-/reload", "/-/collect"):
                for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
                    response = await self.ask(path, method=method)
                    self.assertEqual((response.status, response.headers["allow"]), (405, "POST"))
        self.assertEqual(self.daemon.orders, [])

    async def test_reload(self) -> None:
        """The response comes at the end of the reload."""
        self.serve(lifecycle=self.daemon)
        client = await self.connect(get("/-/reload", method="POST"))
        await self.until_count(1, State.RESPONDING)
        self.assertEqual((self.daemon.orders, client.received), (["reload"], b""))
        self.daemon.reloading.callback([])
        response = await client.response()
        self.assertEqual((response.status, response.body), (200, b"OK\n"))

    async def test_slow_reload(self) -> None:
        """A reload may take longer than other responses."""
        self.serve(limits=Limits(response_timeout=0), lifecycle=self.daemon)
        client = await self.connect(get("/-/reload", method="POST"))
        await self.until_count(1, State.RESPONDING)
        await self.connect(get("/metrics"))
        self.daemon.reloading.callback([])
        self.assertEqual((await client.response()).status, 200)

    async def test_bad_reload(self) -> None:
        """What is wrong with the config is the body of a 500."""
        self.serve(lifecycle=self.daemon)
        self.daemon.reloading.callback(["c.json: entry 1: ü", "c.json: entry 2: x"])
        response = await self.post("/-/reload")
        self.assertEqual(response.status, 500)
        self.assertEqual(response.body.decode(), "c.json: entry 1: ü\nc.json: entry 2: x\n")

    async def test_broken_reload(self) -> None:
        """A bug in the reload is a 500 without details."""
        self.serve(lifecycle=self.daemon)
        self.daemon.reloading.errback(ZeroDivisionError("sesame"))
        response = await self.post("/-/reload")
        self.assertEqual((response.status, response.body), (500, b"500 Internal Server Error\n"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_gone(self) -> None:
        """A client that leaves before the end of the reload does no harm."""
        self.serve(lifecycle=self.daemon)
        client = await self.connect(get("/-/reload", method="POST"))
        await self.until_count(1, State.RESPONDING)
        client.transport.abortConnection()
        await self.until_count(0, *State)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_collect(self) -> None:
        """All repositories, or one, are collected; the response comes at once."""
        self.serve(lifecycle=self.daemon)
        for query in ("", f"?url={ENCODED}", f"?url={ENCODED.replace('%20', '+')}"):
            self.assertEqual((await self.post(f"/-/collect{query}")).status, 202)
        self.assertEqual(self.daemon.orders, [None, LABEL, LABEL])

    async def test_running(self) -> None:
        """While a collection runs the answer is a 409."""
        self.serve(lifecycle=self.daemon)
        self.daemon.idle = False
        self.assertEqual((await self.post("/-/collect")).status, 409)

    async def test_bad_queries(self) -> None:
        """An unknown repository is a 404, and what is not understood collects nothing."""
        self.serve(lifecycle=self.daemon)
        for query, status in (
            ("?url=other", 404),
            ("?url=", 404),
            (f"?url={ENCODED}x", 404),
            ("?ulr=x", 400),
            (f"?url={ENCODED}&url={ENCODED}", 400),
            ("?url=%ff", 400),
        ):
            self.assertEqual((await self.post(f"/-/collect{query}")).status, status, query)
        self.assertEqual((await self.post("/-/reload?url=x")).status, 400)
        self.assertEqual(self.daemon.orders, [])

    async def test_other_sites(self) -> None:
        """A page of another site cannot give orders, by script or by form."""
        self.serve(lifecycle=self.daemon)
        for header, status in (
            ("Sec-Fetch-Site: cross-site", 403),
            ("Sec-Fetch-Site: same-site", 403),
            ("Origin: http://evil.example", 403),
            ("Origin: http://test:81", 403),
            ("Origin: null", 403),
            ("Origin: http://[", 403),
            ("Content-Type: application/x-www-form-urlencoded", 415),
            ("Content-Type: multipart/form-data; boundary=x", 415),
            ("Content-Type: TEXT/plain;charset=UTF-8", 415),
        ):
            for path in ("/-/reload", "/-/collect"):
                self.assertEqual((await self.post(path, header)).status, status, header)
        self.assertEqual(self.daemon.orders, [])

    async def test_own_page(self) -> None:
        """A page of our own can, unless its name may be somebody else's, who leads it to us."""
        own = ("Sec-Fetch-Site: same-origin", "Origin: https://TEST", "Content-Type: text/json")
        self.serve(lifecycle=self.daemon)
        self.assertEqual((await self.post("/-/collect", *own)).status, 403)
        users = {"prom": bcrypt.hashpw(b"sesame", bcrypt.gensalt(4))}
        self.serve(security=Security(reactor, WebConfig(users=users)), lifecycle=self.daemon)
        password = f"Authorization: Basic {b64encode(b'prom:sesame').decode()}"
        self.assertEqual((await self.post("/-/collect", password, *own)).status, 202)
        self.assertEqual(self.daemon.orders, [None])

    def test_headers(self) -> None:
        """What the headers say, one by one."""
        for headers, expected in (
            ({}, False),
            ({"Host": "a:1"}, False),
            ({"Sec-Fetch-Site": "none"}, False),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://a:1", "Host": "a:1"}, False),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://b:1", "Host": "a:1"}, True),
            ({"Origin": "", "Host": ""}, True),
            ({"Origin": "http://a"}, True),
        ):
            self.assertEqual(is_cross_origin(headers.get), expected, headers)
        for host, expected in (
            ("127.0.0.1:9121", False),
            ("[::1]:9121", False),
            ("localhost:9121", False),
            ("evil.example:9121", True),
            ("", True),
            ("[", True),
        ):
            for name, value in (("Origin", "http://x"), ("Sec-Fetch-Site", "none")):
                self.assertEqual(is_rebindable({"Host": host, name: value}.get), expected, host)
        self.assertFalse(is_rebindable({"Host": "evil.example"}.get))
        self.assertFalse(is_form(None))
        self.assertFalse(is_form("application/json"))
