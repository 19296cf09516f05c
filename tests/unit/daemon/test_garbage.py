"""Tests of `restic_reporter.daemon.garbage`."""

import gc
import weakref
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.daemon.garbage import long_lived, set_apart


class Node:
    """An object that is part of a cycle: itself."""

    def __init__(self) -> None:
        self.me = self


class GarbageTests(SynchronousTestCase):
    """`set_apart` and `long_lived`, with automatic collections off."""

    def setUp(self) -> None:
        """No collection but those that are asked for."""
        self.addCleanup(gc.enable)
        gc.disable()
        gc.collect()
        self.addCleanup(gc.unfreeze)
        self.found = gc.get_freeze_count()
        self.kept: list[Node] = []

    def build(self, resting: Callable[[], object] = lambda: 1, error: bool = False) -> object:
        """Make garbage and an object to keep within `long_lived`; a reference to the garbage."""
        with long_lived(resting):
            self.kept.append(Node())
            garbage = weakref.ref(Node())
            if error:
                raise ValueError
        return garbage()

    def test_set_apart(self) -> None:
        """Garbage goes, and all else is out of reach of later collections."""
        garbage = weakref.ref(Node())
        kept = Node()
        set_apart()
        self.assertIsNone(garbage())
        self.assertIs(kept.me, kept)
        self.assertFalse(any(one is kept for one in gc.get_objects()))

    def test_long_lived(self) -> None:
        """What was made and is kept is set apart, without the garbage that was made with it."""
        self.assertIsNone(self.build())
        self.assertFalse(any(one is self.kept[0] for one in gc.get_objects()))

    def test_side_by_side(self) -> None:
        """A reload may begin while a restart's values are restored, and end later."""
        before = gc.get_threshold()
        first, second = long_lived(lambda: 1), long_lived(lambda: 1)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        self.assertGreater(gc.get_threshold()[2], 10**9)
        second.__exit__(None, None, None)
        self.assertEqual(gc.get_threshold(), before)

    def test_full_collections(self) -> None:
        """There is none of everything meanwhile; all is as before afterwards, an error too."""
        before = gc.get_threshold()
        with long_lived(lambda: 1):
            self.assertEqual(gc.get_threshold()[:2], before[:2])
            self.assertGreater(gc.get_threshold()[2], 10**9)
        self.assertEqual(gc.get_threshold(), before)
        with self.assertRaises(ValueError):
            self.build(error=True)
        self.assertEqual(gc.get_threshold(), before)

    def test_after_an_error(self) -> None:
        """What was made until an error is left to be collected."""
        with self.assertRaises(ValueError):
            self.build(error=True)
        self.assertEqual(gc.get_freeze_count(), self.found)

    def test_at_work(self) -> None:
        """Nor is anything set apart while something is at work, or was meanwhile."""
        self.build(lambda: 0)
        numbers = iter((1, 2))
        self.build(lambda: next(numbers))
        self.assertEqual(gc.get_freeze_count(), self.found)
