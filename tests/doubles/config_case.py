"""What the tests of the config have in common."""

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.context import ConfigContext
from restic_reporter.config.load import build_config
from restic_reporter.interfaces import IBackendMaker
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Config, Repository
from restic_reporter.plugin import BackendMaker
from restic_reporter.plugin.discovery import by_scheme, installed_plugins


def installed() -> dict[str, IBackendMaker]:
    """The makers of the backends that come with the program, by scheme."""
    return by_scheme(installed_plugins().makers)


GOOD = {"repo": "/p", "password": "x"}
MARKER = "hunter2marker"


class ConfigCase(SynchronousTestCase):
    """Helpers for configs in a folder of their own."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file into the folder."""
        raw = content if isinstance(content, bytes) else content.encode()
        (self.directory / name).write_bytes(raw)

    def build(self, document: Any, schemes: tuple[str, ...] = ()) -> Config:
        """The config in a document."""
        return build_config(document, "c.json", self.context(schemes))

    def context(self, schemes: tuple[str, ...] = (), **more: Any) -> ConfigContext:
        """The folder, the backends that are installed and others, and the store ``vault``."""
        makers = {**installed(), **{one: BackendMaker(one, (one,), "no.where") for one in schemes}}
        return ConfigContext(str(self.directory), makers, **{"stores": ("vault",), **more})

    def one(self, **entry: Any) -> Repository:
        """The repository of one good entry."""
        (repository,) = self.build([{**GOOD, **entry}]).repositories
        return repository

    def problems(self, document: Any) -> list[str]:
        """All that is wrong with a document."""
        return list(self.assertRaises(ConfigError, self.build, document).problems)

    def problem(self, entry: Any) -> str:
        """The one thing that is wrong with an entry."""
        (problem,) = self.problems([entry])
        self.assertTrue(problem.startswith("c.json: entry 1: "), problem)
        return problem.removeprefix("c.json: entry 1: ")
