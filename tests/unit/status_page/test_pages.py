"""Tests of the status page over real connections."""

import gzip
import re
from html.parser import HTMLParser
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList

from restic_reporter.collection.state import CollectionState, Locks, PastRead, RepositoryStatus
from restic_reporter.model.access import Access
from restic_reporter.model.errors import Reason
from restic_reporter.model.freshness import Freshness, Limit
from restic_reporter.model.snapshots import Listing, Lock
from restic_reporter.readers.access import SeenAccess
from restic_reporter.status_page import fleet, rows
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW
from tests.doubles.status_world import (
    HOSTILE,
    large_fleet,
    resources,
    small_fleet,
)
from tests.doubles.statuses import DAY, backups, state_of, status
from tests.doubles.web_clients import Response, SiteTestCase, reactor

NAS = "/repository?url=rest%3Ahttps%3A%2F%2Fnas.example.org%3A8000%2Fphotos"


class Text(HTMLParser):
    """The text of a page, and all values of some attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag and its links."""
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        """Note the words."""
        self.words += data.split()

    def __str__(self) -> str:
        return " ".join(self.words).replace(" ,", ",")


class StatusPageCase(SiteTestCase):
    """A site with the pages of a fleet."""

    def use(self, state: CollectionState) -> None:
        """Serve the pages of this state."""
        self.state = state
        self.serve(pages=resources(reactor, state, NOW))

    async def text(self, path: str) -> str:
        """The words of a page."""
        response = await self.ask(path)
        self.assertEqual(response.status, 200)
        return str(Text(response.body))


class OverviewTests(StatusPageCase):
    """Tests for the main page."""

    async def test_summary(self) -> None:
        """The page says how many sets are in which state, and when collections are."""
        self.enterContext(local_time("UTC"))
        self.use(small_fleet(NOW))
        text = await self.text("/")
        for part in (
            "5 backup sets need attention",
            "26 backup sets in 5 repositories",
            "last collection 4 min ago, took 4.2 s",
            "next in 50 min",
            "26 All 2 Late 1 Absent 2 Unreadable 3 No limit 18 Fine 1 Retired",
        ):
            self.assertIn(part, text)

    async def test_running(self) -> None:
        """During a collection the page says how much is left."""
        state = small_fleet(NOW)
        state.job.running, state.job.left = True, 3
        self.use(state)
        text = await self.text("/")
        self.assertIn("running now, 3 repositories left", text)
        self.assertNotIn("next in", text)

    async def test_headlines(self) -> None:
        """The headline is true also without sets, without limits and without a read."""
        for state, headline in (
            (CollectionState(), "No backup sets"),
            (state_of([status("/p", success=None)]), "Waiting for the first read"),
            (state_of([status("/p", backups("a", 1))]), "1 backup set, none with a limit"),
            (state_of([status("/p", success=False)]), "1 backup set needs attention"),
        ):
            self.use(state)
            self.assertIn(headline, await self.text("/"))

    async def test_selection(self) -> None:
        """Filter, state, order and page are in the URL; links keep them."""
        self.use(small_fleet(NOW))
        text = await self.text("/?q=WEB&state=late")
        self.assertIn("1 backup set · late · with WEB", text)
        response = await self.ask("/?q=%3Cscript%3E&sort=-age")
        links = Text(response.body).links
        self.assertIn("./?q=%3Cscript%3E&sort=age", links)
        self.assertIn("./?q=%3Cscript%3E&state=late&sort=-age", links)
        self.assertIn(b'aria-sort="descending"', response.body)

    async def test_last_page(self) -> None:
        """A page number beyond the last gives the last page, others the first."""
        self.use(large_fleet(NOW, 5, 50))
        for number, shown in (("99", "3"), ("-1", "1"), ("x", "1"), ("2", "2")):
            self.assertIn(f"Page {shown} of 3", await self.text(f"/?page={number}"))

    async def test_odd_queries(self) -> None:
        """Any query gets a page."""
        self.use(small_fleet(NOW))
        for query in ("", "&", "q", "q=%ff%00%ED%A0%80", "=", "&".join("q=a" for _ in range(99))):
            self.assertEqual((await self.ask(f"/?{query}")).status, 200)

    async def test_change(self) -> None:
        """The page follows the state; it never reads a repository itself."""
        limit = Freshness(Limit(max_age=2 * DAY))
        state = state_of([status("/p", backups("a", 1), freshness=limit)])
        self.use(state)
        self.assertIn("is fine", await self.text("/"))
        (one,) = state.statuses.values()
        one.success = False
        self.use(state)
        self.assertIn("1 backup set needs attention", await self.text("/"))


class RepositoryTests(StatusPageCase):
    """Tests for the page of a repository, and the list of all."""

    async def test_page(self) -> None:
        """The page shows the reads with reasons, the snapshots, groups, locks and costs."""
        self.use(small_fleet(NOW))
        text = await self.text(NAS)
        for part in (
            "connection to nas.example.org:8000 refused; is the server running? network",
            "Backend rest Reader native",
            "Last good read 3 h 5 min ago",
            "Page 1 of 2",
            "archive root /etc,/srv",
            "Stale",
            "list 24 186 KiB",
        ):
            self.assertIn(part, text)

    async def test_keys(self) -> None:
        """The names of known key files are shown, whole on hover."""
        state = small_fleet(NOW)
        keys = frozenset(f"{number:064x}" for number in (0xAB << 248, 0xCD << 248))
        for one in state.statuses.values():
            one.access = SeenAccess.of(Access(keys, b"x"), Listing(frozenset()), 0.0)
        self.use(state)
        self.assertIn("Keys ab000000 cd000000", await self.text(NAS))
        self.assertIn(f'title="{min(keys)}"'.encode(), (await self.ask(NAS)).body)

    async def test_locks(self) -> None:
        """Who holds a lock is shown if it was read, else its time; of many the oldest."""
        state = small_fleet(NOW)
        self.use(state)
        self.assertIn("5 h old web-01 root 4711 exclusive Stale", await self.text(NAS))
        self.assertIn("4 min old db-main-01 postgres 1234567 shared In use", await self.text(NAS))
        self.assertIn("Format version 2 Key files 2 Newest key 400 days ago", await self.text(NAS))
        some = Locks(2, (2, "2"), (NOW - 60, NOW - 7200))
        for locks, shown in (
            (some, "2 h old Stale"),
            (evolve(some, count=200, oldest=(Lock(NOW - 60, "\N{HEBREW LETTER ALEF}"),)),
             "There are 200 locks."),
            (Locks(2, (2, "2")), "2 locks; the times are unknown."),
            (Locks(0, (0, "0")), "No locks."),
        ):  # fmt: skip
            for one in state.statuses.values():
                one.locks = locks
            self.use(state)
            self.assertIn(shown, await self.text(NAS))

    async def test_snapshots(self) -> None:
        """Snapshots are paged, newest first, with the whole id on hover."""
        self.use(small_fleet(NOW))
        first, second = (await self.ask(NAS)).body, (await self.ask(f"{NAS}&page=2")).body
        ids = [re.findall(rb'title="([0-9a-f]{64})"', page) for page in (first, second)]
        self.assertEqual(len(ids[0]), 50)
        table = self.state.statuses["rest:https://nas.example.org:8000/photos"].table
        self.assertEqual(len({*ids[0], *ids[1]}), len(table))
        self.assertIn(b"Page 2 of 2", second)
        self.assertEqual((await self.ask(f"{NAS}&page=99")).body, second)

    async def test_never_read(self) -> None:
        """A repository that was never read, or only in vain, has a page."""
        one = status("/p", success=False)
        one.task = evolve(
            one.task, reader=next(iter(small_fleet(NOW).statuses.values())).task.reader
        )
        one.reads.append(PastRead(NOW, 1.0, 0, Reason.AUTH, "wrong password"))
        self.use(state_of([one]))
        self.assertIn("wrong password auth", await self.text("/repository?url=%2Fp"))
        self.assertIn("sets unknown", await self.text("/"))
        one.success = None
        one.reads.clear()
        self.assertIn("Not read yet", await self.text("/repository?url=%2Fp"))

    async def test_unknown(self) -> None:
        """An unknown repository is a 404 that does not repeat its name."""
        self.use(small_fleet(NOW))
        for path in ("/repository", "/repository?url=%3Cb%3Enone", "/repository?url="):
            response = await self.ask(path)
            self.assertEqual(response.status, 404)
            self.assertEqual(response.headers["content-type"], "text/html; charset=utf-8")
            self.assertNotIn(b"none", response.body)

    async def test_list(self) -> None:
        """All repositories, the unreadable ones first, each with a link that works."""
        self.use(small_fleet(NOW))
        response = await self.ask("/repositories")
        links = [link for link in Text(response.body).links if link.startswith("repository?")]
        self.assertEqual(f"/{links[0]}", NAS)
        self.assertEqual(len(links), 5)
        for link in links:
            self.assertEqual((await self.ask(f"/{link}")).status, 200)


class SafetyTests(StatusPageCase):
    """Tests for hostile names, headers and load."""

    async def test_hostile_names(self) -> None:
        """Names are shown as they are, isolated, and are never markup."""
        evil = (HOSTILE, "x" * 255, "\u202e" * 255, "\x00{}%s&lt;", "<!--", "]]>", "'\" onload=x")
        one = status(f"/{HOSTILE}", *(backups(name, 1, user=name) for name in evil), success=False)
        one.task = evolve(
            one.task, reader=next(iter(small_fleet(NOW).statuses.values())).task.reader
        )
        one.reads.append(PastRead(NOW, 1.0, 0, Reason.NETWORK, HOSTILE))
        self.use(state_of([one]))
        for path in ("/", f"/?q={'%3Cscript%3E'}", "/repositories"):
            body = (await self.ask(path)).body
            self.assertNotIn(b"<script>", body)
            self.assertNotIn(b"onload=x'", body)
        page = Text((await self.ask("/")).body)
        self.assertIn("<script>alert(1)</script>\"'&amp;", str(page))
        link = next(link for link in page.links if link.startswith("repository?"))
        body = (await self.ask(f"/{link}")).body
        self.assertNotIn(b"<script>", body)
        self.assertIn("<bdi>\u202e", body.decode())

    async def test_headers(self) -> None:
        """The policy allows only what the exporter serves; nothing on the page needs more."""
        self.use(small_fleet(NOW))
        for path in ("/", "/repositories", NAS, "/repository"):
            response = await self.ask(path)
            policy = response.headers["content-security-policy"]
            self.assertTrue(policy.startswith("default-src 'none'; style-src 'self'"), policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(response.headers["cache-control"], "no-cache")
            self.assertEqual(response.headers["referrer-policy"], "no-referrer")
            self.assertEqual(response.headers["x-content-type-options"], "nosniff")
            self.assertEqual(response.headers["vary"], "Accept-Encoding")
            self.assertNotRegex(response.body, rb" (style|on[a-z]+)=")
            page = Text(response.body)
            self.assertNotIn("style", page.tags)
            for link in page.links:
                self.assertNotRegex(link, "^(//|[a-z]+:)")

    async def test_assets(self) -> None:
        """Style, script and icon are served with addresses that may be kept for long."""
        self.use(small_fleet(NOW))
        links = Text((await self.ask("/")).body).links
        kinds = {}
        for link in links:
            if link.startswith("static/"):
                response = await self.ask(f"/{link}")
                self.assertEqual(response.status, 200)
                self.assertIn("immutable", response.headers["cache-control"])
                packed = await self.ask(f"/{link}", "Accept-Encoding: gzip")
                self.assertEqual(gzip.decompress(packed.body), response.body)
                self.assertRegex(link, r"\?[0-9a-f]{8}$")
                kinds[link.partition("?")[0]] = response.headers["content-type"]
        self.assertEqual(
            kinds,
            {
                "static/style.css": "text/css; charset=utf-8",
                "static/script.js": "text/javascript; charset=utf-8",
                "static/icon.svg": "image/svg+xml",
            },
        )

    async def test_head_and_gzip(self) -> None:
        """HEAD gets the headers of GET; the page is compressed where the client takes that."""
        self.use(small_fleet(NOW))
        for path in ("/", NAS, "/repositories"):
            plain = await self.ask(path)
            packed = await self.ask(path, "Accept-Encoding: gzip")
            self.assertEqual(gzip.decompress(packed.body), plain.body)
            head = await self.ask(path, method="HEAD")
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.length, plain.length)
            self.assertEqual((await self.ask(path, method="POST")).status, 405)

    async def test_shared(self) -> None:
        """Viewers who come at one time share the work, whatever each has selected."""
        made = []

        def counted(one: RepositoryStatus) -> list[rows.SetRow]:
            made.append(one)
            return rows.repository_rows(one)

        self.patch(fleet, "repository_rows", counted)
        self.use(large_fleet(NOW, 20, 50))
        asked: list[Any] = [self.ask(f"/?sort={sort}") for sort in ("age", "host", "size") * 5]
        outcomes = await DeferredList(
            [Deferred.fromCoroutine(one) for one in asked], fireOnOneErrback=True
        )
        responses: list[Response] = [response for _, response in outcomes]
        self.assertEqual({response.status for response in responses}, {200})
        self.assertEqual(len({response.body for response in responses}), 3)
        self.assertEqual(len(made), 20)
