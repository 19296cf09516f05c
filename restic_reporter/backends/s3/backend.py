"""One repository in a bucket."""

from attrs import field, frozen
from zope.interface import implementer

from ...concurrency.deadline import Deadline
from ...interfaces import BackendTools, IBackend
from ...model.repository import Repository
from ...model.snapshots import Listing, Meter
from ...restic_format.file_hash import check_content
from .names import Names, WrongOrderError
from .session import Session
from .settings import S3Settings


@implementer(IBackend)
@frozen
class S3Backend:
    """
    One repository: all objects of a bucket whose names begin with ``base``.

    ``old_list`` is for version 1 of the call that lists.
    """

    session: Session = field(repr=False)
    base: str
    old_list: bool = False
    concurrent_loads: int = 8

    @classmethod
    def make(cls, repository: Repository, tools: BackendTools) -> "S3Backend":
        """Return the backend for ``repository``, whose scheme is ``s3``."""
        settings = repository.settings
        assert isinstance(settings, S3Settings)
        session = Session.shared(settings, repository.transport, tools)
        return cls(session, settings.place.base, settings.old_list)

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """List the names in ``keys/``, ``locks/`` and ``snapshots/``: 1,000 by each request."""
        names = Names(self.base, self.old_list, self.session.in_order)
        while names.query is not None:
            page = await self.session.page(names.query, deadline, meter)
            try:
                names.add(page)
            except WrongOrderError:
                self.session.in_order = False
                names = Names(self.base, self.old_list, in_order=False)
        return names.listing()

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """List the names in ``keys/``."""
        return (await self.list(deadline, meter)).keys or frozenset()

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one file of the repository."""
        return check_content(
            path, await self.session.load(self.base + path, limit, deadline, meter)
        )
