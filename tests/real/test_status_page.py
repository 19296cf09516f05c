"""Tests of the status page in a real browser: headless Chromium, with axe-core."""

import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.browser import Browser
from tests.doubles.programs import ROOT, Folder
from tests.doubles.tools import tool

BROKEN = "repository?url=rest%3Ahttps%3A%2F%2Fnas.example.org%3A8000%2Fphotos"

# All rules of WCAG 2.2 AA, and axe's own good practice.
AXE = """axe.run({runOnly: [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
.then(found => ({
    passed: found.passes.length,
    violations: found.violations.map(one => `${one.id}: ${one.nodes[0].html} ${one.help}`),
}))"""

FOCUS = "document.activeElement.outerHTML.split('>')[0]"


class BrowserTests(SynchronousTestCase):
    """What a person sees and does."""

    def setUp(self) -> None:
        self.serve()
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def serve(self, *options: str) -> None:
        """Start a server; it ends with the test."""
        folder = Folder()
        self.addCleanup(folder.close)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TZ": "UTC"}
        command = [sys.executable, "-m", "tests.doubles.status_server", *options]
        server = folder.run(command, environment)
        self.address = server.wait_for(r"listening on (\S+)")[1]

    def hosts(self) -> list[str]:
        """The hosts of the table, in its order."""
        script = "[...document.querySelectorAll('tbody th.host')].map(one => one.innerText)"
        found: list[str] = self.browser.run(script)
        return found

    def test_accessible(self) -> None:
        """axe-core finds nothing, light and dark, wide and narrow; nothing is asked of others."""
        browser = self.browser
        for path, width, dark in (
            ("", 1280, False),
            ("", 390, True),
            (BROKEN, 390, False),
            (BROKEN, 1280, True),
        ):
            browser.look(width, 900, dark, mobile=width < 600)
            browser.open(self.address + path)
            browser.run(Path(tool("axe.min.js")).read_text() + ";0")
            found = browser.run(AXE)
            self.assertEqual(found["violations"], [], (path, width, dark))
            self.assertGreater(found["passed"], 20)
            # Nothing sticks out at the side.
            self.assertEqual(browser.run("document.documentElement.scrollWidth"), width)
        for width in (320, 800, 1030, 1900):
            browser.look(width)
            for path in ("", BROKEN, "repositories"):
                browser.open(self.address + path)
                self.assertEqual(browser.run("document.documentElement.scrollWidth"), width)
        self.assertEqual(browser.complaints(), [])
        others = [one for one in browser.requests() if not one.startswith(self.address)]
        self.assertEqual(others, ["about:blank"] * len(others))

    def test_keyboard(self) -> None:
        """With the keys alone: skip to the content, filter, and sort; without scripts too."""
        browser = self.browser
        browser.look()
        browser.without_script()
        browser.open(self.address)
        browser.tab()
        self.assertIn('class="skip"', browser.run(FOCUS))
        self.assertGreaterEqual(
            browser.run("document.activeElement.getBoundingClientRect().top"), 0
        )
        browser.enter()
        self.until_focus('id="q"')
        browser.type("db")
        browser.enter()
        browser.loaded()
        self.assertEqual(self.hosts(), ["db-archive", "db-billing", "db-main-01", "db-main-02"])
        self.assertTrue(browser.run("location.search").startswith("?q=db&"))
        self.until_focus("sort=-host", "sort=host")
        self.assertNotEqual(
            browser.run("getComputedStyle(document.activeElement).outlineStyle"), "none"
        )
        browser.enter()
        browser.loaded()
        header = "document.querySelector('[aria-sort]')"
        self.assertEqual(browser.run(f"{header}.innerText.trim()"), "Host")
        self.assertEqual(browser.run(f"{header}.ariaSort"), "ascending")

    def until_focus(self, *parts: str) -> None:
        """Press Tab until an element with one of these in its tag has the focus."""
        for _ in range(60):
            self.browser.tab()
            tag = self.browser.run(FOCUS)
            if any(part in tag for part in parts):
                return
        self.fail(f"no element with {parts}")

    def test_typing(self) -> None:
        """The table follows what is typed, the URL too, and the field keeps the focus."""
        browser = self.browser
        browser.look()
        browser.open(self.address)
        browser.run("document.getElementById('q').focus()")
        browser.type("laptop")
        browser.wait("document.querySelectorAll('.sets tbody tr').length === 3")
        self.assertEqual(set(self.hosts()), {"laptop-eva", "laptop-ina", "laptop-tom"})
        self.assertIn("3 backup sets", browser.run("document.getElementById('found').innerText"))
        self.assertEqual(browser.run("location.search"), "?q=laptop")
        self.assertIn('id="q"', browser.run(FOCUS))
        self.assertEqual(browser.complaints(), [])

    def test_copies(self) -> None:
        """The matrix of copies is accessible too, fits narrow screens, and follows the filter."""
        self.serve("--copies")
        browser = self.browser
        for width, dark in ((1280, False), (390, True), (1280, True), (390, False)):
            browser.look(width, 900, dark, mobile=width < 600)
            browser.open(f"{self.address}copies")
            browser.run(Path(tool("axe.min.js")).read_text() + ";0")
            self.assertEqual(browser.run(AXE)["violations"], [], (width, dark))
        for width in (320, 800, 1030, 1900):
            browser.look(width)
            browser.open(f"{self.address}copies")
            self.assertEqual(browser.run("document.documentElement.scrollWidth"), width)
        browser.run("document.getElementById('q').focus()")
        browser.type("usb")
        browser.wait("document.querySelectorAll('.copies tbody tr').length === 3")
        self.assertEqual(browser.run("location.pathname + location.search"), "/copies?q=usb")
        browser.open(f"{self.address}copies?state=late")
        self.assertEqual(self.hosts()[1], "web-03")
        self.assertEqual(browser.complaints(), [])
