"""Tests of `restic_reporter.daemon.reload` and `orders`: who is told how a reload ended."""

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.result_book import ResultBook
from restic_reporter.collection.state import CollectionState
from restic_reporter.daemon.orders import Orders
from restic_reporter.daemon.reload import ConfigLoader


class HeldLoader(ConfigLoader):
    """A loader whose reloads end when the test says so."""

    def __init__(self) -> None:
        nothing = cast(Any, None)
        self.reported: list[bool] = []
        super().__init__(*[nothing] * 11)
        self._on_reload = self.reported.append
        self.reloads: list[Deferred[Sequence[str]]] = []

    async def _reload(self) -> Sequence[str]:
        self.reloads.append(Deferred())
        return await self.reloads[-1]


class ReloadTests(SynchronousTestCase):
    """`ConfigLoader.reload`."""

    def setUp(self) -> None:
        self.loader = HeldLoader()

    def test_result(self) -> None:
        """Who asks is told what is wrong with the config."""
        for problems in ([], ["c.json: entry 1"]):
            end = self.loader.reload()
            self.assertNoResult(end)
            self.loader.reloads.pop().callback(problems)
            self.assertEqual(self.successResultOf(end), problems)

    def test_meanwhile(self) -> None:
        """Those who ask during a reload share the next one: it sees a later change."""
        first, *others = (self.loader.reload() for _ in range(3))
        self.assertEqual(len(self.loader.reloads), 1)
        self.loader.reloads[0].callback(["first"])
        self.assertEqual(self.successResultOf(first), ["first"])
        self.assertEqual(len(self.loader.reloads), 2)
        self.loader.reloads[1].callback(["second"])
        self.assertEqual([self.successResultOf(one) for one in others], [["second"]] * 2)
        self.assertEqual(len(self.loader.reloads), 2)

    def test_reported(self) -> None:
        """Begin and end of each reload are reported, also of one that failed with a bug."""
        self.loader.reload()
        self.loader.reload()
        self.assertEqual(self.loader.reported, [True])
        self.loader.reloads[0].errback(RuntimeError())
        self.assertEqual(self.loader.reported, [True, False, True])
        self.loader.reloads[1].callback([])
        self.assertEqual(self.loader.reported, [True, False, True, False])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_asked_at_its_end(self) -> None:
        """Who asks when told of an end starts another reload."""
        again: list[Deferred[Sequence[str]]] = []
        self.loader.reload().addCallback(lambda _: again.append(self.loader.reload()))
        self.loader.reloads[0].callback([])
        self.loader.reloads[1].callback(["again"])
        self.assertEqual(self.successResultOf(again[0]), ["again"])

    def test_cancelled(self) -> None:
        """Who waits no more does not end the reload, nor the wait of others."""
        gone, other = self.loader.reload(), self.loader.reload()
        gone.cancel()
        self.failureResultOf(gone)
        self.loader.reloads[0].callback([])
        self.loader.reloads[1].callback([])
        self.assertEqual(self.successResultOf(other), [])

    def test_bug(self) -> None:
        """A bug is told without details, and the next reload works."""
        end = self.loader.reload()
        self.loader.reloads[0].errback(ZeroDivisionError("sesame"))
        self.assertEqual(
            self.successResultOf(end), ["config not reloaded because of a bug; see the log"]
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.loader.reload()
        self.assertEqual(len(self.loader.reloads), 2)


class Stub:
    """Notes how it is called, in place of the secret stores and of the runs."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def forget_failures(self) -> None:
        """Note it."""
        self.calls.append("forget failures")

    def collect_all(self) -> bool:
        """Start."""
        self.calls.append("all")
        return True

    def collect_one(self, label: str) -> bool:
        """Do not start."""
        self.calls.append(label)
        return False


class OrdersTests(SynchronousTestCase):
    """`Orders`."""

    def test_vault(self) -> None:
        """Each order asks the secret stores anew before it begins."""
        stub, loader = Stub(), HeldLoader()
        orders = Orders(loader, cast(Any, stub), cast(Any, stub), ResultBook(CollectionState()))
        orders.reload()
        self.assertEqual((len(loader.reloads), stub.calls), (1, ["forget failures"]))
        self.assertTrue(orders.collect(None))
        self.assertFalse(orders.collect("/p"))
        self.assertEqual(stub.calls[1:], ["forget failures", "all", "forget failures", "/p"])
