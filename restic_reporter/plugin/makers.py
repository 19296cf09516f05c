"""Declares backends and stores without importing them, as any ``twistd`` imports this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

from ..interfaces import IBackendMaker, ISecretStoreMaker
from ..model.settings import BackendSettings, Key, OwnKeys

if TYPE_CHECKING:
    from ..interfaces import BackendTools, IBackend, ISecretStore, StoreTools
    from ..model.repository import Repository


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
    schemes: Sequence[str]
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
