"""
How a dropin announces a backend or a secret store without importing it.

A dropin imports this at each run of anybody's ``twistd``, so it imports little itself.
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
    A backend maker that imports its backend when the first one is made.

    ``factory`` is the full name of a callable that takes a `Repository` and `BackendTools`,
    like ``"package.module.Backend.make"``. ``keys`` are those of the config that only its
    repositories have; ``settings`` is the full name of what does `configure`. ``locates`` says
    that the listings of its backends have a `location`.
    """

    name: str
    schemes: tuple[str, ...] = field(converter=_texts)
    factory: str
    locates: bool = False
    keys: tuple[Key, ...] = ()
    settings: str | None = None

    def load(self) -> Callable[[Repository, BackendTools], IBackend]:
        """
        What ``factory`` names.

        :raises ImportError: it cannot be had, whatever the cause.
        """
        factory: Callable[[Repository, BackendTools], IBackend] = _named(self.factory)
        return factory

    def configure(self, own: OwnKeys) -> BackendSettings | None:
        """What the backend makes of its keys."""
        if self.settings is None:
            return BackendSettings()
        configure: Callable[[OwnKeys], BackendSettings | None] = _named(self.settings)
        return configure(own)

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """The backend for ``repository``."""
        return self.load()(repository, tools)


@implementer(IPlugin, ISecretStoreMaker)
@frozen
class SecretStoreMaker:
    """
    A maker of a secret store that imports it when it is made.

    ``factory`` is the full name of a callable that takes the daemon's environment and
    `StoreTools`, like ``"package.module.Store.make"``.
    """

    name: str
    factory: str

    def make(self, environ: Mapping[str, str], tools: StoreTools) -> ISecretStore:
        """The store, as ``environ`` sets it up."""
        factory: Callable[[Mapping[str, str], StoreTools], ISecretStore] = _named(self.factory)
        return factory(environ, tools)


@cache
def _named(name: str) -> Any:
    try:
        return namedAny(name)
    except (Exception, SystemExit) as error:
        # A ValueError out of the module's own code is not about the config.
        raise ImportError(f"cannot import {name}: {in_one_line(error)}") from error


def in_one_line(error: BaseException) -> str:
    """The kind of an exception and its message."""
    return " ".join(f"{type(error).__name__}: {error}".split())
