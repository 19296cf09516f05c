"""Tests of `restic_reporter.config.sharding`."""

import subprocess
import sys
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.sharding import MAX_COUNT, Shard, parse_shard, shard_of

LABELS = [f"rest:https://backup.example.com:8000/web-{number}" for number in range(6000)]

COUNTS = st.integers(1, MAX_COUNT)
ANY_TEXT = st.text(st.characters(exclude_categories=()))


class ParseTests(SynchronousTestCase):
    """`parse_shard`."""

    def test_good(self) -> None:
        """The number of the shard, from 0, and how many there are."""
        self.assertEqual(parse_shard("0/1"), Shard(0, 1))
        self.assertEqual(parse_shard("3/4"), Shard(3, 4))
        self.assertEqual(parse_shard(f"0/{MAX_COUNT}"), Shard(0, MAX_COUNT))

    def test_bad(self) -> None:
        """What is no shard is refused, and the message says why."""
        for text, problem in (
            ("4/4", "the last shard is 3/4"),
            ("1/0", "N must be 1 to 1000"),
            ("0/1001", "N must be 1 to 1000"),
            ("", "must be I/N"),
            ("1", "must be I/N"),
            ("-1/4", "must be I/N"),
            ("1/4/2", "must be I/N"),
            (" 1/4", "must be I/N"),
            ("1/4\n", "must be I/N"),
            ("\u0661/4", "must be I/N"),
            ("0/" + "9" * 5000, "must be I/N"),
        ):
            error = self.assertRaises(ValueError, parse_shard, text)
            self.assertIn(problem, str(error))

    @settings(deadline=None)
    @given(COUNTS, st.data())
    def test_written(self, count: int, data: st.DataObject) -> None:
        """A shard is written as it is read."""
        text = f"{data.draw(st.integers(0, count - 1))}/{count}"
        self.assertEqual(str(parse_shard(text)), text)


class ShardTests(SynchronousTestCase):
    """`shard_of`."""

    def test_pinned(self) -> None:
        """The hash is the one that it has always been: siblings of another version agree."""
        for label, shards in (
            ("", (0, 0, 2, 5, 472)),
            ("/srv/restic", (0, 0, 0, 7, 378)),
            ("rest:https://backup.example.com:8000/web-1", (0, 1, 1, 3, 970)),
            ("b2:bücket:päth", (0, 1, 1, 1, 952)),
            ("a lone \ud800", (0, 0, 0, 4, 95)),
        ):
            found = tuple(shard_of(label, count) for count in (1, 2, 3, 10, 1000))
            self.assertEqual(found, shards, label)

    def test_other_process(self) -> None:
        """Another process, whose own hashes are keyed otherwise, gives the same."""
        program = (
            "from restic_reporter.config.sharding import shard_of\n"
            "print(*(shard_of(f'/srv/{number}', 7) for number in range(50)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        expected = [shard_of(f"/srv/{number}", 7) for number in range(50)]
        self.assertEqual([int(word) for word in done.stdout.split()], expected)

    @settings(deadline=None)
    @given(ANY_TEXT, COUNTS)
    def test_exactly_one(self, label: str, count: int) -> None:
        """Whatever a label holds, one of the shards holds it."""
        self.assertIn(shard_of(label, count), range(count))
        few = min(count, 20)
        holders = [index for index in range(few) if Shard(index, few).holds(label)]
        self.assertEqual(holders, [shard_of(label, few)])

    @settings(deadline=None)
    @given(ANY_TEXT, COUNTS)
    def test_growth(self, label: str, count: int) -> None:
        """One more shard: a label stays where it is, or moves to the new one."""
        self.assertIn(shard_of(label, count + 1), (shard_of(label, count), count))

    def test_moves(self) -> None:
        """One more shard takes its fair share of all labels, and no others move."""
        for count in (1, 2, 3, 4, 7, 15, 31):
            moved = sum(shard_of(one, count) != shard_of(one, count + 1) for one in LABELS)
            fair = len(LABELS) / (count + 1)
            # Four standard deviations: with these labels it holds, and always will.
            self.assertLess(abs(moved - fair), 4 * fair**0.5, count)

    def test_balance(self) -> None:
        """The labels of one server, alike but for a number, are spread evenly."""
        for count in (2, 3, 8, 30):
            sizes = Counter(shard_of(one, count) for one in LABELS)
            fair = len(LABELS) / count
            self.assertEqual(len(sizes), count)
            for size in sizes.values():
                self.assertLess(abs(size - fair), 4 * fair**0.5, (count, size))
