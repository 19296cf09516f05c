"""Tests of `restic_reporter.model.backup_sets`."""

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.backup_sets import FUTURE_TOLERANCE, distinct_labels
from restic_reporter.model.labels import MAX_LENGTH, sanitise
from restic_reporter.model.snapshots import BackupSet, Content, Snapshot
from tests.doubles.repositories import bare, count_sets

NOW = 1_700_000_000.0


def snapshot(time: float | None = NOW - 100, host: str | None = "h", user: str = "u") -> Snapshot:
    """A snapshot."""
    return Snapshot("0" * 64, time, host, user)


class CountTests(SynchronousTestCase):
    """`SetCounter`."""

    def test_empty(self) -> None:
        """A repository without snapshots has no sets."""
        self.assertEqual(count_sets([], NOW), Content(0, 0, 0, (), 0, None))

    def test_sets(self) -> None:
        """A set is host and user; it has a count, a newest and an oldest."""
        content = count_sets(
            [
                snapshot(NOW - 5),
                snapshot(NOW - 50),
                snapshot(NOW - 20),
                snapshot(NOW - 7, "h", "v"),
                snapshot(NOW - 9, "a", "u"),
            ],
            NOW,
        )
        self.assertEqual(
            bare(content),
            (
                BackupSet("a", "u", 1, NOW - 9, NOW - 9),
                BackupSet("h", "u", 3, NOW - 5, NOW - 50),
                BackupSet("h", "v", 1, NOW - 7, NOW - 7),
            ),
        )
        self.assertEqual(content.snapshot_count, 5)

    def test_future(self) -> None:
        """A snapshot more than an hour ahead counts, and is nobody's newest until then."""
        ahead = NOW + FUTURE_TOLERANCE
        content = count_sets([snapshot(ahead + 8), snapshot(NOW - 5), snapshot(ahead + 3)], NOW)
        self.assertEqual((content.snapshot_count, content.future_count), (3, 2))
        self.assertEqual(bare(content), (BackupSet("h", "u", 3, NOW - 5, NOW - 5),))
        self.assertEqual(content.matures_at, NOW + 3)

    def test_within_tolerance(self) -> None:
        """Up to an hour ahead is a client's clock that is a little fast."""
        content = count_sets([snapshot(NOW + FUTURE_TOLERANCE)], NOW)
        self.assertEqual((content.future_count, content.matures_at), (0, None))
        self.assertEqual(content.sets[0].newest, NOW + FUTURE_TOLERANCE)

    def test_matured(self) -> None:
        """At the time that `matures_at` tells, the future snapshot is like any other."""
        ahead = snapshot(NOW + 2 * FUTURE_TOLERANCE)
        matures_at = count_sets([ahead], NOW).matures_at
        assert matures_at is not None
        content = count_sets([ahead], matures_at)
        self.assertEqual((content.future_count, content.sets[0].newest), (0, ahead.time))

    def test_invalid(self) -> None:
        """An unusable snapshot counts for its set, which may be left without a newest."""
        content = count_sets([snapshot(None)], NOW)
        self.assertEqual((content.snapshot_count, content.invalid_count), (1, 1))
        self.assertEqual(bare(content), (BackupSet("h", "u", 1, None, None),))

    def test_without_names(self) -> None:
        """A snapshot whose very names are unusable belongs to no set."""
        content = count_sets([snapshot(None, None)], NOW)
        self.assertEqual((content.snapshot_count, content.invalid_count, content.sets), (1, 1, ()))

    def test_before_1970(self) -> None:
        """Times before 1970 are times."""
        content = count_sets([snapshot(-5.0), snapshot(0.0)], NOW)
        self.assertEqual(bare(content), (BackupSet("h", "u", 2, 0.0, -5.0),))

    def test_limit(self) -> None:
        """Beyond the limit the sets with more snapshots are kept, and the rest counted."""
        flood = [snapshot(host=f"a{number}") for number in range(10)]
        content = count_sets([*flood, snapshot(host="z"), snapshot(host="z")], NOW, limit=3)
        self.assertEqual([one.host for one in content.sets], ["a0", "a1", "z"])
        self.assertEqual((content.dropped_sets, content.snapshot_count), (8, 12))

    def test_known_first(self) -> None:
        """The sets that were shown so far are kept first."""
        flood = [snapshot(host=f"a{number}") for number in range(10)] * 2
        content = count_sets([*flood, snapshot(host="z")], NOW, known={("z", "u")}, limit=3)
        self.assertEqual([one.host for one in content.sets], ["a0", "a1", "z"])

    def test_flood(self) -> None:
        """Of 100,000 invented hosts a limited number is shown, and the known ones all the same."""
        flood = (snapshot(host=f"a{number}") for number in range(100_000))
        known = [snapshot(host=f"known\n{number}", user="k") for number in range(5)]
        labels = {(sanitise(f"known\n{number}"), "k") for number in range(5)}
        labels = {(one.host, one.user) for one in count_sets(known, NOW).sets} | labels
        content = count_sets([*flood, *known], NOW, known=labels)
        self.assertEqual(len(content.sets), 1000)
        self.assertEqual(content.snapshot_count, 100_005)
        self.assertEqual(content.dropped_sets, 99_005)

    def test_known_after_a_flood(self) -> None:
        """A known set whose snapshots come after a flood is shown."""
        flood = [snapshot(host=f"a{number}") for number in range(100)]
        content = count_sets([*flood, snapshot(host="z")], NOW, known={("z", "u")}, limit=3)
        self.assertIn("z", [one.host for one in content.sets])

    @settings(deadline=None)
    @given(
        st.lists(
            st.builds(
                snapshot,
                st.none() | st.floats(0, 2 * NOW),
                st.none() | st.sampled_from(["a", "b\n", "b\t", ""]),
                st.sampled_from(["u", "v"]),
            )
        )
    )
    def test_sums(self, snapshots: list[Snapshot]) -> None:
        """Every snapshot with names is in one set, in whatever order they come."""
        content = count_sets(snapshots, NOW)
        named = [one for one in snapshots if one.host is not None]
        self.assertEqual(sum(one.snapshot_count for one in content.sets), len(named))
        self.assertEqual(len(content.sets), len({(one.host, one.user) for one in named}))
        self.assertEqual(count_sets(reversed(snapshots), NOW), evolve(content))
        times = [one.time for one in snapshots if one.time is not None]
        future = [time for time in times if time > NOW + FUTURE_TOLERANCE]
        self.assertEqual(content.snapshot_count, len(snapshots))
        self.assertEqual(content.invalid_count, len(snapshots) - len(times))
        self.assertEqual(content.future_count, len(future))
        matures_at = min(future) - FUTURE_TOLERANCE if future else None
        self.assertEqual(content.matures_at, matures_at)
        labels = distinct_labels([(one.host, one.user) for one in named if one.host is not None])
        for name, shown in labels.items():
            (found,) = [one for one in content.sets if (one.host, one.user) == shown]
            own = [one.time for one in named if (one.host, one.user) == name]
            usable = [time for time in own if time is not None and time not in future]
            self.assertEqual(
                (found.snapshot_count, found.newest, found.oldest),
                (len(own), max(usable, default=None), min(usable, default=None)),
            )


class DistinctLabelsTests(SynchronousTestCase):
    """`distinct_labels`."""

    def test_plain(self) -> None:
        """Names that can be shown as they are keep themselves."""
        self.assertEqual(distinct_labels([("a", "b")]), {("a", "b"): ("a", "b")})

    def test_collision(self) -> None:
        """Of names that would look alike, the altered ones get a hash; a true one keeps itself."""
        names = [("a\n", "u"), ("a\t", "u"), ("a\ufffd", "u")]
        labels = distinct_labels(names)
        self.assertEqual(labels["a\ufffd", "u"], ("a\ufffd", "u"))
        for name in names[:2]:
            self.assertRegex(labels[name][0], "\\Aa\ufffd~[0-9a-f]{8}\\Z")
        self.assertEqual(len(set(labels.values())), 3)

    def test_occupied_hash(self) -> None:
        """Not even a name that is another's label with its hash becomes one with it."""
        first = distinct_labels([("a\n", "u"), ("a\ufffd", "u")])["a\n", "u"]
        labels = distinct_labels([("a\n", "u"), ("a\ufffd", "u"), first])
        self.assertEqual(labels[first], first)
        self.assertEqual(len(set(labels.values())), 3)

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(
                *[st.text(st.sampled_from("a\n\t\x00\ufffd\ud800"), max_size=3)
                  | st.sampled_from(["x" * 300, "x" * 299 + "\n", "x" * 255])] * 2
            ),
            unique=True,
        )
    )  # fmt: skip
    def test_injective(self, names: list[tuple[str, str]]) -> None:
        """No two names ever become one label, and each is a label as it should be."""
        labels = distinct_labels(names)
        self.assertEqual(set(labels), set(names))
        self.assertEqual(len(set(labels.values())), len(names))
        for host, user in labels.values():
            self.assertEqual((sanitise(host), sanitise(user)), (host, user))
            self.assertTrue(len(host) <= MAX_LENGTH and len(user) <= MAX_LENGTH)
