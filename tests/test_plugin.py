"""Tests of `restic_reporter.plugin`."""

from attrs import define
from twisted.plugin import IPlugin
from twisted.python.reflect import ObjectNotFound
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from restic_reporter.config import Repository
from restic_reporter.interfaces import BackendTools, IBackend, IBackendMaker
from restic_reporter.plugin import BackendMaker, by_scheme, installed_backend_makers

from .repositories import MemoryBackend, Storage, no_tools, repository


def memory_backend(repository: Repository, tools: BackendTools) -> MemoryBackend:
    """What a maker is told to call."""
    return MemoryBackend(Storage())


@implementer(IPlugin, IBackendMaker)
@define
class OtherMaker:
    """A maker of somebody else's kind."""

    name: str = "other"
    schemes: tuple[str, ...] = ("x",)

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """Not called."""
        raise NotImplementedError


class BackendMakerTests(SynchronousTestCase):
    """`BackendMaker`."""

    def test_contract(self) -> None:
        """It is a plugin and a backend maker."""
        maker = BackendMaker("x", ["x"], "none")
        self.assertTrue(verifyObject(IPlugin, maker))
        self.assertTrue(verifyObject(IBackendMaker, maker))
        self.assertTrue(verifyObject(IBackendMaker, OtherMaker()))

    def test_make(self) -> None:
        """It imports and calls what it names, only when a backend is made."""
        tools = no_tools()
        maker = BackendMaker("x", ("x",), f"{__name__}.memory_backend")
        self.assertIsInstance(maker.make(repository(), tools), MemoryBackend)
        missing = BackendMaker("x", ("x",), "no_such_package.Backend")
        self.assertRaises(ObjectNotFound, missing.make, repository(), tools)


class BySchemeTests(SynchronousTestCase):
    """`by_scheme` and `installed_backend_makers`."""

    def test_schemes(self) -> None:
        """A maker stands under each of its schemes."""
        one, other = BackendMaker("a", ("a", "b"), "x"), OtherMaker()
        self.assertEqual(by_scheme([one, other]), {"a": one, "b": one, "x": other})

    def test_two_for_one_scheme(self) -> None:
        """Two makers for one scheme are an error that names both and where they come from."""
        error = self.assertRaises(
            ValueError, by_scheme, [BackendMaker("a", ("x",), "package.A"), OtherMaker()]
        )
        for part in ("'x'", "'a' (package.A)", f"'other' ({__name__})"):
            self.assertIn(part, str(error))

    def test_found_twice(self) -> None:
        """One maker that is found twice is one."""
        maker = OtherMaker()
        self.assertEqual(by_scheme([maker, maker]), {"x": maker})

    def test_installed(self) -> None:
        """The backend for REST servers is found through Twisted's plugins."""
        maker = installed_backend_makers()["rest"]
        self.assertEqual(maker.name, "rest")
