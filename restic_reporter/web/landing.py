"""The page at ``/``, for people who open the exporter's address in a browser."""

from html import escape

from .pages import StaticPage

# Allows only what the page needs: its own style sheet, no script, nothing external.
HEADERS = {
    b"Content-Security-Policy": (
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'"
    ),
    b"Referrer-Policy": b"no-referrer",
}

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>restic-reporter</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; }}
</style>
</head>
<body>
<main>
<h1>restic-reporter</h1>
<p>Version {version}. Tells Prometheus which restic backups are late or broken.</p>
<ul>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/-/healthy">Health check</a></li>
<li><a href="/-/ready">Readiness check</a></li>
</ul>
</main>
</body>
</html>
"""


def landing_page(version: str) -> StaticPage:
    """Return the landing page for this ``version`` of the program."""
    body = _PAGE.format(version=escape(version)).encode("utf-8")
    return StaticPage(b"text/html; charset=utf-8", body, HEADERS)
