"""
The yardstick: bare treq GETs, in a process of its own.

Reads lines of JSON, each a list of URLs, asks for all of them and prints the seconds of wall
time and of CPU that this took.
"""

import json
import sys
import time
from typing import Any

import treq
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers

ACCEPT = "application/vnd.x.restic.rest.v2"

reactor: Any = default_reactor


class Asking(LineOnlyReceiver):
    """Asks for what each line lists, ``concurrency`` at a time."""

    delimiter = b"\n"
    MAX_LENGTH = 2**26

    def __init__(self, concurrency: int) -> None:
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = concurrency
        self._concurrency = concurrency
        self._headers = Headers({"Accept": [ACCEPT]})
        self._client = treq.client.HTTPClient(Agent(reactor, pool=pool))

    def lineReceived(self, line: bytes) -> None:
        Deferred.fromCoroutine(self._ask(json.loads(line))).addErrback(self._failed)

    def _failed(self, failure: object) -> None:
        print(failure, file=sys.stderr, flush=True)
        reactor.stop()

    async def _ask(self, urls: list[str]) -> None:
        left = iter(urls)
        wall, cpu = time.perf_counter(), time.process_time()

        async def work() -> None:
            for url in left:
                response = await self._client.get(url, headers=self._headers)
                await treq.content(response)

        await gatherResults([Deferred.fromCoroutine(work()) for _ in range(self._concurrency)])
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)

    def connectionLost(self, reason: object = None) -> None:
        if reactor.running:
            reactor.stop()


if __name__ == "__main__":
    stdio = StandardIO(Asking(int(sys.argv[1])), reactor=reactor)
    reactor.run()
