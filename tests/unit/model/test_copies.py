"""Tests of `restic_reporter.model.copies`."""

from collections.abc import Sequence
from math import inf, nan

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.backup_sets import Name
from restic_reporter.model.copies import WINDOW, SetCopy, compare, held_by
from restic_reporter.model.rows import Identity

HOUR, DAY = 3600.0, 86400.0
NOW = 1_700_000_000.0
WEB, DB = ("web-1", "root"), ("db-1", "root")


def snapshot(
    time: float, name: Name | None = WEB, first: bytes = b"", likeness: bytes = b""
) -> Identity:
    """A snapshot, by default one that only its set and its time tell apart."""
    own = f"{name} {time}".encode()
    return name, time, first or b"id " + own, likeness or b"like " + own


def compared(source: Sequence[Identity], copy: Sequence[Identity]) -> dict[Name, SetCopy]:
    """How much of the sets of ``source`` the ``copy`` has, each given in two slices."""
    half = len(source) // 2
    held = at_once(held_by([copy[:1], copy[1:]]))
    latest: dict[Name, float] = {}
    for name, time, *_ in source:
        if name is not None and time == time and time <= NOW:
            latest[name] = max(time, latest.get(name, time))
    return at_once(compare(latest, [source[:half], source[half:]], held))


class CompareTests(SynchronousTestCase):
    """`compare` and `held_by`."""

    def test_complete(self) -> None:
        """A copy with all snapshots lacks none, in whatever order; it may have more."""
        source = [snapshot(NOW - days * DAY) for days in range(5)]
        others = [snapshot(NOW, DB), snapshot(NOW - 99 * DAY)]
        self.assertEqual(compared(source, [*others, *source[::-1]]), {WEB: SetCopy(0.0, 0)})

    def test_empty_copy(self) -> None:
        """A copy without any snapshot of the set lags without an end."""
        source = [snapshot(NOW), snapshot(NOW - DAY)]
        self.assertEqual(compared(source, []), {WEB: SetCopy(inf, 2, NOW - DAY)})
        self.assertEqual(compared(source, [snapshot(NOW, DB)]), {WEB: SetCopy(inf, 2, NOW - DAY)})

    def test_lag(self) -> None:
        """The newest snapshot that the copy has tells how far it is behind."""
        source = [snapshot(NOW), snapshot(NOW - HOUR), snapshot(NOW - 5 * HOUR)]
        self.assertEqual(compared(source, source[2:]), {WEB: SetCopy(5 * HOUR, 2, NOW - HOUR)})

    def test_missing_in_the_middle(self) -> None:
        """A copy with the newest snapshot does not lag; older ones can be missing."""
        source = [snapshot(NOW - days * DAY) for days in range(10)]
        copy = [one for place, one in enumerate(source) if place not in (3, 4, 7)]
        self.assertEqual(compared(source, copy), {WEB: SetCopy(0.0, 3)})

    def test_waiting(self) -> None:
        """A set waits since its oldest snapshot after those that the copy has."""
        source = [snapshot(NOW - days * DAY) for days in (0, 2, 3, 5, 8, 9)]
        copy = [source[3], source[5]]
        self.assertEqual(compared(source, copy), {WEB: SetCopy(5 * DAY, 4, NOW - 3 * DAY)})

    def test_window(self) -> None:
        """Missing ones are counted back to 30 days before the set's newest, and no further."""
        newest = NOW - 200 * DAY
        source = [snapshot(newest - age) for age in (0, WINDOW, WINDOW + 1)]
        self.assertEqual(compared(source, source[:1]), {WEB: SetCopy(0.0, 1)})
        # An older one tells the lag all the same.
        self.assertEqual(
            compared(source, source[2:]), {WEB: SetCopy(WINDOW + 1, 2, newest - WINDOW)}
        )

    def test_first_id(self) -> None:
        """A snapshot with the same first id is the same, whatever else was changed."""
        source = [snapshot(NOW, first=b"a", likeness=b"here")]
        copy = [snapshot(NOW - 7, DB, first=b"a", likeness=b"there")]
        self.assertEqual(compared(source, copy), {WEB: SetCopy(0.0, 0)})

    def test_likeness(self) -> None:
        """So is one that looks the same, if an id was lost."""
        source = [snapshot(NOW, first=b"a", likeness=b"same")]
        copy = [snapshot(NOW, first=b"b", likeness=b"same")]
        self.assertEqual(compared(source, copy), {WEB: SetCopy(0.0, 0)})

    def test_sets(self) -> None:
        """Each set has its own numbers."""
        source = [snapshot(NOW), snapshot(NOW - HOUR, DB), snapshot(NOW - DAY, DB)]
        copy = [source[0], source[2]]
        behind = SetCopy(23 * HOUR, 1, NOW - HOUR)
        self.assertEqual(compared(source, copy), {WEB: SetCopy(0.0, 0), DB: behind})

    def test_ignored(self) -> None:
        """Invalid snapshots, those from the future and those without a set do not count."""
        source = [snapshot(NOW), snapshot(nan), snapshot(NOW + DAY), snapshot(NOW - HOUR, None)]
        self.assertEqual(compared(source, source[:1]), {WEB: SetCopy(0.0, 0)})
        self.assertEqual(compared([snapshot(nan)], []), {})

    def test_steps(self) -> None:
        """Each slice and each set is a step of its own."""
        slices = [[snapshot(NOW)], [snapshot(NOW - DAY)], []]
        self.assertEqual(len(list(held_by(slices))), 3)
        self.assertEqual(len(list(compare({WEB: NOW}, slices, ()))), 4)
