"""
Draws the pictures of the status page in docs/, with the browser of the tests.

    python -m benchmarks.status_pictures

runs from the project's folder, after scripts/fetch-test-tools. With pngquant and optipng installed
they are a third of the size.
"""

import os
import shutil
import subprocess
import sys

from tests.doubles.browser import Browser
from tests.doubles.programs import ROOT, Folder

_BROKEN = "repository?url=rest%3Ahttps%3A%2F%2Fnas.example.org%3A8000%2Fphotos"

# Name, address, width, height, dark; by the options of the server.
_PICTURES = {
    (): (
        ("status-page", "", 1280, 960, False),
        ("status-page-dark", "", 1280, 960, True),
        ("status-page-phone", "", 390, 844, False),
        ("status-page-repository", _BROKEN, 1280, 1120, False),
    ),
    ("--copies",): (("copies", "copies", 1280, 880, False),),
}


def main() -> None:
    """Draw all pictures."""
    folder = Folder()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TZ": "UTC"}
    browser = Browser()
    try:
        for options, pictures in _PICTURES.items():
            command = [sys.executable, "-m", "tests.doubles.status_server", "--plain", *options]
            address = folder.run(command, environment).wait_for(r"listening on (\S+)")[1]
            for name, path, width, height, dark in pictures:
                browser.look(width, height, dark, mobile=width < 600)
                browser.open(address + path)
                _save(browser, name)
    finally:
        browser.close()
        folder.close()


def _save(browser: Browser, name: str) -> None:
    picture = ROOT / "docs" / f"{name}.png"
    browser.picture(picture)
    if shutil.which("pngquant"):
        options = ["--force", "--skip-if-larger", "--output", str(picture)]
        subprocess.run(["pngquant", *options, "64", str(picture)], check=True)
    if shutil.which("optipng"):
        subprocess.run(["optipng", "-quiet", "-o2", str(picture)], check=True)
    print(f"{picture.name}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
