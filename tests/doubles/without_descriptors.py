"""
A program for a test: asks a server while no file descriptor is left, and again afterwards.

Run with the server's URL; prints what came of each request.
"""

import os
import resource
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from restic_reporter.concurrency.deadline import Deadline, sleep
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.model.errors import ReadError
from restic_reporter.model.snapshots import Meter


async def ask(client: BoundedHTTPClient, clock: Any, url: str) -> str:
    """The status of the answer, or the reason why there is none."""
    deadline = Deadline.after(clock, 5)
    try:
        response = await client.request(
            "GET", url, deadline=deadline, meter=Meter(), operation="list"
        )
    except ReadError as error:
        return error.reason
    return str(response.status)


async def main(clock: Any, url: str) -> None:
    """Ask with every descriptor taken, then with them free."""
    client = BoundedHTTPClient(clock)
    # Until the reactor runs, which takes descriptors itself.
    await sleep(clock, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    taken: list[int] = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        pass
    print(await ask(client, clock, url))
    print(await ask(client, clock, url.replace("127.0.0.1", "localhost")))
    for descriptor in taken:
        os.close(descriptor)
    print(await ask(client, clock, url))
    await client.close()


if __name__ == "__main__":
    react(lambda _: Deferred.fromCoroutine(main(reactor, sys.argv[1])))
