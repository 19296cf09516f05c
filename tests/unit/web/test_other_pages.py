"""Tests of all pages but the metrics."""

from twisted.web.server import Request

from restic_reporter.web.pages import Page, Pages
from tests.doubles.pages import TEXT, Renderer
from tests.doubles.web_clients import SiteTestCase, get


class OtherPagesTests(SiteTestCase):
    """Tests for every other path."""

    async def test_health(self) -> None:
        """The two checks say OK."""
        self.serve()
        for path in ("/-/healthy", "/-/ready"):
            response = await self.ask(path)
            self.assertEqual((response.status, response.body), (200, b"OK\n"))
            self.assertEqual(response.headers["content-type"], TEXT)
            head = await self.ask(path, method="HEAD")
            self.assertEqual((head.status, head.length, head.body), (200, 3, b""))

    async def test_not_found(self) -> None:
        """Every other path is a 404 that does not repeat it."""
        self.serve()
        for path in (
            "/metrics/",
            "/metrics/x",
            "//metrics",
            "/-/",
            "/-",
            "/-/healthy/",
            "/<script>",
            "/..",
            "/%00",
            "/%",
            "/METRICS",
            "/x" * 4000,
        ):
            for method in ("GET", "HEAD", "POST"):
                response = await self.ask(path, method=method)
                self.assertEqual(response.status, 404, path)
                self.assertEqual(response.body, b"" if method == "HEAD" else b"404 Not Found\n")

    async def test_wrong_method(self) -> None:
        """A wrong method is a 405 that tells the right ones."""
        self.serve()
        for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW", "get"):
                response = await self.ask(path, method=method)
                self.assertEqual(response.status, 405, method)
                self.assertEqual(response.headers["allow"], "GET, HEAD")
                self.assertEqual(response.body, b"405 Method Not Allowed\n")

    async def test_server_header(self) -> None:
        """No answer tells which Twisted this is."""
        self.serve()
        for request in (
            get("/"),
            get("/x"),
            get("*", method="OPTIONS"),
            get("/metrics", "Content-Length: 99999999"),
            b"nonsense\r\n\r\n",
        ):
            client = await self.connect(request)
            response = await client.response()
            self.assertEqual(response.headers["server"], "restic-reporter")

    async def test_added_page(self) -> None:
        """A page that takes only POST says so, and one that fails is a plain 500."""

        class Broken(Page):
            """Takes POST, and fails."""

            def render_POST(self, request: Request) -> int:
                raise ZeroDivisionError("a detail")

        self.serve()
        pages = self.site.resource
        assert isinstance(pages, Pages)
        pages.paths[b"/broken"] = Broken()
        for method in ("GET", "HEAD"):
            response = await self.ask("/broken", method=method)
            self.assertEqual((response.status, response.headers["allow"]), (405, "POST"))
        response = await self.ask("/broken", method="POST")
        self.assertEqual(response.status, 500)
        self.assertEqual(response.body, b"500 Internal Server Error\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_http_1_0(self) -> None:
        """An HTTP/1.0 client is answered, and its connection closed."""
        self.serve()
        answer = await self.exchange(b"GET /-/ready HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\nOK\n"), answer)

    async def test_pipelined(self) -> None:
        """Requests sent at once are answered in their order."""
        self.serve(Renderer(200_000))
        paths = ["/-/ready", "/metrics", "/x", "/", "/metrics", "/-/healthy"] * 20
        client = await self.connect(b"".join(get(path) for path in paths))
        for path in paths:
            response = await client.response()
            self.assertEqual(response.status, 404 if path == "/x" else 200)
            if path == "/metrics":
                self.assertGreater(response.length, 200_000)
