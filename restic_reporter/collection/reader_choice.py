"""Chooses the reader of a repository."""

from collections.abc import Callable

from attrs import frozen

from ..interfaces import IBackendMaker, ISnapshotReader
from ..model.repository import Repository
from ..model.schemes import RESTIC_SCHEMES


def has_location(scheme: str, maker: IBackendMaker | None) -> bool:
    """Return whether restic can be given the location of a repository of this ``scheme``."""
    return scheme in RESTIC_SCHEMES or (maker is not None and maker.locates)


@frozen
class Readers:
    """
    The readers, and the rules for choosing one.

    ``default``, one of `restic_reporter.model.schemes.READERS`, is for entries without a
    reader. ``has_restic`` returns whether restic, called ``program``, is installed.
    """

    restic: ISnapshotReader
    native: ISnapshotReader
    default: str
    has_restic: Callable[[], bool]
    program: str = "restic"

    def warnings(self) -> list[str]:
        """Return a warning if restic is missing."""
        missing = f"cannot find the program {self.program!r}; repositories that need it will fail"
        return [] if self.has_restic() else [missing]

    def reader_of(self, repository: Repository, maker: IBackendMaker | None) -> ISnapshotReader:
        """
        Return the reader for ``repository``; ``maker`` is that of its backend, if it has one.

        :raises ValueError: the configured reader does not support the repository.
        """
        scheme = repository.scheme
        restic_can = has_location(scheme, maker)
        wanted = repository.reader or self.default
        only = repository.settings.restic_only
        if only:
            if wanted == "native":
                raise ValueError(f"reader: 'native' cannot read it: {only}")
            return self.restic
        if wanted == "native" and maker is None and restic_can:
            raise ValueError(
                f"reader: 'native' does not support {scheme!r}; use 'restic' or 'auto'"
            )
        if wanted == "restic" and maker is not None and not restic_can:
            raise ValueError(
                f"reader: 'restic' does not support {scheme!r}, and the backend {maker.name!r}"
                " gives it no location; use 'native' or 'auto'"
            )
        if wanted == "auto" and maker is not None:
            usable = restic_can and repository.settings.restic_reads and self.has_restic()
            wanted = "restic" if usable else "native"
        return self.native if wanted == "native" else self.restic
