"""Tests of `restic_reporter.model.copies`."""

from collections.abc import Sequence
from math import inf, nan
from random import Random

from hypothesis import given
from hypothesis import strategies as st
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

    @given(
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from([WEB, DB]), st.booleans())),
        st.randoms(),
    )
    def test_like_the_definition(self, some: list[tuple[int, Name, bool]], random: Random) -> None:
        """Whatever is copied, the numbers are those of their definition."""
        source = [
            (snapshot(NOW - days * DAY, name, b"%d" % number), copied)
            for number, (days, name, copied) in enumerate(some)
        ]
        random.shuffle(source)
        # Either half of an identity will do.
        copy = [
            random.choice([snapshot(0, None, one[2]), snapshot(0, None, b"x", one[3])])
            for one, copied in source
            if copied
        ]
        # Snapshots of one time and set look the same here.
        held = {key for one in copy for key in one[2:]}
        for name, found in compared([one for one, _ in source], copy).items():
            own = [one for one, _ in source if one[0] == name]
            there = [one[1] for one in own if not held.isdisjoint(one[2:])]
            lacking = [one[1] for one in own if held.isdisjoint(one[2:])]
            newest = max(one[1] for one in own)
            last = max(there, default=-inf)
            self.assertEqual(found.lag, newest - last)
            self.assertEqual(found.missing, sum(newest - time <= WINDOW for time in lacking))
            waiting = [time for time in lacking if time > last]
            self.assertEqual(found.waits_since, min(waiting, default=None))

    def test_steps(self) -> None:
        """Each slice and each set is a step of its own."""
        slices = [[snapshot(NOW)], [snapshot(NOW - DAY)], []]
        self.assertEqual(len(list(held_by(slices))), 3)
        self.assertEqual(len(list(compare({WEB: NOW}, slices, ()))), 4)
