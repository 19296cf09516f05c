"""Tests of `restic_reporter.pings.pinger`, with HTTP servers on real sockets."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from restic_reporter.collection.state import PastRead, RepositoryStatus
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.freshness import Freshness, Limit
from restic_reporter.pings import pinger
from restic_reporter.pings.pinger import Pinger, fail_url
from restic_reporter.redaction.secret import Secret
from tests.doubles.hostile import HostileServer
from tests.doubles.http_case import ServerCase, reactor
from tests.doubles.ping_service import Ping, PingService
from tests.doubles.repositories import NOW
from tests.doubles.statuses import DAY, backups, status

TOKEN = "0e1d2c3b-4a59-s3cret"
PATH = f"/{TOKEN}?a=%20b"


class PingerCase(ServerCase):
    """A pinger, a service, and what is logged."""

    def setUp(self) -> None:
        super().setUp()
        self.pinger = Pinger(reactor, lambda: NOW, self.client)
        self.addCleanup(self.pinger.stop)
        self.service = PingService()
        self.addCleanup(self.service.close)
        self.lines: list[str] = []
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: Any) -> None:
        if event.get("log_namespace", "").startswith("restic_reporter"):
            self.lines.append(f"{event['log_level'].name}: {formatEvent(event)}")

    def said(self) -> list[str]:
        """What was logged since the last time; no secret is in it."""
        lines, self.lines = self.lines, []
        self.assertNotIn(TOKEN, " ".join(lines))
        return lines

    def watched(
        self, label: str = "/p", age: float = 0.5, server: HostileServer | None = None
    ) -> RepositoryStatus:
        """A repository with one set of that age in days, of which one is allowed."""
        one = status(label, backups("web", age), freshness=Freshness(Limit(max_age=DAY)))
        url = f"http://127.0.0.1:{server.port}{PATH}" if server else self.service.url(PATH)
        entry = evolve(one.task.repository, ping_url=Secret(url))
        one.task = evolve(one.task, repository=entry)
        return one

    def read(self, one: RepositoryStatus) -> None:
        """Ping after another read of this one."""
        one.reads.append(PastRead(NOW, 1.0, 1))
        self.pinger.note(one)

    async def ping(self, *some: RepositoryStatus) -> list[Ping]:
        """Ping for these; what has come when that has ended."""
        for one in some:
            self.read(one)
        for work in list(self.pinger._working.values()):
            await work
        return self.service.all()


class PingTests(PingerCase):
    """What is sent."""

    async def test_fresh(self) -> None:
        """While all is well the URL is requested as it is, once for each read."""
        for _ in range(2):
            self.assertEqual(await self.ping(self.watched()), [Ping("GET", PATH)])
        self.assertEqual(self.said(), [])

    async def test_other_changes(self) -> None:
        """Whatever changes between two reads, such as the result of a check, sends nothing."""
        one = self.watched()
        self.pinger.note(one)
        self.assertEqual(await self.ping(one), [Ping("GET", PATH)])
        for _ in range(2):
            self.pinger.note(one)
        self.assertEqual(len(await self.ping(one)), 1)

    async def test_failed(self) -> None:
        """Else the reason is posted to ``/fail``, until it has gone."""
        [ping] = await self.ping(self.watched(age=2))
        self.assertEqual((ping.method, ping.path), ("POST", f"/{TOKEN}/fail?a=%20b"))
        self.assertEqual(ping.type, "text/plain; charset=utf-8")
        self.assertTrue(ping.body.startswith("web root: late, newest backup "), ping)
        self.assertEqual(await self.ping(self.watched()), [Ping("GET", PATH)])

    async def test_no_secret(self) -> None:
        """The reason shows no secret of the entry."""
        one = self.watched()
        one.success, one.error = False, ReadError(Reason.AUTH, "wrong password 'sesame'")
        [ping] = await self.ping(one)
        self.assertEqual(ping.body, "cannot read /p: wrong password '***' (auth)")

    async def test_entries(self) -> None:
        """Each entry with the URL is pinged for, those without one are not."""
        without = self.watched("/q")
        entry = evolve(without.task.repository, ping_url=None)
        without.task = evolve(without.task, repository=entry)
        pings = await self.ping(self.watched(), without, self.watched("/r"))
        self.assertEqual(pings, [Ping("GET", PATH)] * 2)

    async def test_latest_state(self) -> None:
        """While a ping is under way only the latest state waits for the next one."""
        self.read(self.watched())
        for age in (3, 2, 0.1):
            self.read(self.watched(age=age))
        self.assertEqual(await self.ping(), [Ping("GET", PATH)] * 2)

    def test_fail_url(self) -> None:
        """``/fail`` ends the path, before a query."""
        for url, expected in (
            ("https://h/a", "https://h/a/fail"),
            ("https://h/a/", "https://h/a/fail"),
            ("https://h", "https://h/fail"),
            ("https://h/a?b=/c?d", "https://h/a/fail?b=/c?d"),
            ("https://h?x", "https://h/fail?x"),
        ):
            self.assertEqual(fail_url(url), expected)


class FaultTests(PingerCase):
    """Services that do not answer well."""

    async def test_once(self) -> None:
        """A failure is logged once, until it is another one, and its end too."""
        redirect = f"redirect (301) to 'http://{self.service.address}' not followed (redirect)"
        for number, text in (
            (404, "ping_url: not found (status 404) (not_found)"),
            (404, ""),
            (403, "ping_url: credentials refused (status 403) (auth)"),
            (301, f"ping at {self.service.address}: {redirect}"),
        ):
            self.service.status = number
            self.assertEqual(len(await self.ping(self.watched())), 1)
            expected = [f"warn: cannot send the ping of /p: {text}"] if text else []
            self.assertEqual(self.said(), expected)
        self.service.status = 200
        await self.ping(self.watched())
        self.assertEqual(self.said(), ["info: the ping of /p was sent again"])

    async def test_retries(self) -> None:
        """A service that fails for a moment gets the ping all the same."""
        self.service.answers = [503, 500]
        pings = await self.ping(self.watched(age=2))
        self.assertEqual([one.method for one in pings], ["POST"] * 3)
        self.assertEqual(self.said(), [])

    async def test_broken(self) -> None:
        """A broken connection is tried again, with or without a reason in the request."""
        server = await self.serve(lambda connection: connection.reset())
        for age in (0.5, 2):
            server.requests.clear()
            await self.ping(self.watched(age=age, server=server))
            self.assertEqual(len(server.requests), 3)

    async def test_down(self) -> None:
        """Nobody listens."""
        server = await self.serve(lambda connection: None)
        await server.stop()
        await self.ping(self.watched(server=server))
        [line] = self.said()
        self.assertIn("cannot connect", line)
        self.assertIn("(network)", line)

    async def test_hanging(self) -> None:
        """A service that hangs is given up."""
        self.patch(pinger, "PING_TIMEOUT", 0.2)
        server = await self.serve(lambda connection: None)
        await self.ping(*(self.watched(f"/{number}", server=server) for number in range(12)))
        lines = self.said()
        self.assertEqual(len(lines), 12)
        for line in lines:
            self.assertRegex(line, r"timed out after \d\.\d s \(timeout\)")
        self.assertEqual(len(server.requests), 12)
        await server.all_closed()

    async def test_others(self) -> None:
        """A service that hangs holds up no other one, and has few connections."""
        server = await self.serve(lambda connection: None)
        for number in range(12):
            self.read(self.watched(f"/{number}", server=server))
        self.read(self.watched("/good"))
        await self.pinger._working["/good"]
        self.assertEqual(len(self.service.all()), 1)
        self.assertLessEqual(len(server.connections), 4)

    async def test_stop(self) -> None:
        """At the stop all is given up at once, and nothing is sent after it."""
        asked: Deferred[None] = Deferred()
        server = await self.serve(lambda connection: None if asked.called else asked.callback(None))
        for number in range(12):
            self.read(self.watched(f"/{number}", server=server))
        await asked
        self.pinger.stop()
        self.assertEqual(self.pinger._working, {})
        await server.all_closed()
        self.assertLessEqual(len(server.requests), 4)
        self.assertEqual(await self.ping(self.watched()), [])
        self.assertEqual(self.said(), [])

    async def test_flood(self) -> None:
        """An endless answer ends the request."""
        server = await self.serve(lambda connection: connection.flood(b"x" * 1000))
        await self.ping(self.watched(server=server))
        [line] = self.said()
        self.assertIn("cannot send the ping of /p: ping at", line)
