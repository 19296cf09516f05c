"""
How fast the status page is with many backup sets, and how long it blocks the reactor.

    python -m benchmarks.status_page --repositories 100 --sets 100

runs from the project's folder. The site is a process of its own; its clients are here.
"""

import argparse
import gzip
import http.client
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter, time

from attrs import frozen

# Another view of the page, in the order of their cost.
_VIEWS = {
    "worst first": "/",
    "last page": "/?page=9999",
    "by age": "/?sort=-age",
    "by size": "/?sort=-size",
    "filtered": "/?q=host-01",
    "repositories": "/repositories",
}
_TIMES = 7


@frozen
class View:
    """One response: seconds to its first byte and to its last, and its body."""

    first: float
    whole: float
    body: bytes


def view(port: int, path: str, packed: bool = False) -> View:
    """Ask for a page once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"} if packed else {})
    response = connection.getresponse()
    first = perf_counter() - started
    body = response.read()
    whole = perf_counter() - started
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{path}: status {response.status}")
    return View(first, whole, body)


def serve(repositories: int, sets: int) -> None:
    """Serve a fleet until the end of the input, with the reactor's lag at ``/lag``."""
    from twisted.internet import reactor as imported
    from twisted.web.server import Request

    from restic_reporter.daemon import reactor_lag
    from restic_reporter.daemon.garbage import set_apart
    from restic_reporter.web.pages import Page
    from restic_reporter.web.response import respond_text
    from restic_reporter.web.server import make_site
    from tests.doubles.status_world import large_fleet, resources

    # A module that is the reactor at run time.
    reactor: object = imported
    now = time()
    state = large_fleet(now, repositories, sets)
    # Finer than in the daemon, as a block is measured too short by this.
    reactor_lag.INTERVAL = 0.002
    lag = reactor_lag.ReactorLag(imported)  # type: ignore[arg-type]
    lag.startService()

    class LagPage(Page):
        def render_GET(self, request: Request) -> int:
            """Answer with the longest block since the previous request."""
            return respond_text(request, 200, str(lag.take()))

    pages = {**resources(reactor, state, now), b"/lag": LagPage()}
    site = make_site(reactor, lambda openmetrics: b"", pages)
    port = imported.listenTCP(0, site, interface="127.0.0.1")  # type: ignore[attr-defined]
    print(port.getHost().port, flush=True)
    # As the daemon does after each collection.
    set_apart()
    imported.run()  # type: ignore[attr-defined]


def milliseconds(seconds: float) -> str:
    """Seconds as text."""
    return f"{seconds * 1000:6.0f} ms"


def measure(port: int) -> None:
    """Ask for all views, and print a line for each."""

    def lag() -> float:
        return float(view(port, "/lag").body)

    lag()
    print(f"{'':24} first byte  last byte   reactor blocked")
    cold = view(port, "/")
    print(
        f"{'first view of all':24}{milliseconds(cold.first)}  {milliseconds(cold.whole)}"
        f"  {milliseconds(lag())}"
    )
    for name, path in _VIEWS.items():
        views = [view(port, path) for _ in range(_TIMES)]
        print(
            f"{name:24}{milliseconds(median(one.first for one in views))}"
            f"  {milliseconds(median(one.whole for one in views))}  {milliseconds(lag())}"
        )
    with ThreadPoolExecutor(30) as threads:
        views = list(threads.map(lambda _: view(port, "/", True), range(30)))
        print(
            f"{'30 viewers, the slowest':24}{milliseconds(max(one.first for one in views))}"
            f"  {milliseconds(max(one.whole for one in views))}  {milliseconds(lag())}"
        )
    packed = views[0].body
    plain = gzip.decompress(packed)
    print(f"the page has {len(plain):,} bytes, {len(packed):,} as gzip")


def main() -> None:
    """Start the site, measure it, end it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.status_page")
    parser.add_argument("--repositories", type=int, default=100)
    parser.add_argument("--sets", type=int, default=100, help="in each repository")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.repositories, options.sets)
        return
    command = [sys.executable, "-m", "benchmarks.status_page", "--serve"]
    command += [f"--repositories={options.repositories}", f"--sets={options.sets}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            measure(int(server.stdout.readline()))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
