"""
Draws the pictures of docs/tutorial.md: does what it says, and looks at the pages with a browser.

    python -m docsite.pictures

runs from the project's folder, after scripts/fetch-test-tools, on a machine with Debian's
prometheus installed (its pages are not among the tools) and free ports. With pngquant and optipng
the pictures are a third of the size.
"""

import io
import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from docsite.tutorial import PROMETHEUS, REPORTER, Tutorial
from tests.doubles.browser import Browser
from tests.doubles.programs import ROOT, Folder, wait_until
from tests.doubles.terminal import Terminal

# It shows in the pictures.
_CLONE = Path("/tmp/restic-reporter")
_COLUMNS = 96
_TERMINAL = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 14px; background: {background} }}
pre {{ margin: 0; color: {foreground}; font: 15px/1.35 monospace; }}
</style><pre>{code}</pre>"""
_QUERY = "(time() - backup_newest_timestamp) / 86400"
# The status page has a table from here on; what Prometheus shows is easier to read if it is narrow.
_WIDTH, _NARROW = 1280, 1000
# Prometheus draws the results of a query later, and does not renew its other pages.
_FIND = """new Promise(done => { let left = 20; const look = () =>
    document.body.innerText.includes(%s) ? done(true)
    : left-- ? setTimeout(look, 50) : done(false); look(); })"""
# On the page of the alerts: hides those that are well, and shows all of those that fire.
_OPEN_ALERTS = """{ for (const one of document.querySelectorAll(
    "#inactiveAlerts, .alert_header.alert-danger, button.show-annotations")) one.click() }"""


class Camera:
    """A browser that saves what it sees as pictures of the tutorial."""

    def __init__(self, folder: Folder) -> None:
        self.browser = Browser()
        self.folder = folder

    def take(
        self, name: str, address: str, text: str, until: str = "body", width: int = _WIDTH
    ) -> None:
        """Save a page once it has ``text``, down to the end of the element ``until``."""
        self.browser.look(width, 900)
        wait_until(lambda: self._shows(address, text))
        self.browser.run(_OPEN_ALERTS)
        box = f"document.querySelector({json.dumps(until)}).getBoundingClientRect()"
        self.browser.look(width, int(self.browser.run(f"{box}.bottom")) + 16)
        self._save(ROOT / "docs" / f"tutorial-{name}.png")

    def _shows(self, address: str, text: str) -> bool:
        """Load the page; return whether it has this text within a second."""
        self.browser.open(address)
        found: bool = self.browser.run(_FIND % json.dumps(text))
        return found

    def terminal(self, name: str, output: str) -> None:
        """Save what a program wrote on a terminal."""
        console = Console(record=True, width=_COLUMNS, file=io.StringIO())
        console.print(Text.from_ansi(output.replace("\r\n", "\n")))
        page = console.export_html(theme=MONOKAI, inline_styles=True, code_format=_TERMINAL)
        self.take(name, self.folder.write("terminal.html", page).as_uri(), "$", "pre", 900)

    def _save(self, picture: Path) -> None:
        self.browser.picture(picture)
        if shutil.which("pngquant"):
            options = ["--force", "--skip-if-larger", "--output", str(picture)]
            subprocess.run(["pngquant", *options, "64", str(picture)], check=True)
        if shutil.which("optipng"):
            subprocess.run(["optipng", "-quiet", "-o2", str(picture)], check=True)
        print(f"{picture.name}: {picture.stat().st_size:,} bytes")


def main() -> None:
    """Draw all pictures."""
    folder = Folder()
    camera = Camera(folder)
    try:
        draw(Tutorial(folder, clone=_CLONE), camera)
    finally:
        shutil.rmtree(_CLONE, ignore_errors=True)
        camera.browser.close()
        folder.close()


def typed(tutorial: Tutorial, command: str) -> str:
    """Return a command and what it shows on a terminal."""
    terminal = Terminal(
        ["env", *command.split()],
        tutorial.environment,
        tutorial.place,
        _COLUMNS,
        stderr=subprocess.DEVNULL,
    )
    terminal.end()
    # Without the progress bar, which it has erased at the end.
    shown = terminal.raw.rpartition("\x1b[2K")[2]
    return f"$ {command}\n{shown}"


def draw(tutorial: Tutorial, camera: Camera) -> None:
    """Go through the tutorial, with a picture at each step."""
    reporter, prometheus = f"http://localhost:{REPORTER}", f"http://localhost:{PROMETHEUS}/classic"
    camera.terminal("install", typed(tutorial, "restic-reporter --help"))
    tutorial.run("Make some backups")
    camera.terminal("backups", typed(tutorial, "restic -r repository -p password snapshots"))
    tutorial.run("Look once")
    camera.terminal("collect", typed(tutorial, "restic-reporter collect --config config.json"))
    tutorial.start("Run the daemon")
    camera.take("status", reporter, "1 backup set needs attention", "main")
    tutorial.run("Let Prometheus scrape it")
    tutorial.start("Let Prometheus scrape it")
    camera.take("targets", f"{prometheus}/targets", "1/1 up", width=_NARROW)
    query = f"{prometheus}/graph?g0.range_input=1h&g0.tab=1&g0.expr={quote(_QUERY)}"
    camera.take("query", query, 'host="web-2"', width=_NARROW)
    camera.take("alert", f"{prometheus}/alerts", "Firing (1)", width=_NARROW)
    tutorial.run("Mend it")
    camera.take("mended", reporter, "All 2 backup sets are fine", "main")


if __name__ == "__main__":
    main()
