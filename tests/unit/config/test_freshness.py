"""Tests of `restic_reporter.config.freshness`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.freshness import parse_duration
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.schedule.cron import parse_cron
from tests.doubles.config_case import GOOD, ConfigCase

HOUR = 3600.0
DAILY = parse_cron("0 2 * * *")


class DurationTests(SynchronousTestCase):
    """`parse_duration`."""

    def test_good(self) -> None:
        """A duration is one or more numbers, each with its unit."""
        for text, seconds in (
            ("26h", 26 * HOUR), ("3d", 72 * HOUR), ("90m", 1.5 * HOUR), ("30s", 30), ("0s", 0),
            ("1d12h", 36 * HOUR), ("1.5d", 36 * HOUR), ("2w", 336 * HOUR), ("1y", 8760 * HOUR),
        ):  # fmt: skip
            self.assertEqual(parse_duration(text), seconds, text)

    def test_bad(self) -> None:
        """Anything else is refused, and the message shows the form."""
        values: tuple[Any, ...] = (
            "", "26", "h", "26 h", "-1h", "1h ", "1H", "3days", "1e3s", "٣d", 26, None, [],
        )  # fmt: skip
        for value in values:
            error = self.assertRaises(ValueError, parse_duration, value)
            self.assertIn("must be a duration such as '26h'", str(error))
        error = self.assertRaises(ValueError, parse_duration, "101y")
        self.assertEqual(str(error), "must be at most 100y, not '101y'")


class FreshnessKeysTests(ConfigCase):
    """The keys of an entry about freshness."""

    def freshness(self, **entry: Any) -> Freshness:
        """That of one entry."""
        return self.one(**entry).freshness

    def test_none(self) -> None:
        """Without these keys there is no limit."""
        self.assertEqual(self.freshness(), Freshness())

    def test_limits(self) -> None:
        """An entry has a maximum age, or a schedule with grace."""
        self.assertEqual(self.freshness(max_age="26h").limit, Limit(26 * HOUR))
        self.assertEqual(self.freshness(schedule="0 2 * * *").limit, Limit(None, DAILY, 6 * HOUR))
        limit = self.freshness(schedule="0 2 * * *", grace="0s").limit
        self.assertEqual(limit, Limit(None, DAILY, 0.0))

    def test_sets(self) -> None:
        """Expected sets have limits of their own, or none; names become label values."""
        freshness = self.freshness(
            expect=[
                {"host": "a"},
                {"host": "a", "user": "root", "max_age": "1h"},
                {"host": "b\n", "schedule": "0 2 * * *", "grace": "1h"},
            ],
            retired=[{"host": "old"}, {"host": "c", "user": "u"}],
            max_age="3d",
        )
        self.assertEqual(
            freshness.expected,
            {
                SetName("a"): None,
                SetName("a", "root"): Limit(HOUR),
                SetName("b\ufffd"): Limit(None, DAILY, HOUR),
            },
        )
        self.assertEqual(freshness.retired, {SetName("old"), SetName("c", "u")})
        self.assertEqual(freshness.limit_of("a", "root"), Limit(HOUR))
        self.assertEqual(freshness.limit_of("a", "x"), Limit(72 * HOUR))
        self.assertEqual(freshness.limit_of("b\ufffd", "x"), Limit(None, DAILY, HOUR))
        self.assertTrue(freshness.is_retired("old", "anybody"))
        self.assertTrue(freshness.is_retired("c", "u"))
        self.assertFalse(freshness.is_retired("c", "v"))

    def test_groups(self) -> None:
        """Groups are by paths, tags or both, in any order."""
        self.assertEqual(self.one(group_by=["tags", "paths"]).group_by, ("paths", "tags"))
        self.assertEqual(self.one().group_by, ())

    def test_defaults(self) -> None:
        """An entry's own kind of limit replaces the other one of the defaults."""
        defaults = {"schedule": "0 2 * * *", "grace": "1h"}
        config = self.build({"defaults": defaults, "repositories": [{**GOOD, "max_age": "1h"}]})
        self.assertEqual(config.repositories[0].freshness.limit, Limit(HOUR))
        config = self.build({"defaults": defaults, "repositories": [{**GOOD, "grace": "2h"}]})
        self.assertEqual(config.repositories[0].freshness.limit, Limit(None, DAILY, 2 * HOUR))

    def test_problems(self) -> None:
        """Each mistake has a message that names the key and the item."""
        both = {"max_age": "1h", "schedule": "0 2 * * *"}
        for entry, problem in (
            ({"max_age": 26},
             "max_age: must be a duration such as '26h', '3d' or '1d12h', not a number"),
            ({"max_age": "0s"}, "max_age: must be greater than 0"),
            ({"schedule": "0 2"}, "schedule: cron expression '0 2': needs five fields"),
            ({"schedule": 5}, "schedule: must be a string, not a number"),
            (both, "max_age and schedule: only one of them may be given"),
            ({"grace": "1h"}, "grace: needs the key 'schedule'"),
            ({"expect": {}}, "expect: must be a list of maps, not a map"),
            ({"expect": ["a"]}, "expect: item 1: must be a map, not a string"),
            ({"expect": [{"host": "a"}, {"hots": "b"}]},
             "expect: item 2: unknown key 'hots'; did you mean 'host'?"),
            ({"expect": [{"user": "a"}]}, "expect: item 1: the key 'host' is missing"),
            ({"expect": [{"host": ""}]}, "expect: item 1: host: must not be empty"),
            ({"expect": [{"host": "a", "user": 5}]},
             "expect: item 1: user: must be a string, not a number"),
            ({"expect": [{"host": "a"}] * 2}, "expect: item 2: duplicate host and user"),
            ({"expect": [{"host": "a", **both}]}, "expect: item 1: max_age and schedule: only one"),
            ({"expect": [{"host": "a", "max_age": "x"}]},
             "expect: item 1: max_age: must be a duration"),
            ({"retired": [{"host": "a", "max_age": "1h"}]},
             "retired: item 1: unknown key 'max_age'"),
            ({"expect": [{"host": "a", "user": "u"}], "retired": [{"host": "a"}]},
             "expect: the host 'a' is retired"),
            ({"group_by": ["host"]}, "group_by: must be a list of 'paths', 'tags' or both"),
            ({"group_by": "paths"}, "group_by: must be a list"),
            ({"group_by": ["tags", "tags"]}, "group_by: duplicate value"),
        ):  # fmt: skip
            self.assertIn(problem, self.problem({**GOOD, **entry}), entry)
