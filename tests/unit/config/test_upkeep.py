"""Tests of `restic_reporter.config.upkeep`."""

from typing import Any

from restic_reporter.model.upkeep import Check, Upkeep
from restic_reporter.schedule.cron import parse_cron
from tests.doubles.config_case import GOOD, ConfigCase

SUNDAYS, DAILY = parse_cron("0 3 * * 0"), parse_cron("30 4 * * *")


class UpkeepKeysTests(ConfigCase):
    """The keys ``check`` and ``size_cron``."""

    def test_none(self) -> None:
        """Both are off unless an entry or the defaults have them."""
        self.assertEqual(self.one().upkeep, Upkeep())

    def test_check(self) -> None:
        """A check needs a schedule only; the timeout is 12 hours by default."""
        self.assertEqual(
            self.one(check={"cron": "0 3 * * 0"}).upkeep.check, Check(SUNDAYS, None, 12 * 3600.0)
        )
        check = {"cron": "0 3 * * 0", "read_data_subset": "5%", "timeout": "1d12h"}
        self.assertEqual(self.one(check=check).upkeep.check, Check(SUNDAYS, "5%", 36 * 3600.0))

    def test_size(self) -> None:
        """The size has a schedule of its own."""
        self.assertEqual(self.one(size_cron="30 4 * * *").upkeep, Upkeep(None, DAILY))

    def test_subsets(self) -> None:
        """All forms are known that restic knows."""
        for subset in ("1/1", "12/12", "256/256", "5%", "0.5%", "100%", "1b", "500M", "2G", "3t"):
            check = {"cron": "0 3 * * 0", "read_data_subset": subset}
            made = self.one(check=check).upkeep.check
            self.assertEqual(made and made.read_data_subset, subset)

    def test_defaults(self) -> None:
        """An entry's own value replaces that of the defaults as a whole; false turns it off."""
        defaults = {"check": {"cron": "0 3 * * 0", "timeout": "1h"}, "size_cron": "30 4 * * *"}
        own = {"check": {"cron": "30 4 * * *"}, "size_cron": False}
        entries = [GOOD, {**GOOD, "repo": "/q", **own}, {**GOOD, "repo": "/r", "check": False}]
        config = self.build({"defaults": defaults, "repositories": entries})
        self.assertEqual(
            [one.upkeep for one in config.repositories],
            [
                Upkeep(Check(SUNDAYS, None, 3600.0), DAILY),
                Upkeep(Check(DAILY)),
                Upkeep(None, DAILY),
            ],
        )

    def test_equal(self) -> None:
        """A repository with another schedule of checks need not be read anew."""
        self.assertEqual(self.one(check={"cron": "0 3 * * 0"}), self.one())

    def test_problems(self) -> None:
        """Each mistake has a message that names the key."""
        for check, problem in (
            ("0 3 * * 0", "must be a map such as {'cron': '0 3 * * 0'}, not a string"),
            (True, "must be a map such as {'cron': '0 3 * * 0'}, not true or false"),
            ({}, "the key 'cron' is missing"),
            ({"corn": "0 3 * * 0"}, "unknown key 'corn'; did you mean 'cron'?"),
            ({"cron": 3}, "cron: must be a string, not a number"),
            ({"cron": "0 3"}, "cron: cron expression '0 3': needs five fields"),
            ({"cron": "0 3 31 2 *"}, "cron: cron expression '0 3 31 2 *': matches no date"),
            ({"timeout": "12"}, "timeout: must be a duration such as '26h'"),
            ({"timeout": 12}, "timeout: must be a duration such as '26h'"),
            ({"timeout": "0s"}, "timeout: must be greater than 0 and at most a year, not '0s'"),
            ({"timeout": "2y"}, "timeout: must be greater than 0 and at most a year, not '2y'"),
        ):
            self.assertIn(f"check: {problem}", self.problem({**GOOD, "check": check}), check)
        for size, problem in ((True, "must be a string"), ("x", "cron expression 'x'")):
            self.assertIn(f"size_cron: {problem}", self.problem({**GOOD, "size_cron": size}))

    def test_bad_subsets(self) -> None:
        """A part that restic would refuse is refused at load."""
        form = "must be like '5%', '1/12' or '2G'"
        values: tuple[tuple[Any, str], ...] = (
            (5, f"{form}, not a number"),
            ("", f"{form}, not ''"),
            ("5 %", f"{form}, not '5 %'"),
            ("-5%", form), ("1/2/3", form), ("2GB", form), ("1.5G", form), ("٣%", form),
            ("all", form), ("1", form), ("0G", form),
            ("0/12", "no such part: '0/12'; the first is '1/12'"),
            ("13/12", "no such part: '13/12'; the first is '1/12'"),
            ("1/257", "must have at most 256 parts, not '1/257'"),
            ("0%", "must be more than 0% and at most 100%, not '0%'"),
            ("101%", "must be more than 0% and at most 100%, not '101%'"),
        )  # fmt: skip
        for value, problem in values:
            check = {"cron": "0 3 * * 0", "read_data_subset": value}
            shown = self.problem({**GOOD, "check": check})
            self.assertIn(f"check: read_data_subset: {problem}", shown, value)
