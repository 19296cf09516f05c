"""Tests of the matrix of copies on the status page, over real connections."""

import re
from collections.abc import Iterator
from math import inf
from urllib.parse import quote

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.state import CollectionState, CopyStatus
from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.copies import SetCopy
from restic_reporter.status_page.copy_rows import CopySelection, CopyState, copy_rows, state_of
from tests.doubles.copied_fleet import (
    DATABASES,
    LAB,
    SERVERS,
    add_copies,
    copied_fleet,
    large_copied_fleet,
)
from tests.doubles.repositories import NOW
from tests.doubles.status_world import resources, small_fleet
from tests.doubles.statuses import DAY, backups, status
from tests.doubles.statuses import state_of as state_with
from tests.doubles.web_clients import SiteTestCase, reactor
from tests.unit.status_page.test_pages import Text


class StateTests(SynchronousTestCase):
    """The state of one copy."""

    def test_states(self) -> None:
        """A copy may be two days behind; holes are told apart from what only waits."""
        for found, state in (
            (None, CopyState.UNKNOWN),
            (SetCopy(0.0, 0), CopyState.COMPLETE),
            (SetCopy(0.0, 1), CopyState.INCOMPLETE),
            (SetCopy(DAY, 5, NOW - 2 * DAY), CopyState.BEHIND),
            (SetCopy(DAY, 5, NOW - 2 * DAY - 1), CopyState.LATE),
            # A weekly backup was just made.
            (SetCopy(7 * DAY, 1, NOW - 60), CopyState.BEHIND),
            (SetCopy(inf, 1, NOW - 60), CopyState.BEHIND),
            (SetCopy(inf, 9, NOW - 9 * DAY), CopyState.NONE),
        ):
            self.assertEqual(state_of(found, NOW), state)


class RowsTests(SynchronousTestCase):
    """The rows of the matrix."""

    def rows(self, state: CollectionState) -> Iterator[tuple[str, str, list[str]]]:
        """Host, repository and the state of each copy."""
        for row in at_once(copy_rows(state.statuses, NOW)):
            yield row.backups.host, row.url, [str(one.state) for one in row.copies]

    def test_order(self) -> None:
        """The worst is first, then what waits longest."""
        rows = list(self.rows(copied_fleet(NOW, "odd")))
        self.assertEqual(
            rows[:5],
            [
                ("proxy-02", SERVERS, ["none", "complete"]),
                ("odd", LAB, ["late"]),
                ("web-03", SERVERS, ["late", "behind"]),
                ("web-05", SERVERS, ["incomplete", "behind"]),
                ("web-01", SERVERS, ["complete", "behind"]),
            ],
        )
        self.assertEqual({str(one) for one in rows[-1][2]}, {"complete"})
        # Repositories without copies are not in it, nor are sets that are retired.
        self.assertEqual({url for _, url, _ in rows}, {SERVERS, DATABASES, LAB})
        self.assertNotIn("web-00", {host for host, *_ in rows})

    def test_unreadable(self) -> None:
        """A copy that is read seldom is judged as of its last good read; a broken one as of now."""
        state = state_with([status("/p", backups("a", 3)), status("/copy")])
        add_copies(state, "/p", **{"/copy": {"a": SetCopy(inf, 1, NOW - 3 * DAY)}})
        copy = state.statuses["/copy"]
        copy.last_success = NOW - 2 * DAY
        self.assertEqual(next(self.rows(state))[2], ["behind"])
        copy.success = False
        self.assertEqual(next(self.rows(state))[2], ["none"])

    def test_no_snapshot(self) -> None:
        """A set without a valid snapshot has nothing to copy."""
        state = state_with([status("/p", backups("a"), backups("b", 1))])
        add_copies(state, "/p", **{"/copy": {}})
        self.assertEqual([host for host, *_ in self.rows(state)], ["b"])

    def test_steps(self) -> None:
        """Many rows are made in many steps."""
        steps = list(copy_rows(large_copied_fleet(NOW, 10, 200).statuses, NOW))
        self.assertGreaterEqual(len(steps), 8)


class PageTests(SiteTestCase):
    """The page."""

    def use(self, state: CollectionState) -> None:
        """Serve the pages of this state."""
        self.state = state
        self.serve(pages=resources(reactor, state, NOW))

    async def text(self, path: str = "/copies") -> str:
        """The words of a page."""
        response = await self.ask(path)
        self.assertEqual(response.status, 200)
        return str(Text(response.body))

    async def test_without(self) -> None:
        """Without copies in the config there is no page, and no link to it."""
        self.use(small_fleet(NOW))
        response = await self.ask("/copies")
        self.assertEqual(response.status, 404)
        self.assertIn("No entry of the config has the key copies", str(Text(response.body)))
        for path in ("/", "/repositories"):
            self.assertNotIn("copies", Text((await self.ask(path)).body).links)

    async def test_link(self) -> None:
        """With copies, each page has a link to it."""
        self.use(copied_fleet(NOW))
        for path in ("/", "/repositories", "/copies", "/repository"):
            self.assertIn("copies", Text((await self.ask(path)).body).links)
        self.assertIn(b'href="copies" aria-current="page"', (await self.ask("/copies")).body)

    async def test_from_the_repository(self) -> None:
        """The page of a repository leads to its own rows."""
        self.use(copied_fleet(NOW))
        links = Text((await self.ask(f"/repository?url={quote(DATABASES)}")).body).links
        (link,) = [one for one in links if one.startswith("copies?")]
        text = await self.text(f"/{link}")
        self.assertIn("4 backup sets · with rest:https://backup.example.org/databases", text)

    async def test_page(self) -> None:
        """The page says how many sets need attention, and what is wrong with which copy."""
        self.use(copied_fleet(NOW))
        text = await self.text()
        for part in (
            "Copies of 4 backup sets need attention",
            "18 All 1 No copy 2 Late 1 Incomplete 8 Behind 1 Unknown",
            "No copy waits 40 days · 30 missing",
            "Late 3 days 2 h behind · waits 2 days 21 h · 3 missing",
            "Incomplete 2 missing",
            "Behind 1 day behind · waits 5 h · 1 missing",
            "Unknown not compared yet",
            "Complete as of its last good read",
        ):
            self.assertIn(part, text)

    async def test_headlines(self) -> None:
        """The headline is true for one set too, and when all is well."""
        one = [status("/p", backups("a", 1))]
        for odd, headline in (
            ({}, "Copies of 1 backup set are complete"),
            ({"a": SetCopy(0.0, 1)}, "Copies of 1 backup set need attention"),
            ({"a": None}, "Copies of 1 backup set"),
        ):
            state = state_with(one)
            add_copies(state, "/p", **{"/copy": odd})
            self.use(state)
            self.assertIn(f" {headline} 1 All", await self.text())

    async def test_columns(self) -> None:
        """A column is named by its copy if all rows have the same, else each cell names it."""
        self.use(copied_fleet(NOW))
        columns = re.compile(rb"<thead .*?</thead>", re.S)
        page = (await self.ask("/copies?q=servers")).body
        (head,) = columns.findall(page)
        self.assertEqual(
            Text(head).links,
            [
                "repository?url=b2%3Aoffsite-backups%3Aservers",
                "repository?url=sftp%3Avault.example.net%3A%2Fsrv%2Fservers",
            ],
        )
        page = (await self.ask("/copies")).body
        self.assertIn("Copy 1 sftp:", str(Text(columns.findall(page)[0])))

    async def test_selection(self) -> None:
        """Words and a state select rows; the links keep them."""
        self.use(copied_fleet(NOW))
        text = await self.text("/copies?q=WEB&state=late")
        self.assertIn("1 backup set · late · with WEB", text)
        links = Text((await self.ask("/copies?q=web&state=late")).body).links
        self.assertIn("copies?q=web&state=behind", links)
        self.assertIn("No backup set matches.", await self.text("/copies?q=nothing"))
        self.assertIn("18 backup sets", await self.text("/copies?state=absurd&page=x"))
        # The name of a copy is found too.
        self.assertIn("11 backup sets", await self.text("/copies?q=vault.example"))

    async def test_pages(self) -> None:
        """A thousand sets have ten pages."""
        self.use(large_copied_fleet(NOW, 1, 1000))
        text = await self.text("/copies?page=10")
        self.assertIn("1,000 All", text)
        self.assertIn("Page 10 of 10", text)
        self.assertIn("copies?page=9", Text((await self.ask("/copies?page=10")).body).links)

    async def test_nothing_read(self) -> None:
        """Before the first read the page says so."""
        one = status("/p", success=None)
        one.task = evolve(one.task, repository=evolve(one.task.repository, copies=("/copy",)))
        self.use(state_with([one]))
        self.assertIn("No backup set has been read yet.", await self.text())

    async def test_removed_copy(self) -> None:
        """A copy that left the config is not shown, though it was compared."""
        state = copied_fleet(NOW)
        one = state.statuses[SERVERS]
        one.copies = {**one.copies, "/old": CopyStatus("", {})}
        self.use(state)
        links = Text((await self.ask("/copies")).body).links
        self.assertIn("repository?url=sftp%3Avault.example.net%3A%2Fsrv%2Fservers", links)
        self.assertNotIn("repository?url=%2Fold", links)

    async def test_hostile_names(self) -> None:
        """Names are never markup."""
        self.use(copied_fleet(NOW))
        body = (await self.ask("/copies?q=%3Cscript%3E")).body
        self.assertNotIn(b"<script>", body)
        self.assertIn(b"&lt;script&gt;", body)


class SelectionTests(SynchronousTestCase):
    """`CopySelection`."""

    def test_links(self) -> None:
        """What is usual is not in the URL."""
        self.assertEqual(CopySelection().link(), "copies")
        one = CopySelection.of({"q": " a  b ", "state": "late", "page": "3"})
        self.assertEqual(one.link(), "copies?q=a+b&state=late&page=3")
        self.assertEqual(one.link(state="", page=1), "copies?q=a+b")
