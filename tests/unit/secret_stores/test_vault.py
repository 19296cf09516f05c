"""Tests of `restic_reporter.secret_stores.vault`: look-ups in a fake Vault, over real HTTP."""

import subprocess
import sys

from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import ISecretStore, StoreTools
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.secret_stores.vault import VaultStore
from tests.doubles.fake_vault import RATE_LIMITED, SEALED, Deleted, Destroyed
from tests.doubles.programs import ROOT
from tests.doubles.vault_case import VaultCase


class MakeTests(SynchronousTestCase):
    """`VaultStore.make`."""

    def setUp(self) -> None:
        """Tools without threads, so that nothing can be done."""
        self.tools = StoreTools(Clock(), BoundedHTTPClient(Clock()), lambda: 0.0)

    def test_no_vault(self) -> None:
        """Without VAULT_ADDR there is a store that has nothing, and says why."""
        store = VaultStore.make({"VAULT_TOKEN": "x"}, self.tools)
        self.assertTrue(verifyObject(ISecretStore, store))
        self.assertFalse(store.available)
        store.start()
        found = store.look_up("restic/a", Deadline.after(Clock(), 1.0))
        with self.assertRaises(ReadError) as caught:
            found.send(None)  # type: ignore[attr-defined]
        self.assertEqual(caught.exception.reason, Reason.SECRET)
        self.assertIn("VAULT_ADDR is not set", caught.exception.message)
        self.assertIn("restic/a", caught.exception.message)
        self.assertEqual((list(store.secrets()), store.expires_at), ([], None))
        store.stop()

    def test_vault(self) -> None:
        """With it there is one that does nothing yet."""
        store = VaultStore.make({"VAULT_ADDR": "http://x", "VAULT_TOKEN": "marker"}, self.tools)
        self.assertTrue(verifyObject(ISecretStore, store))
        self.assertTrue(store.available)
        self.assertEqual(self.tools.reactor.getDelayedCalls(), [])
        self.assertNotIn("marker", f"{store!r}{vars(store)}")

    def test_half(self) -> None:
        """An address without credentials is an error."""
        self.assertRaises(ValueError, VaultStore.make, {"VAULT_ADDR": "http://x"}, self.tools)

    def test_imports(self) -> None:
        """hvac, which takes a while to import, is imported at start, and only for Vault."""
        code = (
            "import sys\n"
            "from twisted.internet.task import Clock\n"
            "from restic_reporter.http import BoundedHTTPClient\n"
            "from restic_reporter.interfaces import StoreTools\n"
            "from restic_reporter.secret_stores.vault import VaultStore\n"
            "tools = StoreTools(Clock(), BoundedHTTPClient(Clock()), float)\n"
            "for environ in ({}, {'VAULT_ADDR': 'http://x', 'VAULT_TOKEN': 'x'}):\n"
            "    VaultStore.make(environ, tools)\n"
            "    print('hvac' in sys.modules)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout, "False\nTrue\n")


class VersionTests(VaultCase):
    """Finding out the version of the mount."""

    async def test_versions(self) -> None:
        """Documents of both KV versions are found, however little the policy allows."""
        for version in (1, 2):
            for tells in (True, False):
                for wide in (True, False):
                    self.fake.version, self.fake.tells_version = version, tells
                    self.fake.wide = wide
                    store = self.store()
                    for _ in range(2):
                        self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_asked_once(self) -> None:
        """Once known, the version is not asked for again, nor is the wrong one tried."""
        for tells in (True, False):
            self.fake.tells_version = tells
            store = self.store()
            await self.look_up(store)
            before = self.fake.counts["mounts"], self.fake.counts["read"]
            await self.look_up(store)
            after = self.fake.counts["mounts"], self.fake.counts["read"]
            self.assertEqual(after, (before[0], before[1] + 1))

    async def test_upgrade(self) -> None:
        """A mount that is upgraded while we run is found out by a read that is refused."""
        for tells in (True, False):
            for wide in (True, False):
                self.fake.version, self.fake.tells_version, self.fake.wide = 1, tells, wide
                store = self.store()
                await self.look_up(store)
                self.fake.version = 2
                self.clock.advance(61)
                self.assertEqual(await self.look_up(store), {"key": "value-a"})

    async def test_missing_ones_do_not_ask_again(self) -> None:
        """Many documents that are missing do not each cause a question for the version."""
        store = self.store()
        await self.look_up(store)
        for _ in range(10):
            await self.problem(store, "restic/none")
        self.assertEqual(self.fake.counts["mounts"], 1)


class LookUpTests(VaultCase):
    """`VaultStore.look_up`."""

    async def test_values_of_all_kinds(self) -> None:
        """A document is handed on as it is, whatever its values are."""
        document = {"key": 5, "id": None, "list": [1], "data": {"data": "x"}, "": "ü"}
        self.fake.documents["restic/b"] = document
        for version in (1, 2):
            self.fake.version = version
            self.assertEqual(await self.look_up(self.store(), "restic/b"), document)

    async def test_paths(self) -> None:
        """Slashes around a path do not count, and odd characters in it do no harm."""
        store = self.store()
        self.assertEqual(await self.look_up(store, "/restic/a/"), {"key": "value-a"})
        for path in ("a b", "a?b=c", "a#b", "a%2fb", "ä/ö", "a+b", "a;b", "a:b@c", "~a", "a{x}b"):
            self.fake.documents[path] = {"key": path}
            self.assertEqual(await self.look_up(store, path), {"key": path})

    async def test_paths_that_cannot_be(self) -> None:
        """A path that would lead elsewhere, or nowhere, is not asked for."""
        store = await self.running(self.store())
        for path in ("", "/", "../auth/token/lookup-self", "a/../b", "a/./b", "a//b", "a\nb"):
            self.assertIn(f"{path!r}", await self.problem(store, path))
        self.assertEqual(self.fake.counts["read"] + self.fake.counts["other"], 0)

    async def test_missing(self) -> None:
        """A document that is not there is named, of either version and with any policy."""
        for version in (1, 2):
            for tells in (True, False):
                self.fake.version, self.fake.tells_version = version, tells
                message = await self.problem(self.store(), "restic/none")
                self.assertEqual(message, "Vault has no document at 'restic/none' in kv/")

    async def test_hints(self) -> None:
        """A path that was written with the mount, or as the API has it, draws a hint."""
        store = self.store()
        for path in ("kv/restic/a", "kv/data/restic/a", "data/restic/a", "/kv/restic/a"):
            self.assertIn("did you mean 'restic/a'?", await self.problem(store, path))
        self.assertNotIn("mean", await self.problem(store, "kv"))

    async def test_deleted(self) -> None:
        """A version that was deleted or destroyed is said to be."""
        self.fake.documents.update(gone=Deleted(), ruined=Destroyed())
        for tells in (True, False):
            self.fake.tells_version = tells
            store = self.store()
            self.assertIn("'gone' in kv/ is deleted", await self.problem(store, "gone"))
            self.assertIn("'ruined' in kv/ is destroyed", await self.problem(store, "ruined"))

    async def test_forbidden(self) -> None:
        """A path that the policy forbids is named."""
        self.fake.denied.add("restic/a")
        for version in (1, 2):
            self.fake.version = version
            message = await self.problem(self.store())
            self.assertIn("denies access to 'restic/a' in kv/", message)
            self.assertIn("permission denied", message)

    async def test_namespace(self) -> None:
        """VAULT_NAMESPACE goes along with every request."""
        self.fake.namespace = "team/a"
        environ = {**self.fake.environment(), "VAULT_NAMESPACE": "team/a"}
        self.assertEqual(await self.look_up(self.store(environ)), {"key": "value-a"})
        self.assertIn("AppRole login rejected", await self.problem(self.store()))

    async def test_side_by_side(self) -> None:
        """Two hundred look-ups at one time need one login and a handful of connections."""
        documents = {f"restic/{number}": {"key": f"value-{number}"} for number in range(200)}
        self.fake.documents.update(documents)
        store = self.store()
        looked = await gatherResults([self.look_up(store, path) for path in documents])
        self.assertEqual(looked, list(documents.values()))
        self.assertEqual(self.fake.counts["login"], 1)
        self.assertLessEqual(self.fake.counts["mounts"], 8)
        self.assertLessEqual(len(self.fake.server.ports), 40)

    async def test_passing_fault(self) -> None:
        """A refusal for the moment is tried again within the look-up."""
        store = await self.running(self.store())
        self.fake.passing["read"] = [SEALED, RATE_LIMITED]
        self.assertEqual(await self.passing(self.look_up(store)), {"key": "value-a"})
        self.assertEqual(self.fake.counts["read"], 3)
