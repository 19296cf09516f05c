"""Tests of `restic_reporter.readers.native.unlock`: key files, good and planted."""

import json
import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import PasswordCommand
from restic_reporter.readers.native import unlock as opening
from restic_reporter.readers.native.unlock import MAX_DERIVATIONS, MAX_KEY_FILES
from tests.doubles.native_case import Kept, NativeCase
from tests.doubles.native_repositories import PASSWORD, SealedRepository, key_file, seal


class OpeningTests(NativeCase):
    """Which key file opens a repository, and what it costs."""

    async def assert_opens(self, repository: SealedRepository, **options: Any) -> None:
        """The repository can be read."""
        result = await self.read(repository, **options)
        self.assertEqual(result.ids, repository.names("snapshots"))

    async def test_once(self) -> None:
        """One derivation opens it; reads after that need none, nor the key file."""
        repository = SealedRepository.made(1)
        await self.assert_opens(repository)
        self.assertEqual(len(self.derivations()), 1)
        self.assertEqual(len(repository.loaded("keys")), 1)
        repository.add_snapshot({"hostname": "other"})
        await self.assert_opens(repository)
        self.assertEqual((self.derivations(), repository.loaded("keys")), ([], []))

    async def test_several_keys(self) -> None:
        """Any of several keys will do."""
        repository = SealedRepository.made(1)
        for number in range(3):
            repository.add_key(f"password {number}", created=f"202{number}")
        for password in (PASSWORD, "password 0", "password 2"):
            self.memory = Kept()
            await self.assert_opens(repository, password=password)

    async def test_newest_key(self) -> None:
        """When the newest key was made is known if all key files were read, and none else."""
        repository = SealedRepository.made(1, shows_keys=True)
        first, second = 1735689600.0, 1748736000.0
        self.assertEqual((await self.read(repository)).newest_key, first)
        added = repository.add_key("another", created="2025-06-01T00:00:00Z")
        # Opened with the key that is known to fit: the other is not read.
        self.assertIsNone((await self.read(repository)).newest_key)
        self.memory = Kept()
        self.assertEqual((await self.read(repository)).newest_key, second)
        repository.add_key("third", created="yesterday")
        self.memory = Kept()
        self.assertIsNone((await self.read(repository)).newest_key)
        self.memory = Kept()
        hinted = self.read(repository, hint=added[:8], password="another")
        self.assertIsNone((await hinted).newest_key)

    async def test_version(self) -> None:
        """The version is that in the config."""
        for version in (1, 2):
            self.memory = Kept()
            repository = SealedRepository.made(1, version=version)
            self.assertEqual((await self.read(repository)).version, str(version))

    async def test_wrong_password(self) -> None:
        """A password that opens none of the keys is ``auth``, each time."""
        repository = SealedRepository.made(1)
        repository.add_key("another")
        for _ in range(3):
            message = await self.assert_fails(repository, Reason.AUTH, password="wrong")
            self.assertIn("wrong password or no key found", message)
            self.assertEqual(len(self.derivations()), 2)

    async def test_wrong_password_downloads(self) -> None:
        """After it could not be opened nothing is downloaded before it can."""
        repository = SealedRepository.made(3)
        await self.assert_fails(repository, Reason.AUTH, password="wrong")
        repository.loaded("snapshots")
        await self.assert_fails(repository, Reason.AUTH, password="wrong")
        self.assertEqual(repository.loaded("snapshots"), [])
        await self.assert_opens(repository)
        self.assertEqual(len(repository.loaded("snapshots")), 3)

    async def test_empty_repository(self) -> None:
        """The password is tried on a repository without snapshots too."""
        repository = SealedRepository.made()
        await self.assert_fails(repository, Reason.AUTH, password="wrong")
        await self.assert_opens(repository)

    async def test_no_keys(self) -> None:
        """A repository without key files, or with broken ones alone, is ``keys``."""
        repository = SealedRepository()
        await self.assert_fails(repository, Reason.KEYS)
        for content in (b"", b"{}", b"[" * 9999, os.urandom(100), key_file(repository.master)[:-9]):
            repository.add("keys", content)
        message = await self.assert_fails(repository, Reason.KEYS)
        self.assertIn("no usable key file", message)
        self.assertEqual(self.derivations(), [])

    async def test_corrupt_key_files(self) -> None:
        """Broken key files are passed over and named, and the good one opens it."""
        repository = SealedRepository.made(1)
        good = next(iter(repository.names("keys")))
        flipped, huge, missing = (repository.add_key(created=str(n)) for n in range(3))
        content = bytearray(repository.files[f"keys/{flipped}"])
        content[50] ^= 1
        repository.files[f"keys/{flipped}"] = bytes(content)
        repository.files[f"keys/{huge}"] = bytes(10**6)
        repository.failures[f"keys/{missing}"] = ReadError(Reason.NOT_FOUND, "gone")
        await self.assert_opens(repository)
        self.assertEqual(self.derivations(), [good])
        for name in (flipped, huge, missing):
            self.assertTrue(any(name[:16] in line for line in self.lines), self.lines)

    async def test_server_fails(self) -> None:
        """A server that fails at a key file is that failure, not one of the keys."""
        repository = SealedRepository.made(1)
        name = next(iter(repository.names("keys")))
        for reason in (Reason.NETWORK, Reason.AUTH, Reason.UNAVAILABLE):
            repository.failures[f"keys/{name}"] = ReadError(reason, "as it says")
            await self.assert_fails(repository, reason)

    async def test_bug_in_backend(self) -> None:
        """An exception nobody expected comes out as it is."""
        repository = SealedRepository.made(1)
        name = next(iter(repository.names("keys")))
        repository.failures[f"keys/{name}"] = ZeroDivisionError()
        await self.assertFailure(self.read(repository), ZeroDivisionError)

    async def test_huge_parameters(self) -> None:
        """Keys that ask for gigabytes or for minutes are passed over without being derived."""
        repository = SealedRepository.made(1)
        good = next(iter(repository.names("keys")))
        whole = json.loads(key_file(repository.master))
        for n, r, p in ((2**24, 8, 1), (2**15, 8, 10**6), (2**40, 1, 1), (2, 2**29, 1)):
            repository.add("keys", json.dumps({**whole, "N": n, "r": r, "p": p}).encode())
        await self.assert_opens(repository)
        self.assertEqual(self.derivations(), [good])

    async def test_costly_last(self) -> None:
        """A key that costs more than is usual is tried after all others."""
        repository = SealedRepository()
        costly = repository.add_key("x", n=2**17, r=8, created="1970")
        repository.add_key("y", created="2030")
        await self.assert_fails(repository, Reason.AUTH)
        self.assertEqual(self.derivations()[-1], costly)

    def plant(self, repository: SealedRepository, number: int) -> None:
        """Add key files that are whole, and open with another password."""
        planted = json.loads(key_file(repository.master, "planted", created="1970"))
        for each in range(number):
            repository.add("keys", json.dumps({**planted, "hostname": each}).encode())

    async def test_thousand_planted(self) -> None:
        """A thousand planted keys: bounded work in each read, and in the end it opens."""
        repository = SealedRepository(concurrent_loads=8)
        self.plant(repository, 1000)
        good = repository.add_key(created="2030")
        tried: set[str] = set()
        for _ in range(60):
            try:
                await self.read(repository)
            except ReadError as error:
                self.assertEqual(error.reason, Reason.KEYS)
                self.assertIn("left for the next", error.message)
            else:
                break
            derived = self.derivations()
            self.assertLessEqual(len(derived), MAX_DERIVATIONS)
            self.assertLessEqual(len(repository.loaded("keys")), MAX_KEY_FILES)
            self.assertFalse(tried.intersection(derived))
            tried.update(derived)
        self.assertEqual(self.derivations()[-1], good)

    async def test_planted_without_cost(self) -> None:
        """Files that need no derivation to be refused keep the good key out of no read."""
        repository = SealedRepository.made(1)
        for number in range(1000):
            repository.add("keys", b"%d" % number)
            repository.add("keys", key_file(repository.master, N=2**30, number=number))
        await self.assert_opens(repository)
        self.assertEqual(len(self.derivations()), 1)
        self.assertLess(len(self.lines), 10)

    async def test_too_many(self) -> None:
        """Of more files than one read looks at, the next reads look at the others."""
        self.patch(opening, "MAX_KEY_FILES", 100)
        repository = SealedRepository.made(1)
        for number in range(1000):
            repository.add("keys", b"%d" % number)
        for _ in range(12):
            try:
                await self.read(repository)
            except ReadError as error:
                self.assertEqual(error.reason, Reason.KEYS)
                self.assertLessEqual(len(repository.loaded("keys")), 100)
            else:
                break
        else:
            self.fail("it was never opened")

    async def test_planted_wrong_password(self) -> None:
        """Where all keys were tried in several reads and none opens, it is ``auth``."""
        repository = SealedRepository()
        self.plant(repository, MAX_DERIVATIONS + 5)
        await self.assert_fails(repository, Reason.KEYS)
        await self.assert_fails(repository, Reason.AUTH)
        await self.assert_fails(repository, Reason.KEYS)

    async def test_hint(self) -> None:
        """The key that ``key_hint`` begins is tried first; a hint that means none does no harm."""
        repository = SealedRepository()
        self.plant(repository, 1000)
        good = repository.add_key()
        await self.assert_opens(repository, hint=good[:12])
        self.assertEqual(self.derivations(), [good])
        self.memory = Kept()
        await self.assert_fails(repository, Reason.KEYS, hint="xyz")

    async def test_ambiguous_hint(self) -> None:
        """A hint that means several keys means none, as in restic."""
        repository = SealedRepository.made(1)
        while len({name[0] for name in repository.names("keys")}) == len(repository.names("keys")):
            repository.add_key("other")
        first = [name[0] for name in repository.names("keys")]
        hint = max(first, key=first.count)
        await self.assert_opens(repository, hint=hint)

    async def test_last_good_first(self) -> None:
        """The key that opened it is tried first when it must be opened again."""
        repository = SealedRepository.made(1, shows_keys=True)
        await self.assert_opens(repository)
        [good] = self.derivations()
        self.plant(repository, 100)
        self.memory.kept.opened = None
        await self.assert_opens(repository)
        self.assertEqual(self.derivations(), [good])

    async def test_key_removed(self) -> None:
        """Where the listing tells that the key has gone, another must open it."""
        repository = SealedRepository.made(1, shows_keys=True)
        await self.assert_opens(repository)
        [old] = self.derivations()
        new = repository.add_key("changed")
        del repository.files[f"keys/{old}"]
        await self.assert_fails(repository, Reason.AUTH)
        repository.loaded("snapshots")
        await self.assert_opens(repository, password="changed")
        self.assertEqual(self.derivations(), [new, new])
        self.assertEqual(repository.loaded("snapshots"), [])

    async def test_foreign_key(self) -> None:
        """A key of another repository with the same password is passed over."""
        repository = SealedRepository.made(1)
        good = next(iter(repository.names("keys")))
        foreign = repository.add("keys", key_file(os.urandom(64), created="1970"))
        await self.assert_opens(repository)
        self.assertEqual(self.derivations(), [foreign, good])
        del repository.files[f"keys/{good}"]
        self.memory = Kept()
        await self.assert_fails(repository, Reason.KEYS)

    async def test_config(self) -> None:
        """A config that is missing, broken, or of a version nobody knows."""
        repository = SealedRepository.made(1)
        whole = repository.files["config"]
        master = repository.master
        for content, reason in (
            (None, Reason.NOT_FOUND),
            (b"", Reason.KEYS),
            (whole[:-1], Reason.KEYS),
            (seal(master, b"[]"), Reason.PROTOCOL),
            (seal(master, b"nonsense"), Reason.PROTOCOL),
            (seal(master, json.dumps({"version": 1, "id": "../x"}).encode()), Reason.PROTOCOL),
            (seal(master, json.dumps({"version": 3, "id": "0" * 64}).encode()), Reason.PROTOCOL),
        ):
            if content is None:
                del repository.files["config"]
            else:
                repository.files["config"] = content
            await self.assert_fails(repository, reason)
        repository.files["config"] = whole
        await self.assert_opens(repository)

    async def test_password_command(self) -> None:
        """A command for the password runs when the repository is opened, not at each read."""
        repository = SealedRepository.made(1)
        marks = self.mktemp()
        command = PasswordCommand(("/bin/sh", "-c", f"echo x >> {marks}; echo {PASSWORD}"))
        for number in range(3):
            repository.add_snapshot({"hostname": str(number)})
            await self.assert_opens(repository, password=command)
        with open(marks) as file:
            self.assertEqual(file.read(), "x\n")

    async def test_no_password(self) -> None:
        """A password that is not there yet, or cannot be encoded, is ``secret``."""
        repository = SealedRepository.made(1)
        for password in (None, "\ud800", PasswordCommand(("/bin/false",))):
            await self.assert_fails(repository, Reason.SECRET, password=password)

    async def test_cancelled(self) -> None:
        """A cancelled read stops waiting for keys and snapshots."""
        repository = SealedRepository.made(5)
        waiting: list[Deferred[None]] = []
        cancelled: list[Deferred[None]] = []

        def wait(path: str) -> "Deferred[None]":
            if path in ("config", "snapshots/", "keys/"):
                return succeed(None)
            waiting.append(Deferred(cancelled.append))
            return waiting[-1]

        repository.waiting = wait
        reading = self.read(repository)
        self.assertEqual(len(waiting), 4)
        reading.cancel()
        await self.assertFailure(reading, CancelledError)
        self.assertEqual(len(cancelled), 4)
        self.assertEqual(repository.at_once, 0)
