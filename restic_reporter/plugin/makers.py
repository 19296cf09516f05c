"""
Lets a dropin declare a backend or a secret store without importing it.

Each run of any ``twistd`` imports this through the dropins, so it imports little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

from ..interfaces import IBackendMaker, ISecretStoreMaker
from ..model.settings import BackendSettings, Key, OwnKeys

if TYPE_CHECKING:
    from ..interfaces import BackendTools, IBackend, ISecretStore, StoreTools
    from ..model.repository import Repository


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise TypeError(f"schemes must be a sequence of strings, not the string {texts!r}")
    return tuple(texts)


@implementer(IPlugin, IBackendMaker)
@frozen
class BackendMaker:
    """
    A backend maker that imports its backend when it makes the first one.

    ``factory`` is the full name of a callable that takes a `Repository` and `BackendTools`,
    like ``"package.module.Backend.make"``. ``settings`` is the full name of the function for
    `configure`. The other attributes are those of `IBackendMaker`.
    """

    name: str
    schemes: tuple[str, ...] = field(converter=_texts)
    factory: str
    locates: bool = False
    keys: tuple[Key, ...] = ()
    settings: str | None = None

    def load(self) -> Callable[[Repository, BackendTools], IBackend]:
        """
        Import ``factory``.

        :raises ImportError: importing it fails, for any reason.
        """
        factory: Callable[[Repository, BackendTools], IBackend] = _named(self.factory)
        return factory

    def configure(self, own: OwnKeys) -> BackendSettings | None:
        """Return the settings from the keys of an entry."""
        if self.settings is None:
            return BackendSettings()
        configure: Callable[[OwnKeys], BackendSettings | None] = _named(self.settings)
        return configure(own)

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """Return the backend for ``repository``."""
        return self.load()(repository, tools)


@implementer(IPlugin, ISecretStoreMaker)
@frozen
class SecretStoreMaker:
    """
    A secret store maker that imports its store when it makes it.

    ``factory`` is the full name of a callable that takes the daemon's environment and
    `StoreTools`, like ``"package.module.Store.make"``.
    """

    name: str
    factory: str

    def make(self, environ: Mapping[str, str], tools: StoreTools) -> ISecretStore:
        """Return the store, configured by ``environ``."""
        factory: Callable[[Mapping[str, str], StoreTools], ISecretStore] = _named(self.factory)
        return factory(environ, tools)


@cache
def _named(name: str) -> Any:
    try:
        return namedAny(name)
    except (Exception, SystemExit) as error:
        # A ValueError from the module's own code would be taken for an error in the config.
        raise ImportError(f"cannot import {name}: {in_one_line(error)}") from error


def in_one_line(error: BaseException) -> str:
    """Return the type and the message of an exception."""
    return " ".join(f"{type(error).__name__}: {error}".split())
