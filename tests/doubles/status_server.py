"""
A site with the status page of a small fleet, in a process of its own, for a browser.

    python -m tests.doubles.status_server [--plain] [--copies]
"""

import sys
from typing import Any

from twisted.internet import reactor as _reactor

from restic_reporter.web.server import make_site
from tests.doubles.copied_fleet import copied_fleet
from tests.doubles.status_world import HOSTILE, resources, small_fleet

# A Thursday in November 2026, 09:20 UTC.
NOW = 1_795_684_800.0


def main() -> None:
    """Serve until killed; say where."""
    # A module that becomes an object at run time.
    reactor: Any = _reactor
    # Without the name that no page should print.
    odd = "build-03" if "--plain" in sys.argv else HOSTILE
    state = copied_fleet(NOW, odd) if "--copies" in sys.argv else small_fleet(NOW, odd)
    pages = resources(reactor, state, NOW)
    site = make_site(reactor, lambda openmetrics: b"", pages)
    listening = reactor.listenTCP(0, site, interface="127.0.0.1")
    print(f"listening on http://127.0.0.1:{listening.getHost().port}/", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
