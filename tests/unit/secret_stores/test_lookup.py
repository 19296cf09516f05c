"""Tests of `restic_reporter.secret_stores.lookup`."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.concurrency import cooperative
from restic_reporter.config.secret_documents import password_document
from restic_reporter.interfaces import ISecretStore
from restic_reporter.model.errors import ConfigError, ReadError, Reason
from restic_reporter.model.repository import Config, Repository
from restic_reporter.redaction.secret import Secret
from restic_reporter.secret_stores.lookup import Lookups
from restic_reporter.testing import MemoryStore
from tests.doubles.repositories import repository

T = TypeVar("T")

GOOD = {"key": "the password"}


def wanting(
    path: str = "a", url: str = "/p", position: int = 1, store: str = "vault"
) -> Repository:
    """A repository whose password is in a store."""
    one = repository(url, position=position)
    return evolve(
        one, password=None, materials=(password_document(f"{store}_material", store, path),)
    )


class LookupsTests(SynchronousTestCase):
    """`Lookups`."""

    def setUp(self) -> None:
        # The clock stands still, so a busy machine must not cause a pause.
        self.patch(cooperative, "TURN", float("inf"))
        self.store = MemoryStore({"a": GOOD})
        self.assertTrue(verifyObject(ISecretStore, self.store))
        self.clock = Clock()
        self.lookups = Lookups(self.clock, {"vault": self.store}, {})

    def hold(self) -> "list[Deferred[None]]":
        """Let each answer wait for one of the Deferreds that will be in this list."""
        waiting: list[Deferred[None]] = []

        def wait() -> "Deferred[None]":
            waiting.append(Deferred())
            return waiting[-1]

        self.store.waiting = wait
        return waiting

    def start(self, work: Coroutine[Any, Any, T]) -> "Deferred[T]":
        """Begin."""
        return Deferred.fromCoroutine(work)

    def outcome(self, one: Repository) -> Repository | ReadError:
        """What becomes of one repository."""
        (outcome,) = self.successResultOf(self.start(self.lookups.complete([one])))
        return outcome

    def complete(self, one: Repository) -> Repository:
        """A repository that gets all it lacks."""
        outcome = self.outcome(one)
        assert isinstance(outcome, Repository), outcome
        return outcome

    def failed(self, one: Repository, reason: Reason = Reason.SECRET) -> str:
        """The message where it does not."""
        outcome = self.outcome(one)
        assert isinstance(outcome, ReadError), outcome
        self.assertEqual(outcome.reason, reason)
        return outcome.message

    def test_complete(self) -> None:
        """What was missing is there, as if the entry had it, and each path is asked for once."""
        self.assertEqual(
            self.complete(wanting()), evolve(repository(), password=Secret("the password"))
        )
        self.complete(wanting(url="/q"))
        self.assertEqual(self.store.asked, ["a"])

    def test_side_by_side(self) -> None:
        """Each path is asked for once, side by side, whatever becomes of the others."""
        waiting = self.hold()
        work = self.start(self.lookups.complete([wanting(path) for path in "aab"]))
        self.assertEqual(self.store.asked, ["a", "b"])
        for one in waiting:
            one.callback(None)
        first, second, third = self.successResultOf(work)
        assert isinstance(first, Repository) and isinstance(second, Repository)
        self.assertEqual((first.materials, second.materials), ((), ()))
        assert isinstance(third, ReadError)
        self.assertEqual(third.message, "vault_material: 'b': not found")

    def test_again(self) -> None:
        """What could not be had is asked for again the next time, until it is there."""
        self.store.documents.clear()
        for _ in range(2):
            self.assertEqual(self.failed(wanting()), "vault_material: 'a': not found")
        self.assertEqual(self.store.asked, ["a", "a"])
        self.store.documents["a"] = GOOD
        self.complete(wanting())

    def test_useless(self) -> None:
        """A document that is of no use is asked for again the next time."""
        self.store.documents["a"] = {"kye": "hidden"}
        message = self.failed(wanting())
        self.assertEqual(message, "vault_material: 'a': the document has no field 'key'")
        self.store.documents["a"] = GOOD
        self.complete(wanting())

    def test_hanging(self) -> None:
        """A store that hangs is given up."""
        self.hold()
        work = self.start(self.lookups.complete([wanting()]))
        self.assertNoResult(work)
        self.clock.advance(30)
        (error,) = self.successResultOf(work)
        assert isinstance(error, ReadError)
        self.assertIn("timed out after 30", error.message)
        self.assertEqual(error.reason, Reason.SECRET)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Who does not wait any longer leaves nothing at work."""
        self.hold()
        work = self.start(self.lookups.complete([wanting()]))
        work.cancel()
        self.successResultOf(work.addErrback(lambda failure: failure.trap(CancelledError)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_store(self) -> None:
        """A store whose plugin is broken fails its own entries."""
        message = self.failed(wanting(store="other"))
        self.assertEqual(
            message, "other_material: 'a': unknown secret store 'other', or its plugin is broken"
        )

    def test_bug(self) -> None:
        """A bug of a store is told as one, without its secrets."""
        self.store.documents["a"] = ZeroDivisionError("with the store's own")
        with capturedLogs() as events:
            message = self.failed(wanting(), reason=Reason.INTERNAL)
        self.assertIn("bug in the secret store 'vault': ZeroDivisionError", message)
        (text,) = map(formatEvent, events)
        self.assertIn("ZeroDivisionError: with ***", text)
        self.assertNotIn("own", text)

    def complete_all(self, *repositories: Repository) -> "Deferred[Config]":
        """Begin with a whole config."""
        return self.start(self.lookups.complete_all(Config(repositories, name="c.json")))

    def test_all(self) -> None:
        """A whole config is completed, in its order."""
        config = self.successResultOf(
            self.complete_all(wanting(), repository("/x"), wanting(url="/q"))
        )
        self.assertEqual([one.url for one in config.repositories], ["/p", "/x", "/q"])
        self.assertEqual([one.materials for one in config.repositories], [(), (), ()])
        self.assertEqual(self.store.asked, ["a"])

    def test_all_fail(self) -> None:
        """All that could not be had is told in one go."""
        self.store.documents["b"] = {"key": 5}
        failing = self.complete_all(
            wanting("b", "/1", 4), wanting("c", "/2", 7), wanting("a", "/3", 9)
        )
        error: Any = self.failureResultOf(failing, ConfigError).value
        self.assertEqual(
            error.problems,
            (
                "c.json: entry 4: vault_material: 'b': the field 'key' is not a string",
                "c.json: entry 7: vault_material: 'c': not found",
            ),
        )

    def test_all_without_store(self) -> None:
        """What is in a store that is not set up stays to be looked up, and fails nobody."""
        self.store.available = False
        one = wanting()
        config = self.successResultOf(self.complete_all(one, wanting(url="/q", store="other")))
        self.assertEqual(config.repositories[0], one)
        self.assertEqual(self.store.asked, [])
