"""The page's own style, script and icon, with addresses that change with their content."""

import hashlib
from pathlib import Path

from attrs import frozen

_FOLDER = Path(__file__).parent


@frozen
class Asset:
    """A file of this folder; ``link`` is its address relative to any page at the top."""

    name: str
    content_type: bytes
    body: bytes
    link: str

    @classmethod
    def of(cls, name: str, content_type: bytes) -> "Asset":
        """Read the file."""
        body = (_FOLDER / name).read_bytes()
        return cls(
            name, content_type, body, f"static/{name}?{hashlib.sha256(body).hexdigest()[:8]}"
        )

    @property
    def path(self) -> bytes:
        """Return the path of its address."""
        return b"/static/" + self.name.encode("ascii")


STYLE = Asset.of("style.css", b"text/css; charset=utf-8")
SCRIPT = Asset.of("script.js", b"text/javascript; charset=utf-8")
ICON = Asset.of("icon.svg", b"image/svg+xml")
ASSETS = (STYLE, SCRIPT, ICON)

# As the address changes with the content, browsers need not ask again.
ASSET_HEADERS = {b"Cache-Control": b"public, max-age=31536000, immutable"}
