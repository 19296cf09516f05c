"""The B2 backend against a strict fake of B2: keys, tokens, caps and faults."""

import json
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from restic_reporter.backends.b2 import session
from restic_reporter.concurrency.daemon_threads import in_daemon_thread
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Transport
from tests.doubles.b2_case import B2Case, fill
from tests.doubles.fake_b2_objects import READ_ONLY
from tests.doubles.fake_http import Held

LIST, AUTH = "b2_list_file_names", "b2_authorize_account"


class KeyTests(B2Case):
    """Keys that may not do everything."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.fake.account.add_bucket("other-bucket")
        fill(self.fake, self.bucket, "repo/", 3)
        fill(self.fake, self.other, "repo/", 4)

    async def test_buckets(self) -> None:
        """A key of one bucket or several brings their ids: nothing is looked up."""
        for buckets in ([self.bucket], [self.other, self.bucket]):
            key = self.fake.account.add_key(["listFiles", "readFiles"], buckets)
            found = await self.list(self.backend(key=key))
            self.assertEqual(len(found.snapshots), 3)
            self.assertEqual(self.calls, {"authorize_account": 1, "list_file_names": 1})

    async def test_other_bucket(self) -> None:
        """A key of other buckets, or of one that is gone, is refused before it is sent."""
        key = self.fake.account.add_key(READ_ONLY, [self.other])
        text = "no access to bucket 'some-bucket'"
        await self.assert_fails(self.list(self.backend(key=key)), Reason.AUTH, text)
        gone = self.fake.account.add_bucket("some-bucket-2")
        del self.fake.account.buckets[gone.id]
        key = self.fake.account.add_key(READ_ONLY, [gone, self.other])
        await self.assert_fails(self.list(self.backend(key=key)), Reason.AUTH, text)
        self.assertEqual(self.calls, {"authorize_account": 2})

    async def test_prefix(self) -> None:
        """A key of a prefix serves what lies in it, and nothing else is asked for."""
        for prefix in ("repo/", "repo", "re"):
            key = self.fake.account.add_key(READ_ONLY, None, prefix)
            backend = self.backend(key=key)
            self.assertEqual(len((await self.list(backend)).snapshots), 3)
            self.assertEqual(await self.load(backend, "config"), b"config")
        self.calls  # noqa: B018
        for prefix in ("repo/keys/", "repository", "rope/"):
            key = self.fake.account.add_key(READ_ONLY, [self.bucket], prefix)
            for path in ("repo", ""):
                backend = self.backend(path, key)
                await self.assert_fails(self.list(backend), Reason.AUTH, repr(prefix))
                await self.assert_fails(self.load(backend, "config"), Reason.AUTH, repr(prefix))
        key = self.fake.account.add_key(READ_ONLY, None, "repo/")
        await self.assert_fails(self.list(self.backend("repository", key)), Reason.AUTH, "'repo/'")
        self.assertEqual(self.calls, {"authorize_account": 4})

    async def test_capabilities(self) -> None:
        """What a key may not do is named, and no new authorization is asked for."""
        for capabilities, missing in (
            (["listFiles", "readFiles"], "listBuckets"),
            (["listBuckets", "readFiles"], "listFiles"),
        ):
            key = self.fake.account.add_key(capabilities)
            await self.assert_fails(self.list(self.backend(key=key)), Reason.AUTH, missing)
            self.assertEqual(self.calls["authorize_account"], 1)

    async def test_wrong(self) -> None:
        """A wrong key, and one that is deleted while it is in use."""
        backend = self.backend(secret="some other secret")
        await self.assert_fails(self.list(backend), Reason.AUTH, "401, unauthorized")
        self.assertEqual(self.calls, {"authorize_account": 1})
        backend = self.backend()
        await self.list(backend)
        del self.fake.account.keys[self.key.id]
        self.fake.account.expire_tokens()
        await self.assert_fails(self.list(backend), Reason.AUTH, "b2_authorize_account")


class LaterReactor:
    """The reactor, with a clock that is ahead by ``later`` seconds."""

    later = 0.0

    def seconds(self) -> float:
        """The time."""
        return self.later + float(reactor.seconds())

    def __getattr__(self, name: str) -> Any:
        """All else."""
        return getattr(reactor, name)


class TokenTests(B2Case):
    """One authorization for all."""

    def setUp(self) -> None:
        super().setUp()
        self.paths = [f"r{number}" for number in range(6)]
        for path in self.paths:
            fill(self.fake, self.bucket, f"{path}/")

    def list_all(self) -> "Deferred[list[Any]]":
        """List six repositories of one key at one time."""
        return gatherResults([self.list(self.backend(path)) for path in self.paths])

    def hold(self, call: str) -> Held:
        """Have the next such call wait."""
        held = Held()
        self.addCleanup(held.go_on.set)
        self.fake.fault(call, held=held)
        return held

    async def came(self, held: Held) -> None:
        """Wait until the call has come."""
        await in_daemon_thread(self.tools.reactor, held.came.wait)

    async def test_shared(self) -> None:
        """All who begin at one time share one authorization and one look for the bucket."""
        self.fake.latency = 0.05
        await self.list_all()
        self.assertEqual(
            self.calls, {"authorize_account": 1, "list_buckets": 1, "list_file_names": 6}
        )
        self.assertEqual(self.meter.requests, {"auth": 1, "list": 7})

    async def test_expired(self) -> None:
        """One new authorization for all whose token has expired; each asks once more."""
        await self.list_all()
        for code in ("expired_auth_token", "bad_auth_token"):
            self.calls  # noqa: B018
            self.fake.latency = 0.05
            if code == "bad_auth_token":
                self.fake.account.tokens.clear()
            else:
                self.fake.account.expire_tokens()
            await self.list_all()
            self.assertEqual(self.calls, {"authorize_account": 1, "list_file_names": 12})

    async def test_refused_late(self) -> None:
        """Who learns late that the token has expired takes the new one that is there by then."""
        await self.list_all()
        self.calls  # noqa: B018
        self.fake.account.expire_tokens()
        held = self.hold(LIST)
        late = self.list(self.backend("r0"))
        await self.came(held)
        await self.list(self.backend("r1"))
        self.assertNoResult(late)
        held.go_on.set()
        await late
        self.assertEqual(self.calls, {"authorize_account": 1, "list_file_names": 4})

    async def test_refused_again(self) -> None:
        """A new token that is refused too is the end; the next listing begins afresh."""
        backend = self.backend("r0")
        await self.list(backend)
        for body in (None, b""):
            self.calls  # noqa: B018
            self.fake.fault(LIST, status=401, code="expired_auth_token", body=body, times=2)
            await self.assert_fails(self.list(backend), Reason.AUTH, "401")
            self.assertEqual(self.calls, {"authorize_account": 1, "list_file_names": 2})
        await self.list(backend)

    async def test_old(self) -> None:
        """A token is renewed before its day is over."""
        clock = LaterReactor()
        self.tools = evolve(self.tools, reactor=clock)
        backend = self.backend("r0")
        await self.list(backend)
        clock.later = session.TOKEN_LIFE - 60
        await self.list(backend)
        self.assertEqual(self.calls["authorize_account"], 1)
        self.fake.account.expire_tokens()
        clock.later = session.TOKEN_LIFE
        await self.list(backend)
        self.assertEqual(self.calls, {"authorize_account": 1, "list_file_names": 1})

    async def test_failure_is_not_kept(self) -> None:
        """All who wait for an authorization that fails fail; the next one is tried again."""
        self.fake.fault(AUTH, status=401, code="unauthorized", delay=0.05)
        waiting = [self.list(self.backend(path)) for path in self.paths]
        for one in waiting:
            await self.assert_fails(one, Reason.AUTH)
        self.assertEqual(self.calls, {"authorize_account": 1})
        await self.list_all()

    async def test_cancelled(self) -> None:
        """Who gives up waiting does not take the authorization from the others."""
        held = self.hold(AUTH)
        first, second = (self.list(self.backend(path)) for path in self.paths[:2])
        first.cancel()
        await self.assertFailure(first, CancelledError)
        held.go_on.set()
        self.assertEqual(len((await second).snapshots), 3)
        self.assertEqual(self.calls["authorize_account"], 1)

    async def test_all_cancelled(self) -> None:
        """With nobody left who waits the request ends too, and the next one is a new one."""
        held = self.hold(AUTH)
        first, second = (self.list(self.backend(path)) for path in self.paths[:2])
        await self.came(held)
        for one in (first, second):
            one.cancel()
            await self.assertFailure(one, CancelledError)
        self.assertEqual(len((await self.list(self.backend("r0"))).snapshots), 3)
        self.assertEqual(self.meter.requests["auth"], 2)

    async def test_deadline(self) -> None:
        """Who has little time waits no longer, and does not shorten the others' time."""
        held = self.hold(AUTH)
        first = self.list(self.backend("r0"), seconds=0.1)
        second = self.list(self.backend("r1"))
        await self.assert_fails(first, Reason.TIMEOUT, "b2_authorize_account")
        held.go_on.set()
        self.assertEqual(len((await second).snapshots), 3)

    async def test_unusable(self) -> None:
        """An authorization that makes no sense, or would leave TLS, is never used."""
        url = self.fake.direct(tls=True)
        transport = Transport(ca_certificates=self.fake.authority.pem)
        good = self.fake.account.authorize(
            4, self.key.id, self.key.secret, {"api": url, "download": url}
        )

        def changed(**storage: Any) -> dict[str, Any]:
            return {**good, "apiInfo": {"storageApi": {**good["apiInfo"]["storageApi"], **storage}}}

        def restricted(**allowed: Any) -> dict[str, Any]:
            return changed(allowed=allowed)

        for answer, reason in (
            (b"<html>", Reason.PARSE),
            ([], Reason.PARSE),
            ({}, Reason.PARSE),
            ({**good, "apiInfo": None}, Reason.PARSE),
            ({**good, "apiInfo": {"groupsApi": {}}}, Reason.PARSE),
            ({**good, "authorizationToken": None}, Reason.PARSE),
            ({**good, "accountId": 7}, Reason.PARSE),
            (changed(apiUrl=None), Reason.PARSE),
            (restricted(buckets=[7]), Reason.PARSE),
            (restricted(buckets=7), Reason.PARSE),
            (restricted(buckets=[{"id": 7, "name": "some-bucket"}]), Reason.PARSE),
            (restricted(namePrefix=7), Reason.PARSE),
            (changed(allowed=[7]), Reason.PARSE),
            ({**good, "authorizationToken": "x\r\nHost: y"}, Reason.PROTOCOL),
            ({**good, "authorizationToken": "ü"}, Reason.PROTOCOL),
            ({**good, "authorizationToken": ""}, Reason.PROTOCOL),
            (changed(apiUrl="http://127.0.0.1:1"), Reason.PROTOCOL),
            (changed(downloadUrl="http://127.0.0.1:1"), Reason.PROTOCOL),
            (changed(apiUrl="https://u:p@127.0.0.1"), Reason.PROTOCOL),
            (changed(apiUrl="https://a b/"), Reason.PROTOCOL),
            (changed(apiUrl="https://a/?x=y"), Reason.PROTOCOL),
            (changed(apiUrl="https://a:0"), Reason.PROTOCOL),
            (changed(apiUrl="https://[::1"), Reason.PROTOCOL),
            (changed(apiUrl="file:///etc/passwd"), Reason.PROTOCOL),
            (changed(downloadUrl=""), Reason.PROTOCOL),
        ):
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.fake.fault(AUTH, status=200, body=body)
            backend = self.backend("r0", url=url, transport=transport)
            await self.assert_fails(self.list(backend), reason)
        self.assertEqual(self.calls.keys(), {"authorize_account"})
