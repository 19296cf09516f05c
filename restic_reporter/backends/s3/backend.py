"""One repository in a bucket."""

from collections.abc import Callable

from attrs import Factory, define, evolve, field, frozen
from zope.interface import implementer

from ...concurrency.deadline import Deadline
from ...interfaces import BackendTools, IBackend, IMeasurable
from ...model.repository import Repository
from ...model.snapshots import Listing, Meter
from ...model.upkeep import Size
from ...restic_format.file_hash import check_content
from ...restic_format.file_names import ListedNames, ListingMemo, fingerprint
from .answers import Page, parse_page
from .names import Names, WrongOrderError
from .packs import Packs
from .session import Session
from .settings import S3Settings


@define
class _Memo:
    """
    The latest listing, if it was one page.

    One that is equal byte by byte is not parsed again: that is most of the cost of an unchanged
    repository.
    """

    _page: ListingMemo = Factory(ListingMemo)
    _latest: Listing | None = None

    def has(self, body: bytes) -> bool:
        """Return whether ``body`` is that page."""
        return self._page.body == (len(body), hash(body))

    def listing(self, body: bytes, parse: Callable[[bytes], frozenset[str]]) -> Listing:
        """Return its listing, whose snapshots are parsed by ``parse`` when needed."""
        assert self._latest is not None
        return evolve(self._latest, snapshots=ListedNames(body, self._page, parse))

    def keep(self, body: bytes, listing: Listing) -> None:
        """Remember the page, but not its many snapshots."""
        self._page = ListingMemo((len(body), hash(body)), fingerprint(listing.snapshots))
        self._latest = evolve(listing, snapshots=frozenset())


@implementer(IBackend, IMeasurable)
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
    _memo: _Memo = field(factory=_Memo, init=False, repr=False, eq=False)

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
            response = await self.session.page(names.query, deadline, meter)
            if names.in_order and not names.pages and self._memo.has(response.body):
                return self._memo.listing(response.body, self._snapshots)
            try:
                names.add(self.session.parse(response))
            except WrongOrderError:
                self.session.in_order = False
                names = Names(self.base, self.old_list, in_order=False)
        listing = names.listing()
        if names.pages == 1:
            self._memo.keep(response.body, listing)
        return listing

    async def measure(self, deadline: Deadline, meter: Meter) -> Size:
        """Sum up the names in ``data/``: 1,000 by each request."""
        packs = Packs(f"{self.base}data/", self.old_list)
        while packs.query is not None:
            packs.add(self.session.parse(await self.session.page(packs.query, deadline, meter)))
        if not packs.sum.packs:
            await self.list(deadline, meter)
        return packs.sum.size()

    def _snapshots(self, body: bytes) -> frozenset[str]:
        """Return the snapshots in a listing that is one page."""
        names = Names(self.base, self.old_list)
        page = parse_page(body, "list")
        assert isinstance(page, Page)
        names.add(page)
        return frozenset(names.listing().snapshots)

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """List the names in ``keys/``."""
        return (await self.list(deadline, meter)).keys or frozenset()

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one file of the repository."""
        return check_content(
            path, await self.session.load(self.base + path, limit, deadline, meter)
        )
