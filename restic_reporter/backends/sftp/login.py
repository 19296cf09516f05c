"""Shares one ssh between the repositories of one login."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import Factory, define
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall

from ...concurrency.deadline import Deadline, within
from ...concurrency.single_flight import SingleFlight
from ...interfaces import BackendTools
from ...model.errors import ReadError, Reason
from ...model.snapshots import Meter
from .connection import Connection
from .protocol import SFTPClient

T = TypeVar("T")

# OpenSSH's server drops some of more than ten logins begun at once (MaxStartups).
LOGINS_AT_ONCE = 8

# Seconds without a user until ssh is ended.
IDLE_TIME = 10.0

# Seconds for which a refused login is not tried again. A collection so makes one attempt, or
# one in each 3 minutes: servers and fail2ban lock out an address after about five in 10 minutes,
# and the backups of this machine with it. Collections 5 minutes apart all try.
REFUSAL_TIME = 180.0

# A login that failed after so many seconds is not tried again for as long: else a dead host would
# hold up the collection once for each of its repositories.
SLOW_LOGIN = 5.0

# Seconds that a login may take, even if the caller that began it has less time.
_LOGIN_TIME = 60.0


@define(eq=False)
class Login:
    """
    The login of one command: at most one ssh, opened when needed and ended when idle.

    A lost connection fails the calls under way; the next call logs in again.
    """

    _reactor: Any
    _words: Sequence[str]
    _environment: Mapping[str, str]
    _logins: DeferredSemaphore
    _connection: Connection | None = None
    _opening: SingleFlight[Connection] = Factory(SingleFlight)
    _failure: ReadError | None = None
    _closed_until: float = 0.0
    _users: int = 0
    _idle: IDelayedCall | None = None

    @classmethod
    def shared(
        cls, words: Sequence[str], environment: Mapping[str, str], tools: BackendTools
    ) -> "Login":
        """Return the login of this command."""
        key = ("sftp", tuple(words), tuple(sorted(environment.items())))
        login = tools.shared.get(key)
        if login is None:
            logins = tools.shared.setdefault(("sftp",), DeferredSemaphore(LOGINS_AT_ONCE))
            login = tools.shared[key] = cls(tools.reactor, words, environment, logins)
        assert isinstance(login, Login)
        return login

    async def use(
        self, deadline: Deadline, meter: Meter, work: Callable[[SFTPClient], Awaitable[T]]
    ) -> T:
        """
        Return the result of ``work`` with the session, by the ``deadline``.

        :raises ReadError: also without a new attempt if the login has just been refused.
        """
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._users += 1
        try:
            return await within(deadline, self._use(deadline, meter, work), "SFTP")
        finally:
            self._users -= 1
            if not self._users and self._connection is not None:
                self._idle = self._reactor.callLater(IDLE_TIME, self.close)

    async def _use(
        self, deadline: Deadline, meter: Meter, work: Callable[[SFTPClient], Awaitable[T]]
    ) -> T:
        connection = self._connection
        if connection is None:
            longer = Deadline.after(self._reactor, max(deadline.remaining(), _LOGIN_TIME))
            connection = await self._opening.join(lambda: self._open(longer, meter))
        return await work(connection.client)

    def close(self) -> None:
        """End ssh."""
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _open(self, deadline: Deadline, meter: Meter) -> Connection:
        failure, now = self._failure, self._reactor.seconds
        if failure is not None and now() < self._closed_until:
            raise ReadError(failure.reason, failure.message)
        await self._logins.acquire()
        started = now()
        try:
            meter.count_request("auth")
            connection = Connection(self._reactor, self._words, self._lose)
            await within(deadline, connection.open(self._environment), "SFTP: login")
        except ReadError as error:
            taken = now() - started
            pause = taken if taken >= SLOW_LOGIN else 0.0
            if error.reason is Reason.AUTH:
                pause = REFUSAL_TIME
            self._failure, self._closed_until = error, now() + pause
            raise
        finally:
            self._logins.release()
        self._connection = connection
        return connection

    def _lose(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            if self._idle is not None:
                self._idle.cancel()
                self._idle = None
