"""Shares authorization and buckets between the repositories of one application key."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from attrs import Factory, define
from twisted.internet.interfaces import IReactorTime

from ...concurrency.deadline import Deadline, within
from ...concurrency.single_flight import SingleFlight
from ...http import BoundedHTTPClient, Response, basic_auth
from ...interfaces import BackendTools
from ...model.errors import ReadError, Reason
from ...model.repository import Transport
from ...model.snapshots import Meter
from .answers import (
    Authorization,
    check_sha1,
    is_stale,
    parse_authorization,
    parse_object,
    raise_for_error,
)
from .settings import B2Credentials

T = TypeVar("T")

API_URL = "https://api.backblazeb2.com"

_AUTHORIZE, _BUCKETS = "b2_authorize_account", "b2_list_buckets"

# A token is valid for at most 24 hours.
TOKEN_LIFE = 23 * 3600.0

# Shared work may take this long, even if the caller that started it has less time.
_SHARED_TIME = 60.0

# Room for a thousand names with all their attributes.
_ANSWER_LIMIT = 8 * 2**20


@define(eq=False)
class Session:
    """
    One application key on one transport.

    Sends every request with the current authorization. If that has expired, gets a new one,
    shared by all waiting requests, and sends the request again.
    """

    _http: BoundedHTTPClient
    _clock: IReactorTime
    _credentials: B2Credentials
    _transport: Transport
    _current: Authorization | None = None
    _authorizing: SingleFlight[Authorization] = Factory(SingleFlight)
    _bucket_ids: dict[str, str] = Factory(dict)
    _looking_up: dict[str, SingleFlight[str]] = Factory(dict)

    @classmethod
    def shared(
        cls, credentials: B2Credentials, transport: Transport, tools: BackendTools
    ) -> "Session":
        """Return the session of this key and transport."""
        key = ("b2", credentials, transport)
        session = tools.shared.get(key)
        if session is None:
            session = tools.shared[key] = cls(tools.http, tools.reactor, credentials, transport)
        assert isinstance(session, Session)
        return session

    async def list_file_names(
        self, bucket: str, arguments: dict[str, Any], deadline: Deadline, meter: Meter
    ) -> dict[str, Any]:
        """
        Call b2_list_file_names once.

        :raises ReadError: also ``auth`` if the key has no access to the bucket.
        """
        bucket_id = await self._bucket_id(bucket, deadline, meter)
        try:
            return await self._call(
                "b2_list_file_names",
                "the capability listFiles, and access to the bucket and the path",
                lambda _: {"bucketId": bucket_id, **arguments},
                deadline,
                meter,
            )
        except ReadError as error:
            if error.reason == Reason.NOT_FOUND:
                self._bucket_ids.pop(bucket, None)
            raise

    async def download(
        self, bucket: str, name: str, limit: int, deadline: Deadline, meter: Meter
    ) -> bytes:
        """Load one file by b2_download_file_by_name; check its SHA-1 if B2 sends one."""
        what = "b2_download_file_by_name"
        path = f"/file/{bucket}/{quote(name, safe='/')}"
        response = await self._authorized(
            lambda one: (one.download_url + path, None), deadline, meter, "load", limit
        )
        raise_for_error(response, what, "the capability readFiles, and access to the path")
        return check_sha1(response, what)

    async def allowed_prefix(self, deadline: Deadline, meter: Meter) -> str:
        """Return the prefix of all file names that the key may see."""
        return (await self._authorization(deadline, meter)).prefix

    async def _bucket_id(self, bucket: str, deadline: Deadline, meter: Meter) -> str:
        buckets = (await self._authorization(deadline, meter)).buckets
        if buckets is not None:
            if bucket not in buckets:
                raise ReadError(
                    Reason.AUTH,
                    f"application key has no access to bucket {bucket!r}, or it was deleted",
                )
            return buckets[bucket]
        if bucket not in self._bucket_ids:
            looking_up = self._looking_up.setdefault(bucket, SingleFlight())
            self._bucket_ids[bucket] = await self._share(
                looking_up, lambda longer: self._look_up(bucket, longer, meter), _BUCKETS, deadline
            )
        return self._bucket_ids[bucket]

    async def _look_up(self, bucket: str, deadline: Deadline, meter: Meter) -> str:
        answer = await self._call(
            _BUCKETS,
            "the capability listBuckets",
            lambda one: {"accountId": one.account_id, "bucketName": bucket},
            deadline,
            meter,
        )
        try:
            for one in answer["buckets"]:
                if one["bucketName"] == bucket and isinstance(one["bucketId"], str):
                    return str(one["bucketId"])
        except (KeyError, TypeError):
            raise ReadError(Reason.PARSE, f"{_BUCKETS}: incomplete response") from None
        raise ReadError(Reason.NOT_FOUND, f"no bucket {bucket!r} for this key; check its name")

    async def _call(
        self,
        name: str,
        needs: str,
        arguments: Callable[[Authorization], dict[str, Any]],
        deadline: Deadline,
        meter: Meter,
    ) -> dict[str, Any]:
        def build(authorization: Authorization) -> tuple[str, bytes]:
            body = json.dumps(arguments(authorization)).encode("ascii")
            return f"{authorization.api_url}/b2api/v4/{name}", body

        response = await self._authorized(build, deadline, meter, "list", _ANSWER_LIMIT)
        raise_for_error(response, name, needs)
        return parse_object(response.body, name)

    async def _request(
        self,
        url: str,
        access: str,
        deadline: Deadline,
        meter: Meter,
        operation: str,
        limit: int,
        body: bytes | None = None,
    ) -> Response:
        """Send a GET, or a POST with a JSON ``body``; ``access`` is the Authorization header."""
        headers = {"Authorization": access}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._http.request(
            "GET" if body is None else "POST",
            url,
            transport=self._transport,
            headers=headers,
            body=body,
            deadline=deadline,
            body_limit=limit,
            meter=meter,
            operation=operation,
            idempotent=True,
        )

    async def _authorized(
        self,
        build: Callable[[Authorization], tuple[str, bytes | None]],
        deadline: Deadline,
        meter: Meter,
        operation: str,
        limit: int,
    ) -> Response:
        """Send the request (URL and body) that ``build`` makes; again if the token has expired."""

        async def send(one: Authorization) -> Response:
            url, body = build(one)
            token = one.token.reveal()
            return await self._request(url, token, deadline, meter, operation, limit, body)

        authorization = await self._authorization(deadline, meter)
        response = await send(authorization)
        if not is_stale(response):
            return response
        if self._current is authorization:
            self._current = None
        return await send(await self._authorization(deadline, meter))

    async def _authorization(self, deadline: Deadline, meter: Meter) -> Authorization:
        current = self._current
        if current is not None and self._clock.seconds() < current.moment + TOKEN_LIFE:
            return current
        return await self._share(
            self._authorizing, lambda longer: self._authorize(longer, meter), _AUTHORIZE, deadline
        )

    async def _share(
        self,
        work: SingleFlight[T],
        begin: Callable[[Deadline], Coroutine[Any, Any, T]],
        what: str,
        deadline: Deadline,
    ) -> T:
        """Return the result of ``work``, which has its own deadline and may outlive this call."""
        longer = Deadline.after(self._clock, max(deadline.remaining(), _SHARED_TIME))

        async def wait() -> T:
            return await work.join(lambda: begin(longer))

        return await within(deadline, wait(), what)

    async def _authorize(self, deadline: Deadline, meter: Meter) -> Authorization:
        base = self._credentials.api_url or API_URL
        access = basic_auth(self._credentials.key_id, self._credentials.key.reveal())
        moment = self._clock.seconds()
        url = f"{base}/b2api/v4/{_AUTHORIZE}"
        response = await self._request(url, access, deadline, meter, "auth", 2**20)
        raise_for_error(response, _AUTHORIZE, "a valid key id with its own key")
        self._current = parse_authorization(response.body, base, moment)
        return self._current
