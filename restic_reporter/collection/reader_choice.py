"""Which reader reads a repository."""

from collections.abc import Callable

from attrs import frozen

from ..interfaces import IBackendMaker, ISnapshotReader
from ..model.repository import Repository
from ..model.schemes import RESTIC_SCHEMES


@frozen
class Readers:
    """
    The readers there are, and which to take.

    ``default``, out of `restic_reporter.interfaces.READERS`, is for repositories whose entries
    name none. ``has_restic`` tells whether the program restic, called ``program``, is there.
    """

    restic: ISnapshotReader
    native: ISnapshotReader
    default: str
    has_restic: Callable[[], bool]
    program: str = "restic"

    def warnings(self) -> list[str]:
        """A sentence where the program restic is missing."""
        if self.has_restic():
            return []
        return [
            f"cannot find the program {self.program!r}; repositories that need restic will fail"
        ]

    def reader_of(self, repository: Repository, maker: IBackendMaker | None) -> ISnapshotReader:
        """
        The reader for ``repository``, whose backends ``maker`` makes; ``None`` where it has none.

        :raises ValueError: none can read it; the message says why.
        """
        scheme = repository.scheme
        known = scheme in RESTIC_SCHEMES or (maker is not None and maker.locates)
        wanted = repository.reader or self.default
        if wanted == "native" and maker is None and known:
            raise ValueError(f"'native' does not support {scheme!r}; use 'restic' or 'auto'")
        if wanted == "restic" and not known and maker is not None:
            raise ValueError(
                f"'restic' does not support {scheme!r}, and the backend {maker.name!r} gives it"
                " no location; use 'native' or 'auto'"
            )
        if wanted == "auto":
            wanted = self._best(repository, maker, known)
        return self.native if wanted == "native" else self.restic

    def _best(self, repository: Repository, maker: IBackendMaker | None, known: bool) -> str:
        if maker is None:
            return "restic"
        if not known or not repository.settings.restic_reads or not self.has_restic():
            return "native"
        return "restic"
