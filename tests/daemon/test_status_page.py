"""The status page of the whole daemon."""

import html
import json
import re
from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, status_of
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, snapshots


class StatusPageTests(SynchronousTestCase):
    """A daemon with a real repository, looked at by a person."""

    def test_pages(self) -> None:
        """The pages show the sets and all snapshots of a real repository, and a failed read."""
        folder = Folder()
        self.addCleanup(folder.close)
        repository = copy_example(folder.path / "repo")
        expected = [{"host": "nowhere"}]
        entry = {"repo": "repo", "password": EXAMPLE_PASSWORD, "expect": expected}
        daemon = Daemon(folder, [entry], "--reader=native").serving()
        known = snapshots(repository)
        page = daemon.get("/")
        for one in known:
            self.assertIn(one["hostname"], page)
        self.assertRegex(page, r"[1-9] backup sets? needs? attention")
        (link, *_) = re.findall(r'"(repository\?[^"]+)"', page)
        path = f"/{html.unescape(link)}"
        pages = [daemon.get(f"{path}&page={number}") for number in (1, 2)]
        found = [re.findall('title="([0-9a-f]{64})"', page) for page in pages]
        keys = [one.name for one in (repository / "keys").iterdir()]
        for some in found:
            self.assertEqual([some.pop(0) for _ in keys], keys)
        self.assertEqual(len(found[0]), 50)
        newest = sorted(known, key=lambda one: datetime.fromisoformat(one["time"]), reverse=True)
        self.assertEqual([*found[0], *found[1]], [one["id"] for one in newest])
        self.assertIn("native", pages[0])
        self.assertEqual(status_of(daemon.address, "/repository?url=other"), 404)
        (repository / "config").unlink()
        (repository / "config").write_bytes(json.dumps({}).encode())
        daemon.collect()
        self.assertIn("Unreadable", daemon.get("/repositories"))
        self.assertIn('class="error"', daemon.get(path))
