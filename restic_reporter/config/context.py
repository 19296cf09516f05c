"""What the config is read with, besides its text."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from ..interfaces import IBackendMaker


def _everything(label: str) -> bool:
    return True


@frozen
class ConfigContext:
    """
    The surroundings of a config.

    Relative paths start in ``directory``. ``makers`` are the backends' makers by scheme,
    ``stores`` the names of secret stores. With ``broken`` plugins, unknown schemes, stores and
    keys may be theirs. ``environ`` is the daemon's environment. Only repositories whose labels
    this process ``holds`` are in the result.
    """

    directory: str
    makers: Mapping[str, IBackendMaker] = MappingProxyType({})
    stores: tuple[str, ...] = ()
    broken: bool = False
    environ: Mapping[str, str] = field(default=MappingProxyType({}), repr=False)
    holds: Callable[[str], bool] = _everything

    @property
    def secret_keys(self) -> frozenset[str]:
        """The keys of an entry whose values are secrets."""
        marked = (key.name for maker in self.owners for key in maker.keys if key.secret)
        return frozenset(("password", *marked))

    @property
    def owners(self) -> tuple[IBackendMaker, ...]:
        """Each maker once."""
        return tuple({maker.name: maker for maker in self.makers.values()}.values())
