"""Tests of `restic_reporter.plugin.makers`."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.task import Clock
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools, IBackendMaker, ISecretStoreMaker, StoreTools
from restic_reporter.model.repository import Repository
from restic_reporter.plugin import BackendMaker, SecretStoreMaker
from restic_reporter.testing import MemoryBackend
from tests.doubles.repositories import no_tools, repository


def memory_backend(repository: Repository, tools: BackendTools) -> MemoryBackend:
    """What a maker is told to call."""
    return MemoryBackend()


def memory_store(environ: Mapping[str, str], tools: StoreTools) -> tuple[Any, ...]:
    """What a maker of stores is told to call."""
    return environ, tools


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
            self.assertIn(f"cannot import {factory}: {problem}", str(error))


class SecretStoreMakerTests(SynchronousTestCase):
    """`SecretStoreMaker`."""

    def setUp(self) -> None:
        """Tools."""
        self.tools = StoreTools(Clock(), BoundedHTTPClient(Clock()), lambda: 0.0)

    def test_contract(self) -> None:
        """It is a plugin and a maker of secret stores."""
        maker = SecretStoreMaker("x", "none")
        self.assertTrue(verifyObject(IPlugin, maker))
        self.assertTrue(verifyObject(ISecretStoreMaker, maker))

    def test_make(self) -> None:
        """It imports what it names and hands it environment and tools."""
        maker = SecretStoreMaker("x", f"{__name__}.memory_store")
        made: Any = maker.make({"A": "b"}, self.tools)
        self.assertEqual(made, ({"A": "b"}, self.tools))

    def test_factory_that_cannot_be_had(self) -> None:
        """Whatever goes wrong in importing is an ImportError: it does not speak of variables."""
        maker = SecretStoreMaker("x", f"{__name__}.Failing.make")
        error = self.assertRaises(ImportError, maker.make, {}, self.tools)
        self.assertIn(f"cannot import {__name__}.Failing.make: ValueError", str(error))

    def test_ours(self) -> None:
        """Vault's leads to its store, and its errors about variables come through."""
        maker = SecretStoreMaker("vault", "restic_reporter.secret_stores.vault.VaultStore.make")
        self.assertFalse(maker.make({}, self.tools).available)
        self.assertRaises(ValueError, maker.make, {"VAULT_ADDR": "http://x"}, self.tools)
