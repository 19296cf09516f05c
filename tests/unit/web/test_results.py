"""Tests of `restic_reporter.web.results`, over real connections."""

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from restic_reporter.model.results import Result
from tests.doubles.orders import ENCODED, LABEL, Daemon
from tests.doubles.repositories import NOW
from tests.doubles.web_clients import Response, SiteTestCase

URL = f"url={ENCODED}"


class ResultsTests(SiteTestCase):
    """``POST /-/results``."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = Daemon()
        self.serve(lifecycle=self.daemon)

    async def post(self, query: str, *headers: str) -> Response:
        """The response to a result."""
        return await self.ask(f"/-/results?{query}", *headers, method="POST")

    async def test_good(self) -> None:
        """A result is noted, with its time or as of now."""
        for query, expected in (
            ("kind=check&exit=0", Result("check", NOW, 0)),
            ("exit=3&kind=backup&time=1699999999.25", Result("backup", 1699999999.25, 3)),
            ("kind=restore&exit=-9&time=0", Result("restore", 0.0, -9)),
            ("kind=prune&exit=3221225786", Result("prune", NOW, 3221225786)),
            (f"kind=copy&exit=007&time={NOW + 3600}", Result("copy", NOW + 3600, 7)),
        ):
            response = await self.post(f"{URL}&{query}")
            self.assertEqual((response.status, response.body), (200, b"OK\n"))
            self.assertEqual(self.daemon.results.pop(), (LABEL, expected))

    async def test_older(self) -> None:
        """One that is older than a known one gets a 200 that says so: a retry would not help."""
        self.daemon.is_newest = False
        response = await self.post(f"{URL}&kind=check&exit=0")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.body, b"OK, but a newer result of check is known\n")

    async def test_bad(self) -> None:
        """Whatever is wrong gets a 400 that names it, and changes nothing."""
        good = f"{URL}&kind=check&exit=0"
        for query, reason in (
            ("", "url is missing"),
            ("kind=check&exit=0", "url is missing"),
            ("url=&kind=check&exit=0", "url is missing"),
            (f"{URL}&exit=0", "kind is missing"),
            (f"{URL}&kind=check", "exit is missing"),
            (f"{URL}&kind=check&exit=", "exit is missing"),
            (f"{good}&url=x", "more than one url"),
            (f"{good}&exit=0", "more than one exit"),
            (f"{good}&time=1&time=1", "more than one time"),
            (f"{good}&host=x", "unknown parameter 'host'; known are url, kind, exit, time"),
            (
                f"{URL}&kind=Check&exit=0",
                "unknown kind 'Check'; known are check, restore, prune, copy, backup",
            ),
            *(
                (f"{URL}&kind=check&exit={sent}", f"exit must be an integer, not '{shown}'")
                for sent, shown in (
                    ("x", "x"),
                    ("1.0", "1.0"),
                    ("1_0", "1_0"),
                    ("+1", " 1"),
                    ("%D9%A1", "\u0661"),
                    ("9" * 11, "9" * 11),
                    ("1%0A", "1\\n"),
                )
            ),
            *(
                (f"{good}&time={sent}", f"time must be in Unix seconds, not '{sent}'")
                for sent in ("", "NaN", "inf", "-1", "1e9", "2026-01-01", "0x1", "1.", "9" * 21)
            ),
            *(
                (
                    f"{good}&time={sent}",
                    f"time {sent} is more than an hour ahead; must be in Unix seconds",
                )
                for sent in ("1700003601.0", "1700000000000")
            ),
            (f"{good}&time=%FF", "the query is not valid UTF-8"),
        ):
            response = await self.post(query)
            self.assertEqual(response.status, 400, query)
            self.assertEqual(response.body.decode(), f"400 Bad Request: {reason}\n")
        self.assertEqual(self.daemon.results, [])

    async def test_unknown_label(self) -> None:
        """An unknown repository is a 404; neither it nor the log repeats the query."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            lines.append(repr(event))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        response = await self.post("url=rest:https://user:hunter2@host/&kind=check&exit=0")
        self.assertEqual(response.status, 404)
        self.assertEqual(response.body, b"404 Not Found: no repository has this url\n")
        await self.post(f"{URL}&kind=check&exit=0&password=hunter2")
        self.assertGreater(len(lines), 1)
        self.assertNotIn("hunter2", "".join(lines))
        self.assertEqual(self.daemon.results, [])

    async def test_refused(self) -> None:
        """Without the option, from another site, or by another method none is taken."""
        query = f"{URL}&kind=check&exit=0"
        self.assertEqual((await self.post(query, "Origin: http://evil")).status, 403)
        form = "Content-Type: application/x-www-form-urlencoded"
        self.assertEqual((await self.post(query, form)).status, 415)
        self.assertEqual((await self.ask(f"/-/results?{query}")).status, 405)
        self.serve(lifecycle=None)
        for bad in (query, ""):
            response = await self.post(bad)
            self.assertEqual(response.status, 403)
            self.assertIn(b"--enable-lifecycle", response.body)
        self.assertEqual(self.daemon.results, [])
