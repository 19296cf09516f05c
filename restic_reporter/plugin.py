"""How a dropin announces a backend without importing it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import field, frozen
from twisted.plugin import IPlugin, getPlugins
from twisted.python.reflect import namedAny
from zope.interface import implementer

from .interfaces import IBackendMaker

if TYPE_CHECKING:
    from .config import Repository
    from .interfaces import BackendTools, IBackend


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@implementer(IPlugin, IBackendMaker)
@frozen
class BackendMaker:
    """
    A backend maker that imports its backend when the first one is made.

    ``factory`` is the full name of a callable that takes a `Repository` and `BackendTools`,
    like ``"package.module.Backend.make"``.
    """

    name: str
    schemes: tuple[str, ...] = field(converter=_texts)
    factory: str

    def make(self, repository: Repository, tools: BackendTools) -> IBackend:
        """The backend for ``repository``."""
        backend: IBackend = namedAny(self.factory)(repository, tools)
        return backend


def installed_backend_makers() -> dict[str, IBackendMaker]:
    """
    All backend makers that are installed, by scheme.

    :raises ValueError: two of them claim one scheme.
    """
    return by_scheme(getPlugins(IBackendMaker))


def by_scheme(makers: Iterable[IBackendMaker]) -> dict[str, IBackendMaker]:
    """``makers`` by the schemes that they serve."""
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
    where = getattr(maker, "factory", None) or type(maker).__module__
    return f"{maker.name!r} ({where})"
