"""Tests of `restic_reporter.config.copies`: the key ``copies``."""

import difflib
from typing import Any

from restic_reporter.config.load import build_config
from restic_reporter.model.repository import Config
from tests.doubles.config_case import MARKER, ConfigCase

FIRST, SECOND, THIRD = "rest:https://one/a", "rest:https://two/a", "rest:https://three/a"


def entry(repo: str = FIRST, *copies: str, **more: Any) -> dict[str, Any]:
    """An entry with its copies, if there are any."""
    return {"repo": repo, "password": "x", **({"copies": list(copies)} if copies else {}), **more}


class CopiesTests(ConfigCase):
    """The copies of each entry, in a good config."""

    def copies(self, config: Config) -> dict[str, tuple[str, ...]]:
        """Return those of each repository."""
        return {one.url: one.copies for one in config.repositories}

    def identified(self, config: Config) -> list[str]:
        """Return the repositories that take part."""
        return [one.url for one in config.repositories if one.identified]

    def test_none(self) -> None:
        """Without the key, or with an empty list, nothing is compared."""
        config = self.build([entry(), entry(SECOND, copies=[])])
        self.assertEqual(self.copies(config), {FIRST: (), SECOND: ()})
        self.assertEqual(self.identified(config), [])
        self.assertEqual(config.warnings, ())

    def test_both_sides(self) -> None:
        """An entry names its copies, before or after it; both sides are identified."""
        config = self.build([entry(SECOND), entry(FIRST, SECOND), entry(THIRD)])
        self.assertEqual(self.copies(config), {SECOND: (), FIRST: (SECOND,), THIRD: ()})
        self.assertEqual(self.identified(config), [SECOND, FIRST])

    def test_chain(self) -> None:
        """A copy can have copies, and two repositories can be copies of each other."""
        config = self.build([entry(FIRST, SECOND, THIRD), entry(SECOND, FIRST), entry(THIRD)])
        self.assertEqual(self.copies(config), {FIRST: (SECOND, THIRD), SECOND: (FIRST,), THIRD: ()})
        self.assertEqual(self.identified(config), [FIRST, SECOND, THIRD])

    def test_defaults(self) -> None:
        """The key may be in the defaults, and an empty list of an entry replaces it."""
        document = {
            "defaults": {"copies": [SECOND]},
            "repositories": [entry(FIRST), entry(SECOND, copies=[])],
        }
        self.assertEqual(self.copies(self.build(document)), {FIRST: (SECOND,), SECOND: ()})

    def test_passwords_in_urls(self) -> None:
        """A copy may be named as it is written, or by its label."""
        written, label = "rest:http://u:secret@h/", "rest:http://u:***@h/"
        for copy in (written, label):
            config = self.build([entry(FIRST, copy), entry(written)])
            self.assertEqual(self.copies(config)[FIRST], (label,))

    def test_a_change_of_copies_reads_nothing_anew(self) -> None:
        """An entry with other copies is the same; one that begins to take part is another."""
        (alone, *_) = self.build([entry(), entry(SECOND), entry(THIRD)]).repositories
        (one, *_) = self.build([entry(FIRST, SECOND), entry(SECOND), entry(THIRD)]).repositories
        (two, *_) = self.build([entry(FIRST, THIRD), entry(SECOND), entry(THIRD)]).repositories
        self.assertEqual(one, two)
        self.assertNotEqual(alone, one)


class ElsewhereTests(ConfigCase):
    """Copies that this daemon does not read."""

    def test_disabled(self) -> None:
        """A disabled copy is valid, causes a warning, and is not compared."""
        config = self.build([entry(FIRST, SECOND, THIRD), {"repo": SECOND, "disabled": True},
                             entry(THIRD)])  # fmt: skip
        self.assertEqual(config.repositories[0].copies, (THIRD,))
        self.assertEqual(
            config.warnings,
            (f"c.json: entry 1: copies: {SECOND!r} is disabled or in another shard; not compared",),
        )

    def test_only_elsewhere(self) -> None:
        """A repository whose only copy is elsewhere takes no part itself."""
        (one,) = self.build([entry(FIRST, SECOND), {"repo": SECOND, "disabled": True}]).repositories
        self.assertEqual((one.copies, one.identified), ((), False))

    def test_another_shard(self) -> None:
        """So is a copy in another shard. Its own entry has no warning here."""
        context = self.context(holds=lambda label: label == FIRST)
        config = build_config([entry(FIRST, SECOND), entry(SECOND, FIRST)], "c.json", context)
        ((one,), (warning,)) = config.repositories, config.warnings
        self.assertEqual((one.copies, one.identified), ((), False))
        self.assertIn("entry 1: copies: 'rest:https://two/a' is disabled or", warning)

    def test_every_shard_checks_all(self) -> None:
        """A mistake in an entry of another shard is found too."""
        context = self.context(holds=lambda label: label == FIRST)
        with self.assertRaisesRegex(Exception, "entry 2: copies: item 1: no entry has the repo"):
            build_config([entry(FIRST), entry(SECOND, "/x")], "c.json", context)


class ProblemTests(ConfigCase):
    """Mistakes."""

    def test_no_list(self) -> None:
        """The value is a list of strings."""
        for value, problem in (
            (SECOND, "must be a list of repositories, not a string"),
            (None, "must be a list of repositories, not null"),
            ([1], "item 1: must be a string, not a number"),
            ([SECOND, ""], "item 2: must not be empty"),
        ):
            problems = self.problems([entry(copies=value), entry(SECOND)])
            self.assertEqual(problems, [f"c.json: entry 1: copies: {problem}"])

    def test_unknown(self) -> None:
        """An unknown repository is an error, with the nearest one that there is."""
        self.assertEqual(
            self.problems([entry(FIRST, "rest:https://tow/a", "/x"), entry(SECOND)]),
            [
                "c.json: entry 1: copies: item 1: no entry has the repo 'rest:https://tow/a';"
                f" did you mean {SECOND!r}?",
                "c.json: entry 1: copies: item 2: no entry has the repo '/x'",
            ],
        )

    def test_itself(self) -> None:
        """An entry is not its own copy."""
        self.assertEqual(
            self.problems([entry(FIRST, FIRST)]),
            [f"c.json: entry 1: copies: item 1: {FIRST!r} is the entry itself; name another one"],
        )

    def test_duplicate(self) -> None:
        """A copy is named once."""
        self.assertEqual(
            self.problems([entry(FIRST, SECOND, SECOND), entry(SECOND)]),
            [f"c.json: entry 1: copies: item 2: duplicate value {SECOND!r}"],
        )

    def test_invalid_copy(self) -> None:
        """An entry with mistakes of its own is known all the same."""
        self.assertEqual(
            self.problems([entry(FIRST, SECOND), {"repo": SECOND}]),
            ["c.json: entry 2: the repository's password is missing; add one of"
             " password, password_file, password_command, vault_material"],
        )  # fmt: skip

    def test_disabled_entry(self) -> None:
        """The copies of a disabled entry are not looked up, but they must be strings."""
        self.build([entry(FIRST, "/x", disabled=True)])
        self.assertIn("copies: must be", self.problem(entry(copies=1, disabled=True)))

    def test_secrets(self) -> None:
        """A URL that hides a password in a strange place is not shown."""
        url = f"rest:http://user:a/{MARKER}@host/"
        (problem,) = self.problems([entry(FIRST, url)])
        self.assertNotIn(MARKER, problem)
        self.assertIn("no entry has the repo a URL with '@'", problem)

    def test_few_hints(self) -> None:
        """Looking for the nearest of ten thousand labels takes long, so not each has a hint."""
        looked = []

        def look(label: str, *_: Any, **__: Any) -> list[str]:
            looked.append(label)
            return []

        self.patch(difflib, "get_close_matches", look)
        self.problems([entry(f"/{n}", f"/x{n}") for n in range(100)])
        self.assertEqual(len(looked), 10)
