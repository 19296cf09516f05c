"""
What listing the size of a repository costs (``size_cron``): requests, bytes and time.

    python -m benchmarks.sizes

runs from the project's folder, after ``scripts/fetch-test-tools``. The repository has as many
packs as one of 1 TB in packs of 16 MB. rest-server and sftp-server are real and on this machine,
S3 and B2 are the fakes of the tests: only their requests and bytes mean something.
"""

import time
from collections.abc import Iterator
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred

from restic_reporter.backends.b2 import B2Backend
from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.backends.s3 import S3Backend
from restic_reporter.backends.sftp import SFTPBackend
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Meter
from restic_reporter.redaction.secret import Secret
from tests.doubles.fake_b2 import FakeB2
from tests.doubles.fake_s3 import BUCKET, KEY_ID, REGION, SECRET, FakeS3
from tests.doubles.programs import Folder
from tests.doubles.repositories import b2_settings, no_tools, repository, settings_for
from tests.doubles.s3_case import load_entry
from tests.doubles.servers import RestServer
from tests.doubles.sftp_case import sftp_repository
from tests.doubles.tools import tool

reactor: Any = default_reactor

PACKS = 62_500


def names() -> Iterator[str]:
    """The packs."""
    for number in range(PACKS):
        yield f"data/{number % 256:02x}/{number % 256:02x}{number:062x}"


def backends(folder: Folder) -> Iterator[tuple[str, Any]]:
    """Each backend, with a repository that has these packs."""
    path = folder.path / "repositories" / "repo"
    for name in names():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    tools = evolve(
        no_tools(), reactor=reactor, http=BoundedHTTPClient(reactor), threads=KeyedThreads(reactor)
    )
    server = RestServer(folder, path.parent)
    url = server.url("repo")
    entry = Repository(1, url, "rest", Secret(url), Secret("x"), settings_for(url))
    yield "REST server", RestBackend.make(entry, tools)
    s3 = FakeS3()
    for name in names():
        s3.put(f"repo/{name}", b"")
    entry = load_entry(
        f"s3:{s3.url}/{BUCKET}/repo",
        s3_access_key_id=KEY_ID,
        s3_secret_access_key=SECRET,
        options={"s3.region": REGION},
    )
    yield "S3", S3Backend.make(entry, tools)
    b2 = FakeB2()
    bucket, key = b2.account.add_bucket("some-bucket"), b2.account.add_key()
    for name in names():
        b2.account.put(bucket, f"repo/{name}", b"")
    place = "b2:some-bucket:repo"
    settings = b2_settings(place, key.id, key.secret, b2.direct())
    entry = Repository(1, place, "b2", Secret(place), Secret("x"), settings)
    yield "B2", B2Backend.make(entry, tools)
    entry = sftp_repository(str(path), tool("sftp-server"))
    yield "SFTP", SFTPBackend.make(entry, tools)
    yield "folder", LocalBackend.make(repository(str(path)), tools)


async def measure(folder: Folder) -> None:
    """Print the table."""
    print(f"| {PACKS:,} packs | requests | received, MB | wall, s | CPU, s |")
    print("|---|---:|---:|---:|---:|")
    for name, backend in backends(folder):
        meter, started, cpu = Meter(), time.monotonic(), time.process_time()
        size = await backend.measure(Deadline.after(reactor, 600.0), meter)
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
        assert size.packs == PACKS
        received = meter.received_bytes.get("list", 0) / 1e6
        requests = sum(meter.requests.values())
        print(f"| {name} | {requests} | {received:.1f} | {wall:.1f} | {cpu:.1f} |", flush=True)


def main() -> None:
    """Run it."""
    folder = Folder()

    def begin() -> None:
        work = Deferred.fromCoroutine(measure(folder))
        work.addErrback(lambda failure: failure.printTraceback())
        work.addBoth(lambda _: reactor.stop())

    try:
        reactor.callWhenRunning(begin)
        reactor.run()
    finally:
        folder.close()


if __name__ == "__main__":
    main()
