"""The surroundings of a config."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from attrs import field, frozen

from ..interfaces import IBackendMaker
from .keys import stores_in


@frozen
class ConfigContext:
    """
    The surroundings of a config.

    Relative paths start in ``directory``. ``makers`` are the makers of backends by scheme,
    ``stores`` the names of secret stores. A ``broken`` plugin may serve unknown schemes and
    stores, and have unknown keys. ``environ`` is the daemon's environment. The result has only
    repositories whose label this process ``holds``. ``client_paths`` is for all of them.
    """

    directory: str
    makers: Mapping[str, IBackendMaker] = MappingProxyType({})
    stores: tuple[str, ...] = ()
    broken: bool = False
    environ: Mapping[str, str] = field(default=MappingProxyType({}), repr=False)
    holds: Callable[[str], bool] = lambda label: True
    client_paths: bool | None = None

    @property
    def secret_keys(self) -> frozenset[str]:
        """Return the keys of an entry with secret values."""
        marked = (key.name for maker in self.owners for key in maker.keys if key.secret)
        return frozenset(("password", "ping_url", *marked))

    @property
    def owners(self) -> tuple[IBackendMaker, ...]:
        """Return each maker once."""
        return tuple({maker.name: maker for maker in self.makers.values()}.values())

    def stores_for(self, *keys: Iterable[object]) -> tuple[str, ...]:
        """Return the secret stores for an entry with ``keys``; a broken plugin may be any."""
        named = stores_in(chain(*keys), self.owners) if self.broken else ()
        return tuple(sorted({*self.stores, *named}))
