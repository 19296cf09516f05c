"""Tests of `restic_reporter.collection.reader_choice`."""

from typing import Any

from attrs import Factory, evolve, frozen
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.reader_choice import Readers
from restic_reporter.model.settings import BackendSettings
from restic_reporter.plugin import BackendMaker
from restic_reporter.testing import MemoryReader
from tests.doubles.repositories import repository

LISTED = BackendMaker("listed", ("b2", "x"), "no.such")
LOCATED = BackendMaker("located", ("x",), "no.such", locates=True)

# Those of a repository that restic cannot reach.
UNREACHED = BackendSettings(restic_reads=False)

ROLE = BackendSettings(restic_only="a role")


@frozen
class Case:
    """A repository's scheme, who lists it, what its entry says, and what reads it."""

    scheme: str
    maker: BackendMaker | None
    expected: str
    has_restic: bool = True
    default: str = "auto"
    own: dict[str, Any] = Factory(dict)


class ReadersTests(SynchronousTestCase):
    """`Readers`."""

    def choose(self, case: Case) -> str:
        """The name of the reader."""
        readers = Readers(
            MemoryReader(name="restic"),
            MemoryReader(name="native"),
            case.default,
            lambda: case.has_restic,
        )
        one = evolve(repository(), scheme=case.scheme, **case.own)
        return readers.reader_of(one, case.maker).name

    def test_choice(self) -> None:
        """An entry's own word counts before the daemon's; ``auto`` is what can read it."""
        for case in (
            Case("b2", LISTED, "restic"),
            Case("b2", LISTED, "native", has_restic=False),
            Case("b2", LISTED, "native", own={"settings": UNREACHED}),
            Case(
                "b2",
                LISTED,
                "restic",
                own={"settings": UNREACHED, "reader": "restic"},
            ),
            Case("b2", LISTED, "native", default="native"),
            Case("b2", LISTED, "restic", default="native", own={"reader": "restic"}),
            Case("b2", LISTED, "native", default="restic", own={"reader": "native"}),
            Case("b2", LISTED, "restic", default="native", own={"reader": "auto"}),
            Case("s3", None, "restic"),
            Case("s3", None, "restic", has_restic=False),
            Case("b2", LISTED, "restic", has_restic=False, own={"settings": ROLE}),
            Case("x", LISTED, "native"),
            Case("x", LOCATED, "restic"),
            Case("x", LOCATED, "native", has_restic=False),
            # Its plugin is broken: no reader will be asked.
            Case("x", None, "native", default="native"),
            Case("x", None, "restic", default="restic"),
        ):
            self.assertEqual(self.choose(case), case.expected, case)

    def test_none(self) -> None:
        """A reader that cannot read the repository is refused."""
        for case, problem in (
            (Case("s3", None, "", default="native"), "'native' does not support 's3'"),
            (Case("s3", None, "", own={"reader": "native"}), "'native' does not support 's3'"),
            (
                Case("b2", LISTED, "", default="native", own={"settings": ROLE}),
                "reader: 'native' cannot read it: a role",
            ),
            (Case("x", LISTED, "", default="restic"), "'restic' does not support 'x'"),
        ):
            error = self.assertRaises(ValueError, self.choose, case)
            self.assertIn(problem, str(error))
