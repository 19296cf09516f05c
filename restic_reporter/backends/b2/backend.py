"""One repository in a bucket."""

from attrs import field, frozen
from zope.interface import implementer

from ...concurrency.deadline import Deadline
from ...interfaces import BackendTools, IBackend, IMeasurable
from ...model.errors import ReadError, Reason
from ...model.repository import Repository
from ...model.snapshots import Listing, Meter
from ...model.upkeep import Size
from ...restic_format.file_hash import check_content
from .listing import Names
from .packs import Packs
from .session import Session
from .settings import B2Settings


@implementer(IBackend, IMeasurable)
@frozen
class B2Backend:
    """
    One repository: all files of ``bucket`` whose names begin with ``base``.

    ``base`` is empty or ends with a slash.
    """

    session: Session = field(repr=False)
    bucket: str
    base: str
    concurrent_loads: int = 8

    @classmethod
    def make(cls, repository: Repository, tools: BackendTools) -> "B2Backend":
        """Return the backend for ``repository``, whose scheme is ``b2``."""
        settings = repository.settings
        assert isinstance(settings, B2Settings)
        if settings.credentials is None:
            raise ValueError("needs the keys 'b2_account_id' and 'b2_key'")
        session = Session.shared(settings.credentials, repository.transport, tools)
        base = f"{settings.place.prefix}/" if settings.place.prefix else ""
        return cls(session, settings.place.bucket, base)

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """List the names in ``keys/``, ``locks/`` and ``snapshots/``: one call for each 1,000."""
        await self._check_prefix(deadline, meter)
        names = Names(self.base)
        while names.start is not None:
            names.add(
                await self.session.list_file_names(self.bucket, names.arguments(), deadline, meter)
            )
        return names.listing()

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """List the names in ``keys/``."""
        return (await self.list(deadline, meter)).keys or frozenset()

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one file of the repository."""
        await self._check_prefix(deadline, meter)
        content = await self.session.download(self.bucket, self.base + path, limit, deadline, meter)
        return check_content(path, content)

    async def measure(self, deadline: Deadline, meter: Meter) -> Size:
        """Sum up the names in ``data/``: one call for each 1,000."""
        await self._check_prefix(deadline, meter)
        packs = Packs(f"{self.base}data/")
        while packs.start is not None:
            packs.add(
                await self.session.list_file_names(self.bucket, packs.arguments(), deadline, meter)
            )
        if not packs.sum.packs:
            await self.list(deadline, meter)
        return packs.sum.size()

    async def _check_prefix(self, deadline: Deadline, meter: Meter) -> None:
        allowed = await self.session.allowed_prefix(deadline, meter)
        if not self.base.startswith(allowed):
            raise ReadError(
                Reason.AUTH,
                f"application key is restricted to names that begin with {allowed!r}, not"
                f" {self.base!r}",
            )
