"""Which backends and secret stores are installed, whose they are, and what is broken."""

import importlib
import pkgutil
import re
from collections.abc import Collection, Iterable
from importlib import metadata
from types import ModuleType
from typing import Any, TypeVar

from attrs import frozen

from ..interfaces import IBackendMaker, ISecretStoreMaker
from ..model.schemes import SCHEME
from ..model.settings import Key
from .makers import BackendMaker, SecretStoreMaker, in_one_line

_STORE_NAME = re.compile(r"[a-z][a-z0-9]*")
_KEY_NAME = re.compile(r"[a-z0-9_]+")

M = TypeVar("M", IBackendMaker, ISecretStoreMaker)


@frozen
class BrokenPlugin:
    """A module of ``twisted/plugins/`` that is of no use, and why."""

    module: str
    problem: str

    def __str__(self) -> str:
        return f"{self.module} cannot be used: {self.problem}"


@frozen
class Plugins:
    """
    What is installed: makers of backends and of secret stores, in order of their names, and
    plugins that are broken.

    What is broken need not be of ours: it cannot be looked into.
    """

    makers: tuple[IBackendMaker, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()
    stores: tuple[ISecretStoreMaker, ...] = ()


def installed_plugins() -> Plugins:
    """All makers in modules of ``twisted/plugins/``, and all modules that are broken."""
    from twisted import plugins

    return plugins_in(plugins, passed_over=_dropins_of_twisted())


def plugins_in(package: ModuleType, passed_over: Collection[str] = ()) -> Plugins:
    """
    All makers in modules of ``package``, but for those ``passed_over``.

    `twisted.plugin.getPlugins` would do, but logs what is broken with a traceback and tells
    nobody what it was.
    """
    makers: list[IBackendMaker] = []
    stores: list[ISecretStoreMaker] = []
    broken = []
    for module in sorted({one.name for one in pkgutil.iter_modules(package.__path__)}):
        if module in passed_over:
            continue
        name = f"{package.__name__}.{module}"
        try:
            found = list(vars(importlib.import_module(name)).values())
        except (Exception, SystemExit) as error:
            broken.append(BrokenPlugin(name, in_one_line(error)))
            continue
        for value in found:
            if IBackendMaker.providedBy(value):
                _take(value, makers, _problem_of(value), name, broken)
            elif ISecretStoreMaker.providedBy(value):
                _take(value, stores, _problem_of_store(value), name, broken)
    return Plugins(_sorted(makers), tuple(broken), _sorted(stores))


def _take(
    maker: M, makers: list[M], problem: str | None, module: str, broken: list[BrokenPlugin]
) -> None:
    if problem is not None:
        broken.append(BrokenPlugin(module, problem))
    elif not any(maker is other for other in makers):
        makers.append(maker)


def _sorted(makers: list[M]) -> tuple[M, ...]:
    return tuple(sorted(makers, key=lambda maker: maker.name))


def _dropins_of_twisted() -> frozenset[str]:
    """Modules that Twisted itself has there: importing them all would only take memory."""
    try:
        record = metadata.distribution("twisted").read_text("RECORD") or ""
    except metadata.PackageNotFoundError:
        record = ""
    return frozenset(re.findall(r"^twisted/plugins/(\w+)\.py,", record, re.MULTILINE))


def _problem_of(maker: Any) -> str | None:
    """What is wrong with a maker of whatever class."""
    try:
        name, schemes, locates = maker.name, maker.schemes, maker.locates
        keys, _ = tuple(maker.keys), maker.configure
    except (AttributeError, TypeError) as error:
        return in_one_line(error)
    if not isinstance(name, str) or not name:
        return f"a backend's name must be a string, not {name!r}"
    if not isinstance(schemes, tuple | list) or not schemes:
        return f"schemes of the backend {name!r} must be a list or tuple, not {schemes!r}"
    for scheme in schemes:
        if not isinstance(scheme, str) or not SCHEME.fullmatch(scheme):
            return f"{scheme!r}, of the backend {name!r}, cannot be a scheme"
    if not isinstance(locates, bool):
        return f"locates of the backend {name!r} must be True or False, not {locates!r}"
    for key in keys:
        if not isinstance(key, Key):
            return f"{key!r}, of the backend {name!r}, is not a Key"
        if not key.name.startswith(f"{name}_") or not _KEY_NAME.fullmatch(key.name):
            return f"the key {key.name!r} of the backend {name!r} must begin with '{name}_'"
    return None


def _problem_of_store(maker: Any) -> str | None:
    name = getattr(maker, "name", None)
    if not isinstance(name, str) or not _STORE_NAME.fullmatch(name):
        return f"a secret store must be called by small letters and digits, not {name!r}"
    return None


def by_name(makers: Iterable[ISecretStoreMaker]) -> dict[str, ISecretStoreMaker]:
    """
    Makers of secret stores by their names.

    :raises ValueError: two of them have one name.
    """
    result: dict[str, ISecretStoreMaker] = {}
    for maker in makers:
        other = result.setdefault(maker.name, maker)
        if other is not maker:
            raise ValueError(
                f"two plugins are the secret store {maker.name!r}: {package_of(other)} and"
                f" {package_of(maker)}; uninstall one"
            )
    return result


def by_scheme(makers: Iterable[IBackendMaker]) -> dict[str, IBackendMaker]:
    """
    ``makers`` by the schemes that they serve.

    :raises ValueError: two of them claim one scheme.
    """
    result: dict[str, IBackendMaker] = {}
    for maker in makers:
        for scheme in maker.schemes:
            other = result.setdefault(scheme, maker)
            if other is not maker:
                raise ValueError(
                    f"two plugins serve the scheme {scheme!r}: {_origin(other)} and"
                    f" {_origin(maker)}; uninstall one"
                )
    return result


def _origin(maker: IBackendMaker) -> str:
    return f"{maker.name!r} ({package_of(maker)})"


def package_of(maker: IBackendMaker | ISecretStoreMaker) -> str:
    """
    Where ``maker`` comes from: the name and version of a distribution, else a module.
    """
    module = (
        maker.factory.rpartition(".")[0]
        if isinstance(maker, BackendMaker | SecretStoreMaker)
        else type(maker).__module__
    )
    top = module.partition(".")[0]
    names = set(metadata.packages_distributions().get(top, ()))
    if len(names) > 1:  # a namespace that they share, like ``twisted.plugins``
        path = f"{module.replace('.', '/')}.py"
        names = {name for name in names if path in map(str, metadata.files(name) or ())}
    if len(names) != 1:
        return module
    (name,) = names
    return f"{name} {metadata.version(name)}"
