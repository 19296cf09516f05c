"""Repositories behind restic's REST protocol, versions 1 and 2."""

from collections.abc import Callable, Set

from attrs import field, frozen
from zope.interface import implementer

from ..concurrency.deadline import Deadline, sleep
from ..http import BoundedHTTPClient, Response, basic_auth, raise_for_status
from ..interfaces import BackendTools, IBackend, IMeasurable
from ..model.errors import ReadError, Reason
from ..model.repository import Repository, Transport
from ..model.snapshots import Listing, Meter
from ..model.upkeep import Size
from ..restic_format.file_hash import check_content
from ..restic_format.file_names import ListedNames, ListingMemo, parse_names_in_slices
from .pack_sum import LISTING_LIMIT, JSONPacks
from .rest_settings import RestSettings

# A server of version 1 ignores this and answers with names alone.
_ACCEPT = "application/vnd.x.restic.rest.v2"

# The share of the remaining time for listing the locks, which matter less.
_LOCKS_SHARE = 0.25

_LISTING_LIMIT = 16 * 2**20

# Seconds until a server begins to list the packs: it looks at each of them before.
_PACKS_SILENCE = 900.0

# Parsing this many bytes takes about ten milliseconds; longer listings are parsed in slices.
_AT_ONCE = 2**20


@implementer(IBackend, IMeasurable)
@frozen
class RestBackend:
    """One repository of a REST server; ``base`` is its URL with a slash at the end."""

    http: BoundedHTTPClient
    base: str
    transport: Transport
    headers: dict[str, str] = field(repr=False)
    concurrent_loads: int = 8
    _memo: ListingMemo = field(factory=ListingMemo, eq=False, repr=False)

    @classmethod
    def make(cls, repository: Repository, tools: BackendTools) -> "RestBackend":
        """Return the backend for ``repository``, whose scheme is ``rest``."""
        settings = repository.settings
        assert isinstance(settings, RestSettings)
        headers = {}
        if settings.credentials is not None:
            headers["Authorization"] = basic_auth(
                settings.credentials.username, settings.credentials.password.reveal()
            )
        return cls(tools.http, settings.base, repository.transport, headers)

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """List the names in ``snapshots/`` and ``locks/``."""
        snapshots = await self._names("snapshots", deadline, meter, self._memo)
        if not snapshots:
            await self._check_there(deadline, meter)
        try:
            limit = deadline.sooner(deadline.remaining() * _LOCKS_SHARE)
            locks = frozenset(await self._names("locks", limit, meter))
        except ReadError as error:
            return Listing(snapshots, locks_error=error)
        return Listing(snapshots, locks)

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """List the names in ``keys/``."""
        keys = await self._names("keys", deadline, meter)
        if not keys:
            await self._check_there(deadline, meter)
        return frozenset(keys)

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one file of the repository."""
        response = await self._request("GET", path, deadline, meter, "load", limit)
        raise_for_status(response, path)
        return check_content(path, response.body)

    async def measure(self, deadline: Deadline, meter: Meter) -> Size:
        """Sum up the names in ``data/``, which come in one listing."""
        listings: list[JSONPacks] = []

        def begin() -> Callable[[bytes], object]:
            listings.append(JSONPacks.make())
            return listings[-1].feed

        response = await self.http.request(
            "GET",
            f"{self.base}data/",
            transport=self.transport,
            headers={**self.headers, "Accept": _ACCEPT},
            deadline=deadline,
            body_limit=LISTING_LIMIT,
            meter=meter,
            operation="list",
            idle_timeout=_PACKS_SILENCE,
            stream=begin,
        )
        size = Size(0, 0)
        if response.status != 404:
            raise_for_status(response, "data/")
            size = listings[-1].size()
        if not size.packs:
            await self._check_there(deadline, meter)
        return size

    async def _check_there(self, deadline: Deadline, meter: Meter) -> None:
        """
        Fail without a repository there.

        Servers respond alike for an empty folder, a missing folder and a missing repository;
        only the config file proves that a repository exists.
        """
        response = await self._request("HEAD", "config", deadline, meter)
        raise_for_status(response, "config")

    async def _names(
        self, folder: str, deadline: Deadline, meter: Meter, memo: ListingMemo | None = None
    ) -> Set[str]:
        response = await self._request("GET", f"{folder}/", deadline, meter)
        if response.status == 404:
            return frozenset()
        raise_for_status(response, f"{folder}/")
        try:
            if len(response.body) <= _AT_ONCE:
                return ListedNames(response.body, memo or ListingMemo())
            names: set[str] = set()
            for some in parse_names_in_slices(response.body):
                names |= some
                await sleep(deadline.clock, 0)
            return frozenset(names)
        except ValueError as error:
            raise ReadError(Reason.PARSE, f"invalid listing of {folder}/: {error}") from None

    async def _request(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        meter: Meter,
        operation: str = "list",
        limit: int = _LISTING_LIMIT,
    ) -> Response:
        return await self.http.request(
            method,
            self.base + path,
            transport=self.transport,
            headers={**self.headers, "Accept": _ACCEPT},
            deadline=deadline,
            body_limit=limit,
            meter=meter,
            operation=operation,
        )
