"""Sends signed requests to one bucket, and follows it into its region."""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from attrs import define, field

from ...concurrency.daemon_threads import BusyError, KeyedThreads
from ...concurrency.deadline import Deadline, within
from ...http import BoundedHTTPClient, RedirectError, Response
from ...interfaces import BackendTools
from ...model.errors import ReadError, Reason
from ...model.repository import Transport
from ...model.snapshots import Meter
from .answers import Page, S3Error, parse_error, parse_page
from .errors import error_of, is_refused, region_in
from .location import DEFAULT_REGION, host_in, is_virtual, region_of
from .settings import S3Settings
from .signing import S3Credentials, Signer, encoded_path, encoded_query

# A thousand names of the usual length take 0.3 MB.
PAGE_LIMIT = 2 * 2**20

# An error may be larger than the file.
_ERROR_LIMIT = 2**16


@define(eq=False)
class Session:
    """
    One bucket on one transport, for all repositories in it that have the same settings.

    ``region`` is that of the signatures, corrected by the server's responses. ``in_order`` is
    false after the server has listed out of order.
    """

    _http: BoundedHTTPClient
    _threads: KeyedThreads
    _transport: Transport
    _settings: S3Settings = field(repr=False)
    _signer: Signer | None
    region: str
    in_order: bool = True
    _now: Callable[[], float] = field(default=time.time)

    @classmethod
    def shared(cls, settings: S3Settings, transport: Transport, tools: BackendTools) -> "Session":
        """Return the session for these settings and this transport."""
        place = settings.place
        key = (
            *("s3", place.secure, place.host, place.bucket, transport),
            *(settings.credentials, settings.profile, settings.region, settings.lookup),
        )
        session = tools.shared.get(key)
        if session is None:
            region = settings.region or region_of(place.host) or DEFAULT_REGION
            session = tools.shared[key] = cls(
                tools.http,
                tools.threads,
                transport,
                settings,
                _signer_of(settings.credentials),
                region,
            )
        assert isinstance(session, Session)
        return session

    async def page(self, query: Mapping[str, str], deadline: Deadline, meter: Meter) -> Response:
        """Load one page of a listing, for `parse`."""
        send = partial(self._send, "", query, deadline, meter, "list", PAGE_LIMIT)
        return await self._get(send, self._what("list"), deadline)

    def parse(self, response: Response) -> Page:
        """
        Parse a page of a listing.

        :raises ReadError: it is none.
        """
        answer = parse_page(response.body, self._what("list"))
        if isinstance(answer, S3Error):
            raise error_of(response, answer, self._what("list"), self._now())
        return answer

    async def load(self, name: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one object."""
        most = max(limit, _ERROR_LIMIT)
        send = partial(self._send, name, {}, deadline, meter, "load", most)
        content = (await self._get(send, self._what("load"), deadline)).body
        if len(content) > limit:
            raise ReadError(Reason.TOO_LARGE, f"{self._what('load')}: more than {limit} bytes")
        return content

    async def _get(
        self, send: Callable[[], Awaitable[Response]], what: str, deadline: Deadline
    ) -> Response:
        """
        Return the response to ``send``, which errors call ``what``.

        A request that was refused is sent once more if the response tells another region, and
        once more if the file with the credentials has others now.

        :raises ReadError: also for any status but 200.
        """
        followed = reread = False
        while True:
            region, signer = self.region, self._signer
            error = S3Error()
            redirect: RedirectError | None = None
            try:
                response = await send()
                if response.status == 200:
                    return response
                error = parse_error(response.body)
                headers = response.headers
            except RedirectError as raised:
                redirect, headers = raised, raised.headers
            found = region_in(headers, error)
            if found and found != region and not followed:
                followed, self.region = True, found
                continue
            if redirect is not None:
                raise redirect
            if is_refused(response, error) and not reread:
                reread = True
                await self._reread(deadline)
                if self._signer is not signer:
                    continue
            raise error_of(response, error, what, self._now())

    async def _send(
        self,
        name: str,
        query: Mapping[str, str],
        deadline: Deadline,
        meter: Meter,
        operation: str,
        limit: int,
    ) -> Response:
        """Ask once for an object, or for the bucket without a ``name``."""
        place = self._settings.place
        host, path = host_in(place.host, self.region), f"/{place.bucket}/{name}"
        if is_virtual(place, self._settings.lookup):
            host, path = f"{place.bucket}.{host}", f"/{name}"
        path, asked = encoded_path(path), encoded_query(query)
        headers: Mapping[str, str] = {}
        if self._signer is not None:
            headers = self._signer.sign(self.region, host, path, asked, self._now())
        scheme = "https" if place.secure else "http"
        return await self._http.request(
            "GET",
            f"{scheme}://{host}{path}" + (f"?{asked}" if asked else ""),
            transport=self._transport,
            headers=headers,
            deadline=deadline,
            body_limit=limit,
            meter=meter,
            operation=operation,
        )

    async def _reread(self, deadline: Deadline) -> None:
        """Read the file with the credentials again, as temporary ones are replaced in it."""
        profile = self._settings.profile
        if profile is None:
            return

        async def read() -> S3Credentials | None:
            return await self._threads.run(("s3", profile), profile.read)

        try:
            credentials = await within(deadline, read(), f"reading {profile.path!r}")
        except (BusyError, RuntimeError, ValueError):
            return
        if self._signer is None or credentials not in (None, self._signer.credentials):
            self._signer = _signer_of(credentials)

    def _what(self, operation: str) -> str:
        place = self._settings.place
        return f"{operation} of bucket {place.bucket!r} at {place.host}"


def _signer_of(credentials: S3Credentials | None) -> Signer | None:
    return None if credentials is None else Signer(credentials)
