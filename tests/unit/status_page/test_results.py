"""Tests of `restic_reporter.status_page.results`, and where its parts are on the pages."""

import re
from urllib.parse import quote

from attrs import evolve

from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.model.results import Result
from restic_reporter.status_page.results import failed, last_proof
from tests.doubles.repositories import NOW
from tests.doubles.status_world import DAY, HOSTILE, HOUR, READER, small_fleet
from tests.doubles.statuses import state_of, status
from tests.unit.status_page.test_pages import StatusPageCase, Text

SERVERS = "rest:https://backup.example.org/servers"
OFFICE = "b2:offsite-backups:office"


def page(url: str) -> str:
    """The path of a repository's page."""
    return f"/repository?url={quote(url, safe='')}"


def never_read() -> RepositoryStatus:
    """A repository that was never read."""
    one = status("/p", success=None)
    one.task = evolve(one.task, reader=READER)
    return one


class ResultsTests(StatusPageCase):
    """Checks and other jobs on the pages."""

    async def test_repository(self) -> None:
        """The page has the latest job of each kind, and since when it is proven restorable."""
        self.use(small_fleet(NOW))
        text = await self.text(page(SERVERS))
        self.assertIn("Last proven restorable 12 days ago, by a restore", text)
        self.assertIn(
            "Job Ended Outcome Status Check 2 days ago Successful Prune 3 days ago Successful"
            " Restore 12 days ago Successful",
            text,
        )
        self.assertNotIn("Failed", text)

    async def test_failed(self) -> None:
        """A failed job shows on the page, in the list, and on the main page."""
        self.use(small_fleet(NOW))
        text = await self.text(page(OFFICE))
        self.assertIn("Readable Check failed Backend", text)
        self.assertIn("Last proven restorable \N{EN DASH}", text)
        self.assertIn("Check 5 h ago Failed exit status 1 pack 8047a9f5: wrong hash <script>", text)
        self.assertNotIn(b"<script>alert", (await self.ask(page(OFFICE))).body)
        listed = await self.text("/repositories")
        self.assertIn("Readable Check failed b2: offsite-backups: office", listed)
        # After the one that cannot be read, before the others.
        states = re.findall("Unreadable|(?:Check|Backup) failed|Readable (?=rest)", listed)
        self.assertEqual(
            states, ["Unreadable", "Backup failed", "Check failed", "Readable ", "Readable "]
        )
        body = (await self.ask("/")).body
        self.assertIn("2 repositories with failed jobs", str(Text(body)))
        self.assertIn("repositories", Text(body).links)

    async def test_none(self) -> None:
        """Without results nothing of them is shown; results without a repository count nowhere."""
        state = state_of([never_read()])
        state.results = {"/gone": {"check": Result("check", NOW, 1)}}
        self.use(state)
        self.assertNotIn("failed jobs", await self.text("/"))
        text = await self.text(page("/p"))
        for part in ("restorable", "other jobs"):
            self.assertNotIn(part, text)

    async def test_never_read(self) -> None:
        """A repository that was never read shows its jobs, with a message whatever it has."""
        state = state_of([never_read()])
        state.results = {"/p": {"prune": Result("prune", NOW - HOUR, 11, HOSTILE)}}
        self.use(state)
        text = await self.text(page("/p"))
        self.assertIn("Not read yet Prune failed", text)
        self.assertNotIn("restorable", text)
        self.assertNotIn(b"<script>alert", (await self.ask(page("/p"))).body)

    def test_proof(self) -> None:
        """A successful restore is the proof, however old; else a successful check."""
        good, bad = Result("restore", NOW - 90 * DAY, 0), Result("restore", NOW, 1)
        check = Result("check", NOW - DAY, 0)
        for results, expected in (
            ((good, check), "restore"),
            ((bad, check), "check"),
            ((evolve(bad, success_before=NOW - 90 * DAY), check), "restore"),
            ((check,), "check"),
        ):
            found = last_proof({one.kind: one for one in results}, NOW)
            assert isinstance(found, list)
            self.assertEqual(found[1], f", by a {expected}")
        self.assertEqual(last_proof({"restore": bad}, NOW), "\N{EN DASH}")
        self.assertEqual(last_proof({"copy": Result("copy", NOW, 0)}, NOW), "")
        self.assertEqual([failed({"restore": one}) for one in (good, bad)], [False, True])
