"""Checks passwords against bcrypt hashes, in a thread, and remembers the results."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

import binascii
import hashlib
import os
from base64 import b64decode
from collections import Counter, OrderedDict
from collections.abc import Mapping
from hmac import compare_digest

import bcrypt
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from ...concurrency.cpu_threads import WorkerThreads
from ...concurrency.single_flight import SingleFlight

# How many right and how many wrong passwords are remembered.
CACHE_SIZE = 100

# How many checks may wait or run, and how many of them for one address.
MAX_CHECKS = 64
MAX_CHECKS_OF_ADDRESS = 4

# bcrypt itself uses no more.
_MAX_PASSWORD = 72


class TooManyChecksError(Exception):
    """Too many passwords are being checked; the client may try again."""


def credentials(authorization: bytes | None) -> tuple[str, bytes] | None:
    """Return user and password of an ``Authorization: Basic`` header, if it is a valid one."""
    scheme, _, encoded = (authorization or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None


def matches(password: bytes, hashed: bytes | None, highest_cost: int) -> bool:
    """
    Return whether ``password`` has this bcrypt hash; never if there is none.

    It takes as long as ``highest_cost`` always, so that the time does not tell which users
    there are.
    """
    cost = highest_cost if hashed is None else cost_of(hashed)
    found = bcrypt.hashpw(password[:_MAX_PASSWORD], hashed or _salt(cost))
    # Each cost doubles the time of the one below.
    for more in range(cost, highest_cost):
        bcrypt.hashpw(b"", _salt(more))
    return hashed is not None and compare_digest(found, hashed)


def cost_of(hashed: bytes) -> int:
    """Return the cost of a bcrypt hash."""
    return int(hashed[4:6])


def _salt(cost: int) -> bytes:
    return b"$2b$%02d$%s" % (cost, b"." * 22)


@define(eq=False)
class PasswordChecks:
    """
    Checks passwords one at a time, as bcrypt is slow by design.

    Results are remembered under a keyed hash, not the passwords. The right ones are kept apart
    from the wrong ones, so that guessing cannot push them out. Equal checks are done once.
    """

    _threads: WorkerThreads
    _right: "OrderedDict[bytes, None]" = field(init=False, factory=OrderedDict)
    _wrong: "OrderedDict[bytes, None]" = field(init=False, factory=OrderedDict)
    _running: dict[bytes, SingleFlight[bool]] = field(init=False, factory=dict)
    _of_address: Counter[str] = field(init=False, factory=Counter)
    _secret: bytes = field(init=False, factory=lambda: os.urandom(32), repr=False)

    @classmethod
    def on(cls, reactor: IReactorFromThreads) -> "PasswordChecks":
        """Return checks in a thread of their own: those of the readers may be busy for seconds."""
        return cls(WorkerThreads(reactor, 1))

    def known(self, users: Mapping[str, bytes], user: str, password: bytes) -> bool | None:
        """Return the result of an earlier check, or ``None``."""
        key = self._key(users, user, password)
        for cache in (self._right, self._wrong):
            if key in cache:
                cache.move_to_end(key)
                return cache is self._right
        return None

    def check(
        self, users: Mapping[str, bytes], user: str, password: bytes, address: str
    ) -> "Deferred[bool]":
        """
        Check the password of ``user``, for a client at ``address``; it may be cancelled.

        :raises TooManyChecksError: there are too many checks at once.
        """
        key = self._key(users, user, password)
        flight = self._running.get(key)
        if flight is None:
            if (
                len(self._running) >= MAX_CHECKS
                or self._of_address[address] >= MAX_CHECKS_OF_ADDRESS
            ):
                raise TooManyChecksError
            flight = self._running[key] = SingleFlight()
        hashed = users.get(user)
        highest = max(map(cost_of, users.values()))
        return flight.join(lambda: self._check(key, password, hashed, highest, address))

    async def _check(
        self, key: bytes, password: bytes, hashed: bytes | None, highest: int, address: str
    ) -> bool:
        self._of_address[address] += 1
        try:
            result = await self._threads.run(matches, password, hashed, highest)
        finally:
            del self._running[key]
            self._of_address[address] -= 1
            # Not one entry for each address that ever came.
            self._of_address += Counter()
        cache = self._right if result else self._wrong
        cache[key] = None
        if len(cache) > CACHE_SIZE:
            cache.popitem(last=False)
        return result

    def _key(self, users: Mapping[str, bytes], user: str, password: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._secret)
        name = user.encode("utf-8", "surrogateescape")
        for part in (name, users.get(user, b""), password):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def stop(self) -> None:
        """Begin no other check."""
        self._threads.stop()
