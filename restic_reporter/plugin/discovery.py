"""Discovers the installed backends and secret stores, and broken plugins."""

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
    """A module of ``twisted/plugins/`` that cannot be used, and the problem."""

    module: str
    problem: str

    def __str__(self) -> str:
        return f"{self.module} cannot be used: {self.problem}"


@frozen
class Plugins:
    """
    The installed makers of backends and of secret stores by name, and broken plugins.

    Broken plugins may belong to other programs: a module that fails to import does not show.
    """

    makers: tuple[IBackendMaker, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()
    stores: tuple[ISecretStoreMaker, ...] = ()


def installed_plugins() -> Plugins:
    """Return the plugins in ``twisted/plugins/``."""
    from twisted import plugins

    try:
        record = metadata.distribution("twisted").read_text("RECORD") or ""
    except metadata.PackageNotFoundError:
        record = ""
    # Importing Twisted's own modules would only take memory.
    return plugins_in(plugins, skipped=re.findall(r"(?m)^twisted/plugins/(\w+)\.py,", record))


def plugins_in(package: ModuleType, skipped: Collection[str] = ()) -> Plugins:
    """
    Return the plugins in the modules of ``package``, except the ``skipped`` ones.

    `twisted.plugin.getPlugins` logs broken modules with a traceback and does not return them.
    """
    makers: list[IBackendMaker] = []
    stores: list[ISecretStoreMaker] = []
    broken = []
    for module in sorted({one.name for one in pkgutil.iter_modules(package.__path__)}):
        if module in skipped:
            continue
        name = f"{package.__name__}.{module}"
        try:
            values = list(vars(importlib.import_module(name)).values())
        except (Exception, SystemExit) as error:
            broken.append(BrokenPlugin(name, in_one_line(error)))
            continue
        for value in values:
            found: list[Any]
            if IBackendMaker.providedBy(value):
                found, problem = makers, _problem_of(value)
            elif ISecretStoreMaker.providedBy(value):
                found, problem = stores, _problem_of_store(value)
            else:
                continue
            if problem is not None:
                broken.append(BrokenPlugin(name, problem))
            elif not any(value is one for one in found):
                found.append(value)
    makers.sort(key=lambda maker: maker.name)
    stores.sort(key=lambda maker: maker.name)
    return Plugins(tuple(makers), tuple(broken), tuple(stores))


def _problem_of(maker: Any) -> str | None:
    try:
        name, schemes, locates = maker.name, maker.schemes, maker.locates
        keys, _ = tuple(maker.keys), maker.configure
    except (AttributeError, TypeError) as error:
        return in_one_line(error)
    if not isinstance(name, str) or not name:
        return f"backend name must be a non-empty string, not {name!r}"
    owner = f"of the backend {name!r}"
    if not isinstance(schemes, tuple | list) or not schemes:
        return f"schemes {owner} must be a non-empty list or tuple, not {schemes!r}"
    for scheme in schemes:
        if not isinstance(scheme, str) or not SCHEME.fullmatch(scheme):
            return f"invalid scheme {scheme!r} {owner}"
    if not isinstance(locates, bool):
        return f"locates {owner} must be True or False, not {locates!r}"
    for key in keys:
        if not isinstance(key, Key):
            return f"key {key!r} {owner} must be a Key"
        if not key.name.startswith(f"{name}_") or not _KEY_NAME.fullmatch(key.name):
            return f"key {key.name!r} {owner} must begin with '{name}_', in a-z, 0-9 and _"
    return None


def _problem_of_store(maker: Any) -> str | None:
    name = getattr(maker, "name", None)
    valid = isinstance(name, str) and _STORE_NAME.fullmatch(name)
    return None if valid else f"secret store name must consist of a-z and 0-9, not {name!r}"


def by_name(makers: Iterable[ISecretStoreMaker]) -> dict[str, ISecretStoreMaker]:
    """
    Return makers of secret stores by name.

    :raises ValueError: two makers have the same name.
    """
    return _unique("provide the secret store", ((maker.name, maker) for maker in makers))


def by_scheme(makers: Iterable[IBackendMaker]) -> dict[str, IBackendMaker]:
    """
    Return makers of backends by scheme.

    :raises ValueError: two makers serve the same scheme.
    """
    pairs = ((scheme, maker) for maker in makers for scheme in maker.schemes)
    return _unique("serve the scheme", pairs)


def _unique(claim: str, pairs: Iterable[tuple[str, M]]) -> dict[str, M]:
    result: dict[str, M] = {}
    for name, maker in pairs:
        other = result.setdefault(name, maker)
        if other is not maker:
            both = " and ".join(f"{one.name!r} ({package_of(one)})" for one in (other, maker))
            raise ValueError(f"two plugins {claim} {name!r}: {both}; uninstall one")
    return result


def package_of(maker: IBackendMaker | ISecretStoreMaker) -> str:
    """Return the name and version of the distribution of ``maker``, else its module."""
    module = (
        maker.factory.rpartition(".")[0]
        if isinstance(maker, BackendMaker | SecretStoreMaker)
        else type(maker).__module__
    )
    names = set(metadata.packages_distributions().get(module.partition(".")[0], ()))
    if len(names) > 1:  # a namespace that they share, like ``twisted.plugins``
        path = f"{module.replace('.', '/')}.py"
        names = {name for name in names if path in map(str, metadata.files(name) or ())}
    if len(names) != 1:
        return module
    (name,) = names
    return f"{name} {metadata.version(name)}"
