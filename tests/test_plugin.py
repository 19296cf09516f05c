"""Tests of `restic_reporter.plugin`."""

from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.config import Repository
from restic_reporter.interfaces import BackendTools, IBackendMaker
from restic_reporter.plugin import BackendMaker

from .repositories import MemoryBackend, Storage, no_tools, repository


def memory_backend(repository: Repository, tools: BackendTools) -> MemoryBackend:
    """What a maker is told to call."""
    return MemoryBackend(Storage())


class _Failing(type):
    def __getattr__(cls, name: str) -> None:
        raise ValueError("two\nlines")


class Failing(metaclass=_Failing):
    """Fails in the way of a module with a bug, when it is looked into."""


class BackendMakerTests(SynchronousTestCase):
    """`BackendMaker`."""

    def test_contract(self) -> None:
        """It is a plugin and a backend maker."""
        maker = BackendMaker("x", ["x"], "none")
        self.assertTrue(verifyObject(IPlugin, maker))
        self.assertTrue(verifyObject(IBackendMaker, maker))

    def test_make(self) -> None:
        """It imports and calls what it names, only when a backend is made."""
        tools = no_tools()
        maker = BackendMaker("x", ("x",), f"{__name__}.memory_backend")
        self.assertIsInstance(maker.make(repository(), tools), MemoryBackend)

    def test_factory_that_cannot_be_had(self) -> None:
        """Whatever goes wrong in importing is an ImportError: it does not speak of the config."""
        for factory, problem in (
            ("no_such_package.Backend", "ObjectNotFound: "),
            (f"{__name__}.no_such_name", "AttributeError: "),
            ("..", "InvalidName: "),
            (f"{__name__}.Failing.make", "ValueError: two lines"),
        ):
            maker = BackendMaker("x", ("x",), factory)
            error = self.assertRaises(ImportError, maker.make, repository(), no_tools())
            self.assertIn(f"{factory} cannot be imported: {problem}", str(error))

    def test_schemes(self) -> None:
        """A string, which would give a scheme for each letter, is refused."""
        self.assertRaises(TypeError, BackendMaker, "x", "xyz", "none")
