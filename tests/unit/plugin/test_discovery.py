"""Tests of `restic_reporter.plugin.discovery`."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import define
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from restic_reporter.interfaces import BackendTools, IBackend, IBackendMaker
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BackendSettings, OwnKeys
from restic_reporter.plugin import BackendMaker, SecretStoreMaker
from restic_reporter.plugin.discovery import (
    BrokenPlugin,
    Plugins,
    by_name,
    by_scheme,
    installed_plugins,
    package_of,
    plugins_in,
)

PACKAGE = "plugins_of_test_installed"

IMPORT = "from restic_reporter.plugin import BackendMaker\n"
OTHER = f"from {__name__} import OtherMaker\n"


@implementer(IPlugin, IBackendMaker)
@define
class OtherMaker:
    """A maker of somebody else's kind."""

    name: str = "other"
    schemes: Any = ("x",)
    locates: Any = False
    keys: Any = ()

    def configure(self, own: OwnKeys) -> BackendSettings | None:
        """Not called."""
        raise NotImplementedError

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """Not called."""
        raise NotImplementedError


class InstalledTests(SynchronousTestCase):
    """`plugins_in` and `installed_plugins`."""

    def package(self, **modules: str) -> ModuleType:
        """A package with these modules."""
        folder = Path(self.mktemp(), PACKAGE)
        folder.mkdir(parents=True)
        for name, content in {"__init__": "", **modules}.items():
            (folder / f"{name}.py").write_text(content)
        self.patch(sys, "path", [str(folder.absolute().parent), *sys.path])
        self.addCleanup(self.forget)
        importlib.invalidate_caches()
        return importlib.import_module(PACKAGE)

    def forget(self) -> None:
        """Forget the package."""
        for name in list(sys.modules):
            if name.partition(".")[0] == PACKAGE:
                del sys.modules[name]

    def problem(self, dropin: str) -> str:
        """What is wrong with a dropin."""
        plugins = plugins_in(self.package(broken=dropin))
        self.assertEqual(plugins.makers, ())
        (broken,) = plugins.broken
        self.assertEqual(broken.module, f"{PACKAGE}.broken")
        self.assertEqual(str(broken), f"{PACKAGE}.broken cannot be used: {broken.problem}")
        self.forget()
        return broken.problem

    def test_contract(self) -> None:
        """The double is a backend maker."""
        self.assertTrue(verifyObject(IBackendMaker, OtherMaker()))

    def test_found(self) -> None:
        """Makers are found in all modules, by name, each once; a class is none."""
        package = self.package(
            one=f"{IMPORT}b = BackendMaker('b', ['b'], 'x')\na = BackendMaker('a', ['a'], 'x')",
            other=f"from {PACKAGE}.one import a\nnumber = 1",
            third=f"{OTHER}c = OtherMaker('c', ('c',))",
        )
        plugins = plugins_in(package)
        self.assertEqual([maker.name for maker in plugins.makers], ["a", "b", "c"])
        self.assertEqual(plugins.broken, ())

    def test_skipped(self) -> None:
        """Skipped modules are not imported."""
        plugins = plugins_in(self.package(one="1 / 0", two="1 / 0"), skipped=["one"])
        self.assertEqual([broken.module for broken in plugins.broken], [f"{PACKAGE}.two"])

    def test_broken(self) -> None:
        """A module that cannot be imported costs only itself, and is told in one line."""
        package = self.package(
            bad="import no_such_module", good=f"{IMPORT}a = BackendMaker('a', ['a'], 'x')"
        )
        plugins = plugins_in(package)
        self.assertEqual([maker.name for maker in plugins.makers], ["a"])
        self.assertEqual(
            plugins.broken,
            (
                BrokenPlugin(
                    f"{PACKAGE}.bad", "ModuleNotFoundError: No module named 'no_such_module'"
                ),
            ),
        )
        self.forget()
        for dropin, problem in (
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("raise ValueError('two\\nlines')", "ValueError: two lines"),
            ("x = (", "SyntaxError: "),
            (f"{IMPORT}a = BackendMaker('a', 'abc', 'x')", "schemes of the backend 'a' must be"),
        ):
            self.assertIn(problem, self.problem(dropin))

    def test_makers_that_cannot_be(self) -> None:
        """A maker without what the contract wants is broken."""
        for maker, problem in (
            ("OtherMaker(1)", "name must be a non-empty string, not 1"),
            ("OtherMaker('')", "name must be a non-empty string, not ''"),
            ("OtherMaker('a', 'abc')", "must be a non-empty list or tuple, not 'abc'"),
            ("OtherMaker('a', ())", "must be a non-empty list or tuple, not ()"),
            ("OtherMaker('a', ('A b',))", "invalid scheme 'A b' of the backend 'a'"),
            ("OtherMaker('a', (1,))", "invalid scheme 1 of the backend 'a'"),
            ("OtherMaker('a', locates=1)", "must be True or False, not 1"),
        ):
            self.assertIn(problem, self.problem(f"{OTHER}x = {maker}"))
        missing = f"{OTHER}class Poor(OtherMaker):\n    name = property()\nx = Poor.__new__(Poor)"
        self.assertIn("AttributeError: ", self.problem(missing))

    def test_installed(self) -> None:
        """Our own are found; nothing of Twisted's own is imported for that."""
        before = set(sys.modules)
        plugins = installed_plugins()
        self.assertEqual(by_scheme(plugins.makers)["rest"].name, "rest")
        self.assertEqual(plugins.broken, ())
        new = {name for name in set(sys.modules) - before if name.startswith("twisted.plugins.")}
        self.assertEqual({name for name in new if "restic_reporter" not in name}, set())

    def test_nothing(self) -> None:
        """An empty package has nothing."""
        self.assertEqual(plugins_in(self.package()), Plugins())


class BySchemeTests(SynchronousTestCase):
    """`by_scheme` and `package_of`."""

    def test_schemes(self) -> None:
        """A maker stands under each of its schemes."""
        one, other = BackendMaker("a", ("a", "b"), "x"), OtherMaker()
        self.assertEqual(by_scheme([one, other]), {"a": one, "b": one, "x": other})

    def test_two_for_one_scheme(self) -> None:
        """Two makers for one scheme are an error that names both and where they come from."""
        error = self.assertRaises(
            ValueError, by_scheme, [BackendMaker("a", ("x",), "package.A.make"), OtherMaker()]
        )
        for part in ("'x'", "'a' (package.A)", f"'other' ({__name__})"):
            self.assertIn(part, str(error))

    def test_two_for_one_store(self) -> None:
        """Two makers of one secret store are an error that names where they come from."""
        one, other = SecretStoreMaker("a", "package.A.make"), SecretStoreMaker("a", "other.A.make")
        self.assertEqual(by_name([one, one]), {"a": one})
        error = self.assertRaises(ValueError, by_name, [one, other])
        for part in ("the secret store 'a'", "'a' (package.A)", "'a' (other.A)"):
            self.assertIn(part, str(error))

    def test_found_twice(self) -> None:
        """One maker that is found twice is one."""
        maker = OtherMaker()
        self.assertEqual(by_scheme([maker, maker]), {"x": maker})

    def test_package(self) -> None:
        """A maker is of the distribution that its code is in; without one its module is named."""
        self.assertRegex(package_of(BackendMaker("a", ["a"], "attrs.define")), r"^attrs \d")
        self.assertEqual(package_of(BackendMaker("a", ["a"], "no_such.One.make")), "no_such.One")
        self.assertEqual(package_of(OtherMaker()), __name__)
