"""The page on writing backends shows the code of the worked example, all of it."""

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.environments import SNAPDIR
from tests.real.test_docs import DOCS, code_blocks

FILES = (
    "restic_reporter_snapdir/__init__.py",
    "twisted/plugins/restic_reporter_snapdir_dropin.py",
    "setup.cfg",
    "pyproject.toml",
)

# Of this a part is shown.
TESTS = "test_snapdir.py"


class WritingABackendTests(SynchronousTestCase):
    """docs/writing-a-backend.md against examples/backend-snapdir."""

    def setUp(self) -> None:
        """Read both."""
        blocks = code_blocks((DOCS / "writing-a-backend.md").read_text())
        self.blocks = [one.strip("\n") for one in blocks if not one.startswith(("$ ", '{"repo"'))]
        self.files = {name: (SNAPDIR / name).read_text() for name in FILES}

    def test_shown_is_there(self) -> None:
        """Every piece of code on the page stands like that in the example."""
        whole = "\n".join([*self.files.values(), (SNAPDIR / TESTS).read_text()])
        self.assertEqual([one for one in self.blocks if f"{one}\n" not in whole], [])
        self.assertGreater(len(self.blocks), 5)

    def test_all_is_shown(self) -> None:
        """Nothing of the example's files is left out on the page."""
        for name, text in self.files.items():
            for block in sorted(self.blocks, key=len, reverse=True):
                text = text.replace(block, "")
            self.assertEqual(text.strip(), "", name)
