"""The sets of a repository that keep their series if there are too many."""

from attrs import frozen

from ..model.freshness import Freshness
from ..model.snapshots import Content


@frozen
class KnownSets:
    """The label values of the sets that are ``shown`` already or expected."""

    freshness: Freshness
    shown: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, freshness: Freshness, content: Content | None) -> "KnownSets":
        """Return those of the last ``content``, and those that ``freshness`` expects."""
        sets = content.sets if content is not None else ()
        return cls(freshness, frozenset((one.host, one.user) for one in sets))

    def __contains__(self, name: object) -> bool:
        return name in self.shown or (isinstance(name, tuple) and self.freshness.expects(*name))
