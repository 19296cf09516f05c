"""Tests of `restic_reporter.backends.rest`, against the real rest-server and a fake one."""

import json
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

from attrs import evolve
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IDelayedCall
from twisted.trial.unittest import TestCase

from restic_reporter.backends import rest
from restic_reporter.backends.rest import RestBackend
from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient, basic_auth
from restic_reporter.http import client as client_module
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.redaction.secret import Secret
from restic_reporter.restic_format.file_names import parse_names_in_slices
from tests.doubles.hostile import HostileServer, ServerConnection, answer
from tests.doubles.programs import Folder
from tests.doubles.repositories import name, no_tools, settings_for
from tests.doubles.servers import RestServer, copy_example, restic

reactor: Any = default_reactor

USER, PASSWORD = "t@m", "p@:s/w%d ü"


class BackendCase(TestCase):
    """A backend and what it costs."""

    timeout = 60

    def setUp(self) -> None:
        """A client."""
        self.client = BoundedHTTPClient(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.client.close()))
        self.meter = Meter()

    def make(self, url: str, username: str | None = None, password: str = PASSWORD) -> RestBackend:
        """The backend for a URL without credentials."""
        keys = {} if username is None else {"rest_username": username, "rest_password": password}
        settings = settings_for(url, **keys)
        repository = Repository(1, url, "rest", Secret(url), Secret("x"), settings)
        return RestBackend.make(repository, evolve(no_tools(), http=self.client))

    async def list(self, backend: RestBackend) -> Listing:
        """What it lists."""
        return await backend.list(Deadline.after(reactor, 30), self.meter)

    async def load(self, backend: RestBackend, path: str, limit: int = 10_000) -> bytes:
        """A file that it loads."""
        return await backend.load(path, limit, Deadline.after(reactor, 30), self.meter)

    async def assert_fails(self, work: Awaitable[Any], reason: Reason, *parts: str) -> None:
        """It ends with ``reason`` and a message that has all ``parts``, and no password."""
        with self.assertRaises(ReadError) as caught:
            await work
        error = caught.exception
        self.assertEqual(error.reason, reason, error.message)
        for part in parts:
            self.assertIn(part, error.message)
        self.assertNotIn(PASSWORD, error.message)


class RestServerTests(BackendCase):
    """The real rest-server."""

    def setUp(self) -> None:
        """A server with users, and a repository some folders down."""
        super().setUp()
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data", {USER: PASSWORD})
        self.repository = copy_example(self.server.path / "some" / "whe re")
        self.backend = self.backend_at("some/whe%20re")

    def backend_at(self, path: str, password: str = PASSWORD) -> RestBackend:
        """The backend for a path on the server."""
        return self.make(self.server.url(path), USER, password)

    async def test_list(self) -> None:
        """The names are those of the files, with and without a slash at the end of the URL; an
        unchanged repository costs two requests."""
        for number in range(2):
            (self.repository / "locks" / name(number)).touch()
        expected = frozenset(file.name for file in (self.repository / "snapshots").iterdir())
        self.assertEqual(len(expected), 62)
        for path in ("some/whe%20re", "some/whe%20re/", "some/whe re"):
            listing = await self.list(self.backend_at(path))
            self.assertEqual((listing.snapshots, listing.locks), (expected, {name(0), name(1)}))
        self.assertEqual(self.meter.requests, {"list": 6})
        self.assertGreater(self.meter.received_bytes["list"], 3 * 62 * 64)

    async def test_empty(self) -> None:
        """An empty repository is one, and its server's root may be it."""
        server = RestServer(self.folder, self.folder.path / "empty")
        restic(server.path, "init")
        for url in (server.url(""), f"rest:http://{server.address}"):
            self.assertEqual(await self.list(self.make(url)), Listing(frozenset(), frozenset()))

    async def test_missing(self) -> None:
        """A folder that is not there, and one that is no repository, are errors."""
        for path in ("some", "some/where", "no/such"):
            await self.assert_fails(self.list(self.backend_at(path)), Reason.NOT_FOUND, "config")

    async def test_refused(self) -> None:
        """Wrong or missing credentials are told as such."""
        for backend in (
            self.backend_at("some/whe%20re", "mistaken"),
            self.make(self.server.url("some/whe%20re")),
        ):
            await self.assert_fails(self.list(backend), Reason.AUTH, "snapshots/", "401")
            await self.assert_fails(self.load(backend, "config"), Reason.AUTH, "config", "401")


def listing(*names: str) -> bytes:
    """An answer of version 2."""
    return answer(json.dumps([{"name": one, "size": 5} for one in names]).encode())


class FakeServerTests(BackendCase):
    """A server of the test's own, which answers by path."""

    async def serve(self, answers: dict[str, bytes], closing: Sequence[str] = ()) -> RestBackend:
        """A backend of a server with these answers, which closes the connection after those of
        the paths ``closing``; any other path is 404."""

        def behave(connection: ServerConnection) -> None:
            path = server.requests[-1].split()[1].decode()
            connection.push(answers.get(path, answer(b"", "404 Not Found")))
            if path in closing:
                connection.close()

        self.server = server = HostileServer(behave)
        await server.listen(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return self.make(f"rest:http://127.0.0.1:{server.port}/r", USER)

    def asked(self) -> list[str]:
        """The first lines of all requests."""
        return [request.split(b" HTTP")[0].decode() for request in self.server.requests]

    async def test_requests(self) -> None:
        """Folders are asked for with a slash at the end, version 2, and credentials."""
        backend = await self.serve({"/r/snapshots/": listing(name(1)), "/r/locks/": listing()})
        await self.list(backend)
        self.assertEqual(self.asked(), ["GET /r/snapshots/", "GET /r/locks/"])
        for request in self.server.requests:
            lines = request.decode().split("\r\n")
            self.assertIn("Accept: application/vnd.x.restic.rest.v2", lines)
            self.assertIn(f"Authorization: {basic_auth(USER, PASSWORD)}", lines)

    async def test_version_1(self) -> None:
        """A server of version 1 answers with names alone."""
        body = json.dumps([name(1), name(2), "foreign", f"{name(3)}-tmp"]).encode()
        backend = await self.serve({"/r/snapshots/": answer(body), "/r/locks/": answer(body)})
        names = frozenset({name(1), name(2)})
        self.assertEqual(await self.list(backend), Listing(names, names))

    async def test_foreign_names(self) -> None:
        """Names that restic would pass over are not counted, in either folder."""
        body = listing(name(1), f"{name(2)}.rest-server-temp1", "A" * 64, "../" + "a" * 61, "")
        backend = await self.serve({"/r/snapshots/": body, "/r/locks/": body})
        names = frozenset({name(1)})
        self.assertEqual(await self.list(backend), Listing(names, names))

    async def test_empty(self) -> None:
        """Empty folders, written in any way, are an empty repository if there is a config."""
        for empty in (listing(), answer(b"null"), answer(b"", "404 Not Found")):
            backend = await self.serve(
                {"/r/snapshots/": empty, "/r/locks/": empty, "/r/config": answer()}
            )
            self.assertEqual(await self.list(backend), Listing(frozenset(), frozenset()))
            self.assertEqual(self.asked(), ["GET /r/snapshots/", "HEAD /r/config", "GET /r/locks/"])
            backend = await self.serve({"/r/snapshots/": empty, "/r/locks/": empty})
            await self.assert_fails(self.list(backend), Reason.NOT_FOUND, "config")

    async def test_no_locks_folder(self) -> None:
        """Without a folder for locks there are none."""
        backend = await self.serve({"/r/snapshots/": listing(name(1))})
        self.assertEqual((await self.list(backend)).locks, frozenset())

    async def test_statuses(self) -> None:
        """Refusals and odd statuses have their reasons, wherever they come."""
        for status, reason in (
            ("401 Unauthorized", Reason.AUTH),
            ("403 Forbidden", Reason.AUTH),
            ("302 Found", Reason.REDIRECT),
            ("405 Method Not Allowed", Reason.PROTOCOL),
        ):
            bad, number = answer(b"", status, "Location: /r/"), status[:3]
            for answers in (
                {"/r/snapshots/": bad},
                {"/r/snapshots/": listing(), "/r/config": bad},
            ):
                await self.assert_fails(self.list(await self.serve(answers)), reason, number)
            answers = {"/r/snapshots/": listing(name(1)), "/r/locks/": bad}
            await self.assert_without_locks(answers, reason, number)
            backend = await self.serve({"/r/config": bad})
            await self.assert_fails(self.load(backend, "config"), reason, number)

    async def test_no_listing(self) -> None:
        """What is no listing, like an empty answer or a login page, is refused."""
        for body in (b"", b"<html>Log in</html>", b'{"names": []}', b"[5]", b'["x"'):
            backend = await self.serve({"/r/snapshots/": answer(body)})
            await self.assert_fails(self.list(backend), Reason.PARSE, "listing of snapshots/")
            answers = {"/r/snapshots/": listing(name(1)), "/r/locks/": answer(body)}
            await self.assert_without_locks(answers, Reason.PARSE, "listing of locks/")

    async def assert_without_locks(
        self, answers: dict[str, bytes], reason: Reason, message: str
    ) -> None:
        """The locks cannot be listed, for this reason; the snapshots can."""
        found = await self.list(await self.serve(answers))
        self.assertEqual((found.snapshots, found.locks), ({name(1)}, None))
        assert found.locks_error is not None
        self.assertEqual(found.locks_error.reason, reason)
        self.assertIn(message, found.locks_error.message)

    async def test_huge(self) -> None:
        """A listing of many thousands is parsed in slices, between which others have their turn."""
        turns = 0
        slices = []
        call: IDelayedCall | None = None

        def turn() -> None:
            nonlocal turns, call
            turns += 1
            call = reactor.callLater(0, turn)

        def noted(body: bytes) -> Iterator[frozenset[str]]:
            for some in parse_names_in_slices(body):
                slices.append(turns)
                yield some

        self.patch(rest, "parse_names_in_slices", noted)
        names = [name(number) for number in range(30_000)]
        backend = await self.serve({"/r/snapshots/": listing(*names)})
        turn()
        found = await self.list(backend)
        assert call is not None
        call.cancel()
        self.assertEqual(found.snapshots, frozenset(names))
        self.assertGreater(len(slices), 30)
        self.assertEqual(len(set(slices)), len(slices))

    async def test_huge_and_broken(self) -> None:
        """A huge listing that is cut short is refused, not taken for what it has."""
        body = json.dumps([name(number) for number in range(30_000)]).encode()
        backend = await self.serve({"/r/snapshots/": answer(body[:-1])})
        await self.assert_fails(self.list(backend), Reason.PARSE, "listing of snapshots/")

    async def test_too_large(self) -> None:
        """A listing beyond the limit is not taken."""
        body = b"[" + b" " * rest._LISTING_LIMIT + b"]"
        backend = await self.serve({"/r/snapshots/": answer(body)})
        await self.assert_fails(self.list(backend), Reason.TOO_LARGE)

    async def test_load_with_wrong_content(self) -> None:
        """A page in place of a file is refused where the name tells; a cut one always."""
        path = f"snapshots/{name(1)}"
        cut = answer(b"some content")[:-3]
        backend = await self.serve(
            {f"/r/{path}": answer(b"<html>"), "/r/config": cut}, closing=["/r/config"]
        )
        await self.assert_fails(self.load(backend, path), Reason.PROTOCOL, path)
        self.patch(client_module, "BROKEN_WAITS", (0.01,))
        await self.assert_fails(self.load(backend, "config"), Reason.PROTOCOL)
