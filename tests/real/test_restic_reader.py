"""Tests of `restic_reporter.readers.restic`, with real versions of restic and worse ones."""

import contextlib
import functools
import os
import re
import shutil
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from restic_reporter.backends.local import LocalBackend
from restic_reporter.collection.read_repository import read_repository
from restic_reporter.collection.state import RepositoryStatus, Task
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.concurrency.deadline import Deadline, sleep, within
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import PasswordCommand, Repository
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.readers import restic as module
from restic_reporter.readers.process import child
from restic_reporter.readers.restic import ResticReader
from restic_reporter.redaction.secret import Secret
from restic_reporter.testing import read_request
from tests.doubles.certificates import Authority, self_signed
from tests.doubles.child_programs import DEAF_FAMILY, PATIENCE, Watch, running, script
from tests.doubles.native_repositories import cheapen
from tests.doubles.repositories import Outcome, b2_settings, no_tools, outcome
from tests.doubles.servers import Folder, RestServer, restic, snapshots
from tests.doubles.tools import tool

any_reactor: Any = reactor

VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")
PASSWORD = "open sesame"
NOW = datetime.fromisoformat("2026-01-01T00:00:00+00:00").timestamp()
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}

# Local times, with the zone of the client.
BACKUPS = (
    ("alpha", "2025-03-01 12:00:00", "Asia/Tokyo"),
    ("alpha", "2025-03-01 05:00:00", "America/St_Johns"),
    ("beta", "2024-02-29 23:59:59", "UTC"),
    ("gämma ray", "2027-01-01 00:00:00", "UTC"),
)


@functools.cache
def made(program: str) -> Path:
    """
    A repository made by this version: its folder, beside which lies an empty one.

    Their key is a cheap one, so that each restic goes on in no time.
    """
    folder = Path(f"made-by-{program}").resolve()
    folder.mkdir()
    data = folder / "data"
    data.write_text("some data")
    restic(folder / "empty", "init", password=PASSWORD, program=program)
    cheapen(folder / "empty", PASSWORD)
    shutil.copytree(folder / "empty", folder / "full")
    for host, local, zone in BACKUPS:
        restic(
            folder / "full",
            *("backup", "--host", host, "--time", local, str(data)),
            password=PASSWORD,
            program=program,
            environment={"TZ": zone},
        )
    return folder


def entry(location: str | Path, password: Any = PASSWORD, **options: Any) -> Repository:
    """An entry of the config."""
    if isinstance(password, str):
        password = Secret(password)
    return Repository(
        position=1,
        url="label",
        scheme="local",
        location=Secret(str(location)),
        password=password,
        **options,
    )


def read(
    program: str,
    repository: Repository,
    seconds: float = PATIENCE,
    environ: Mapping[str, str] = ENVIRON,
) -> "Deferred[Outcome]":
    """Read as the collection does, under a deadline."""
    reader = ResticReader(reactor, program, environ)
    deadline = Deadline.after(reactor, seconds)
    work = outcome(reader, read_request(repository, deadline), NOW)
    return Deferred.fromCoroutine(within(deadline, work, "reading"))


class ReaderTestCase(TestCase):
    """What all these tests need."""

    def folder(self) -> Folder:
        """A temporary folder for servers."""
        folder = Folder()
        self.addCleanup(folder.close)
        return folder

    def copy(self, path: Path, name: str = "copy") -> Path:
        """A copy of a repository that may be damaged."""
        target = Path(self.mktemp()).resolve() / name
        shutil.copytree(path, target)
        for file in target.rglob("*"):
            file.chmod(file.stat().st_mode | 0o200)
        return target

    async def assert_fails(
        self, program: str, repository: Repository, reason: Reason, **options: Any
    ) -> str:
        """Reading fails for this reason; the message."""
        error: Any = await self.assertFailure(read(program, repository, **options), ReadError)
        self.assertEqual(error.reason, reason, error.message)
        for secret in repository.secrets():
            # Shorter ones are not masked, as they would show by where the masks are.
            if len(secret.reveal()) >= 4:
                self.assertNotIn(secret.reveal(), error.message)
        message: str = error.message
        return message

    def assert_like(self, result: Outcome, path: Path, program: str) -> None:
        """The result is what restic, asked by hand, says of the repository at ``path``."""
        expected: dict[str, list[float]] = {}
        listed = snapshots(path, password=PASSWORD, program=program)
        for snapshot in listed:
            times = expected.setdefault(snapshot["hostname"], [])
            times.append(datetime.fromisoformat(snapshot["time"]).timestamp())
        self.assertEqual(result.ids, {snapshot["id"] for snapshot in listed})
        self.assertEqual(result.content.snapshot_count, len(listed))
        self.assertEqual(
            {one.host: (one.snapshot_count, one.newest, one.oldest) for one in result.content.sets},
            {
                host: (len(times), past and max(past), past and min(past))
                for host, times in expected.items()
                for past in [[time for time in times if time <= NOW] or None]
            },
        )
        self.assertEqual(
            {one.user for one in result.content.sets},
            {snapshot["username"] for snapshot in listed},
        )


class VersionTests(ReaderTestCase):
    """What must work with every version of restic."""

    async def test_values(self) -> None:
        """Hosts, users, counts and instants are those that restic shows."""
        for program in VERSIONS:
            path = made(program) / "full"
            before = sorted(path.rglob("*"))
            result = await read(tool(program), entry(path))
            self.assert_like(result, path, program)
            self.assertEqual(result.content.future_count, 1)
            newest = {one.host: one.newest for one in result.content.sets}
            # 05:00 in St John's, at UTC-3:30, is later than 12:00 in Tokyo.
            self.assertEqual(newest["alpha"], 1740817800.0)
            self.assertEqual((result.nameless, result.unreadable), (0, frozenset()))
            self.assertEqual(sorted(path.rglob("*")), before)

    async def test_empty(self) -> None:
        """An empty repository has no snapshots, and that is no failure."""
        for program in VERSIONS:
            result = await read(tool(program), entry(made(program) / "empty"))
            self.assertEqual((result.content.snapshot_count, result.ids), (0, frozenset()))

    async def test_other_versions_repository(self) -> None:
        """The oldest reads what the newest made, and the other way round."""
        for program, maker in (("restic-0.14", "restic-0.19"), ("restic-0.19", "restic-0.14")):
            path = made(maker) / "full"
            self.assert_like(await read(tool(program), entry(path)), path, maker)

    async def test_wrong_password(self) -> None:
        """A wrong password is ``auth``."""
        for program in VERSIONS:
            repository = entry(made(program) / "empty", "not the password")
            await self.assert_fails(tool(program), repository, Reason.AUTH)

    async def test_missing(self) -> None:
        """A repository that is not there is ``not_found``."""
        for program in VERSIONS:
            path = Path(self.mktemp()).resolve()
            await self.assert_fails(tool(program), entry(path), Reason.NOT_FOUND)

    async def test_refused(self) -> None:
        """A server that refuses is ``network``, also where restic tries again until the end."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        repository = entry(f"rest:http://u:secret@127.0.0.1:{port}/x")
        for program in VERSIONS:
            message = await self.assert_fails(
                tool(program), repository, Reason.NETWORK, seconds=1.5
            )
            self.assertIn("connection refused", message)

    async def test_silent(self) -> None:
        """A server that says nothing is ``timeout``; restic is gone then."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            location = f"rest:http://127.0.0.1:{silent.getsockname()[1]}/x"
            marker = f"marker-{os.getpid()}-{id(self)}"
            repository = entry(location, key_hint=marker)
            for program in VERSIONS:
                await self.assert_fails(tool(program), repository, Reason.TIMEOUT, seconds=1.0)
                self.assertEqual(running(marker), [])

    async def test_damaged_snapshots(self) -> None:
        """Snapshots that cannot be read are named; the others count."""
        for program in VERSIONS:
            path = self.copy(made(program) / "full")
            names = sorted(file.name for file in (path / "snapshots").iterdir())
            (path / "snapshots" / names[0]).write_bytes(b"garbage")
            (path / "snapshots" / names[1]).write_bytes(b"")
            with open(path / "snapshots" / names[2], "r+b") as file:
                file.truncate(60)
            result = await read(tool(program), entry(path))
            self.assertEqual(result.unreadable, {name[:8] for name in names[:3]})
            self.assertEqual(result.ids, {names[3]})
            self.assertEqual(result.content.snapshot_count, 1)

    async def test_rest_server(self) -> None:
        """A server that asks for a password gets it from the URL."""
        folder = self.folder()
        server = RestServer(folder, folder.path / "data", {"ann": "p@ss wörd"})
        path = made("restic-0.18") / "full"
        shutil.copytree(path, server.path / "r")
        for program in VERSIONS:
            good = entry(server.url("r", "ann:p%40ss%20w%C3%B6rd@"))
            self.assert_like(await read(tool(program), good), path, "restic-0.18")
            bad = entry(server.url("r", "ann:hopeless@"))
            await self.assert_fails(tool(program), bad, Reason.AUTH, seconds=5)
        missing = entry(server.url("other", "ann:p%40ss%20w%C3%B6rd@"))
        await self.assert_fails(tool("restic-0.14"), missing, Reason.NOT_FOUND)

    async def test_tls(self) -> None:
        """A certificate counts only when the entry's authority, or the system's, has signed it."""
        folder = self.folder()
        authority = Authority.make()
        (folder.path / "ca.pem").write_bytes(authority.pem)
        addresses = []
        path = made("restic-0.18") / "full"
        for number, pem in enumerate((authority.issue(), self_signed())):
            (folder.path / f"{number}.pem").write_bytes(pem)
            certificate = str(folder.path / f"{number}.pem")
            server = RestServer(
                folder,
                folder.path / f"data{number}",
                arguments=("--tls", "--tls-cert", certificate, "--tls-key", certificate),
            )
            shutil.copytree(path, server.path / "r")
            addresses.append(f"rest:https://{server.address}/r")
        ca = str(folder.path / "ca.pem")
        for program in VERSIONS:
            good = entry(addresses[0], ca_certificate_path=ca)
            self.assert_like(await read(tool(program), good), path, "restic-0.18")
            bad = entry(addresses[1], ca_certificate_path=ca)
            await self.assert_fails(tool(program), bad, Reason.TLS, seconds=1.5)


class PasswordTests(ReaderTestCase):
    """Passwords of all kinds reach restic as they are."""

    async def test_odd_passwords(self) -> None:
        """Blanks at the ends, letters beyond ASCII and line breaks are part of the password."""
        for program, password in (
            ("restic-0.14", " blanks\t"),
            ("restic-0.18", " blanks\t"),
            ("restic-0.18", "pässwörd ✓\nnext line"),
            ("restic-0.18", "\ufeffmarked"),
        ):
            path = self.copy(made(program) / "empty")
            cheapen(path, PASSWORD, password)
            result = await read(tool(program), entry(path, password))
            self.assertEqual(result.content.snapshot_count, 0)

    async def test_empty_password(self) -> None:
        """A repository without a password can be read by versions that know of such."""
        path = Path(self.mktemp()).resolve()
        restic(path, "init", "--insecure-no-password", password="", program="restic-0.18")
        for program in VERSIONS[1:]:
            result = await read(tool(program), entry(path, ""))
            self.assertEqual(result.content.snapshot_count, 0)
        await self.assert_fails(tool("restic-0.14"), entry(path, ""), Reason.RESTIC)

    async def test_impossible_password(self) -> None:
        """A password that has no bytes is a failure of the secret."""
        repository = entry(made("restic-0.18") / "empty", "x\ud800y")
        await self.assert_fails(tool("restic-0.18"), repository, Reason.SECRET)

    async def test_key_hint(self) -> None:
        """The key that is asked for is tried first."""
        path = made("restic-0.18") / "empty"
        (key,) = (path / "keys").iterdir()
        await read(tool("restic-0.18"), entry(path, key_hint=key.name[:8]))
        fake = script(Path(self.mktemp()), '#!/bin/sh\necho "Fatal: $*" >&2; exit 1\n')
        message = await self.assert_fails(fake, entry(path, key_hint="abcd"), Reason.RESTIC)
        self.assertIn("--key-hint abcd", message)

    async def test_odd_path(self) -> None:
        """Blanks and letters beyond ASCII may be in the repository's path."""
        path = self.copy(made("restic-0.18") / "full", "a b  ü:'\"$x")
        for location in (str(path), f"local:{path}"):
            result = await read(tool("restic-0.18"), entry(location))
            self.assert_like(result, path, "restic-0.18")


def make_sparse(path: Path) -> None:
    """A file of a size that fits into no memory."""
    path.touch()
    os.truncate(path, 2**40)


class ReplacedBackend:
    """
    A folder in which one snapshot loses its file right after the first listing; its name goes
    before the second one.
    """

    def __init__(self, backend: LocalBackend, path: Path) -> None:
        self.concurrent_loads = backend.concurrent_loads
        self.list_keys, self.load = backend.list_keys, backend.load
        self._backend = backend
        self._path = path
        self.listings = 0

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What is there."""
        self.listings += 1
        if self.listings == 2:
            self._path.unlink()
        listing = await self._backend.list(deadline, meter)
        if self.listings == 1:
            self._path.unlink()
            self._path.symlink_to("/nowhere")
        return listing


class ChangingTests(ReaderTestCase):
    """Snapshots that go while restic itself reads."""

    async def test_vanished(self) -> None:
        """Each version is stopped or says so, and the next listing is read."""
        for program in VERSIONS:
            path = self.copy(made(program) / "full", program)
            repository = entry(path)
            gone = sorted((path / "snapshots").iterdir())[0]
            tools = evolve(no_tools(), threads=KeyedThreads(any_reactor))
            backend: Any = ReplacedBackend(LocalBackend.make(repository, tools), gone)
            reader = ResticReader(reactor, tool(program), ENVIRON)
            task = Task(repository, "local", backend, reader, PATIENCE)
            reading = await read_repository(
                task, RepositoryStatus(task), NOW, reactor, Deadline.after(reactor, PATIENCE)
            )
            left = snapshots(path, password=PASSWORD, program=program)
            self.assertEqual(reading.content.snapshot_count, len(left))
            self.assertNotIn(gone.name, {one["id"] for one in left})

    async def test_spoilt_cache(self) -> None:
        """A cache at which restic hangs or breaks down is tried once, for a part of the time."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        for word, spoil, share in (("hangs", os.mkfifo, 0.05), ("fails", make_sparse, 0.5)):
            self.patch(module, "_CACHE_SHARE", share)
            logged: list[Any] = []
            observer: Any = logged.append
            globalLogPublisher.addObserver(observer)
            self.addCleanup(globalLogPublisher.removeObserver, observer)
            path = made("restic-0.18") / "full"
            [identifier] = re.findall(
                r'"id": ?"([0-9a-f]{64})"', restic(path, "cat", "config", password=PASSWORD)
            )
            cache = Path(self.mktemp()).resolve()
            (cache / identifier).mkdir(parents=True)
            spoil(cache / identifier / "version")
            calls = Path(self.mktemp()).resolve()
            program = script(
                Path(self.mktemp()),
                f'#!/bin/sh\necho "$@" >> {calls}\nexec {tool("restic-0.18")} "$@"\n',
            )
            reader = ResticReader(reactor, program, ENVIRON, str(cache))
            for _ in range(2):
                request = read_request(entry(path), Deadline.after(reactor, PATIENCE))
                found = await outcome(reader, request, NOW)
                self.assertEqual(len(found.ids), found.content.snapshot_count)
            runs = calls.read_text().splitlines()
            self.assertEqual([f"--cache-dir {cache}" in run for run in runs], [True, False, False])
            problems = [str(one.get("problem")) for one in logged if one.get("problem")]
            self.assertEqual(len(problems), 1)
            self.assertIn(f"restic {word} with the cache in {str(cache)!r}", problems[0])


class FakeTests(ReaderTestCase):
    """Programs in place of restic, which do what it should not."""

    def fake(self, text: str) -> str:
        """A shell script."""
        return script(Path(self.mktemp()), f"#!/bin/sh\n{text}\n")

    def python(self, text: str) -> str:
        """A Python program."""
        import sys

        return script(Path(self.mktemp()), f"#!{sys.executable} -IS\n{text}\n")

    def inherited(self, shell: int) -> list[int]:
        """The descriptors that a shell was started with.

        Its own (the script, what it saves while it redirects) close at an exec: an inherited one
        cannot, or it would not have come through the exec that started the shell.
        """
        found = []
        for one in Path(f"/proc/{shell}/fdinfo").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                flags = re.search(r"^flags:\s*(\d+)$", one.read_text(), re.MULTILINE)
                assert flags is not None
                if not int(flags[1], 8) & os.O_CLOEXEC:
                    found.append(int(one.name))
        return sorted(found)

    async def test_secrets_are_out_of_sight(self) -> None:
        """Neither arguments nor environment hold a secret, of restic as of its guard."""
        fifo = Path(self.mktemp()).resolve()
        os.mkfifo(fifo)
        program = self.fake(f"echo $$ $PPID > {fifo}; while :; do sleep 1000; done")
        environ = {
            **{name: f"value of {name}" for name in ("HOME", "TMPDIR", "TZ", "LANG")},
            "PATH": os.environ["PATH"],
            "https_proxy": "http://proxy",
            "RESTIC_PASSWORD": "somebody's",
            "RESTIC_CACHE_DIR": "/x",
            "VAULT_TOKEN": "token",
        }
        repository = entry("rest:http://u:hidden@h/", "sesame", env={"AWS_KEY": Secret("mine")})
        reading = read(program, repository, environ=environ)
        with open(fifo) as told:
            pids = [int(pid) for pid in told.readline().split()]
        found = []
        for pid in pids:
            arguments = Path(f"/proc/{pid}/cmdline").read_text()
            pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")[:-1]
            found.append((arguments, dict(pair.split("=", 1) for pair in pairs)))
        descriptors = self.inherited(pids[0])
        reading.cancel()
        await self.assertFailure(reading, CancelledError)
        for arguments, variables in found:
            self.assertNotIn("hidden", arguments)
            self.assertNotIn("sesame", arguments)
            self.assertIn("\0--no-lock\0", arguments)
            self.assertEqual(
                variables,
                {
                    **{name: environ[name] for name in ("PATH", "HOME", "TMPDIR", "TZ", "LANG")},
                    "https_proxy": "http://proxy",
                    "AWS_KEY": "mine",
                    "RESTIC_PASSWORD_FILE": "/dev/fd/3",
                    "RESTIC_REPOSITORY_FILE": "/dev/fd/4",
                },
            )
        self.assertEqual(descriptors, [0, 1, 2, 3, 4])

    async def test_b2_key(self) -> None:
        """The key for B2 is in restic's environment, before any other that is set for it."""
        program = self.fake(
            'echo "Fatal: $B2_ACCOUNT_ID, $(echo $B2_ACCOUNT_KEY | wc -c)" >&2; exit 1'
        )
        repository = entry(
            "b2:some-bucket:path",
            settings=b2_settings("b2:some-bucket:path", "the id", "the key"),
            env={"B2_ACCOUNT_ID": Secret("another")},
        )
        message = await self.assert_fails(program, repository, Reason.RESTIC)
        self.assertTrue(message.endswith("Fatal: the id, 8"), message)

    async def test_secrets_arrive(self) -> None:
        """The pipes hold password and location."""
        program = self.fake('echo "Fatal: $(cat /dev/fd/3 /dev/fd/4 | wc -c)" >&2; exit 1')
        message = await self.assert_fails(program, entry("/location", "pässword"), Reason.RESTIC)
        self.assertTrue(message.endswith("Fatal: 18"), message)

    async def test_talkative(self) -> None:
        """Secrets that restic prints are masked in the message."""
        program = self.fake('echo "Fatal: $(cat /dev/fd/3) $(cat /dev/fd/4) $AWS_KEY" >&2; exit 1')
        repository = entry("rest:http://u:hidden@h/", "sesame", env={"AWS_KEY": Secret("precious")})
        message = await self.assert_fails(program, repository, Reason.RESTIC)
        self.assertEqual(message, "restic failed with exit status 1: Fatal: *** *** ***")

    async def test_missing(self) -> None:
        """A restic that cannot be run is ``exec``."""
        await self.assert_fails("/nonexistent/restic", entry("/r"), Reason.EXEC)

    async def test_deaf(self) -> None:
        """One that hangs and ignores every signal is killed at the deadline, with its family."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        fifo = Path(self.mktemp()).resolve()
        os.mkfifo(fifo)
        text = DEAF_FAMILY.replace("os.write(1,", f"os.write(os.open({str(fifo)!r}, os.O_WRONLY),")
        reading = self.assert_fails(self.python(text), entry("/r"), Reason.TIMEOUT, seconds=1.0)
        task = Deferred.fromCoroutine(reading)
        with open(fifo) as told:
            family = [Watch(self, int(pid)) for pid in told.readline().split()]
        began = time.monotonic()
        await task
        self.assertLess(time.monotonic() - began, PATIENCE)
        self.assertEqual([one.gone(0) for one in family], [True] * 3)

    async def test_floods(self) -> None:
        """Endless output of any kind is too large."""
        snapshot = '{"time":"2025-01-01T00:00:00Z","hostname":"h","id":"%064d"},'
        self.patch(module, "STDOUT_LIMIT", 2**23)
        for text in (
            "exec cat /dev/zero",
            "exec cat /dev/zero >&2",
            f"echo [; exec yes '{snapshot % 5}'",
            "printf '[\"'; exec tr '\\0' a < /dev/zero",
            "printf '['; exec tr '\\0' '[' < /dev/zero",
        ):
            await self.assert_fails(self.fake(text), entry("/r"), Reason.TOO_LARGE)

    async def test_many_paths(self) -> None:
        """Snapshots of 60,000 paths are like any other, however much that is in all."""
        self.patch(module, "STDOUT_LIMIT", 2**23)
        program = self.python(
            "import json\n"
            "paths = [f'/домашняя папка/{number:07}' for number in range(60_000)]\n"
            "def one(number, **more):\n"
            "    value = {'time': f'2025-01-{number:02}T00:00:00Z', **more, 'hostname': 'h'}\n"
            "    value.update(username='u', id=f'{number:064}')\n"
            "    return json.dumps(value, ensure_ascii=False)\n"
            "print('[', one(1), ',')\n"
            "for number in range(2, 12): print(one(number, paths=paths), ',')\n"
            "print(one(12), ']')\n"
        )
        result = await read(program, entry("/r"))
        self.assertEqual(result.ids, {f"{number:064}" for number in range(1, 13)})
        [found] = result.content.sets
        self.assertEqual((result.content.invalid_count, found.snapshot_count), (0, 12))
        self.assertEqual((found.oldest, found.newest), (1735689600.0, 1736640000.0))

    async def test_flood_of_long(self) -> None:
        """A long snapshot that comes again and again is too large."""
        self.patch(module, "STDOUT_LIMIT", 2**23)
        program = self.python(
            "import json\n"
            "one = json.dumps({'id': '5' * 64, 'paths': ['/x'] * 100_000})\n"
            "print('[')\n"
            "while True: print(one, ',')\n"
        )
        await self.assert_fails(program, entry("/r"), Reason.TOO_LARGE)

    async def test_killed(self) -> None:
        """One that is killed is ``signal``."""
        await self.assert_fails(self.fake("kill -9 $$"), entry("/r"), Reason.SIGNAL)

    async def test_empty_list_of_a_failure(self) -> None:
        """An empty list with a failure's exit status is that failure."""
        for code, reason in ((1, Reason.RESTIC), (12, Reason.AUTH), (130, Reason.SIGNAL)):
            await self.assert_fails(self.fake(f"echo '[]'; exit {code}"), entry("/r"), reason)

    async def test_nonsense(self) -> None:
        """Output that is no list of snapshots is ``parse``, or the exit status if that is bad."""
        for text in ("", "hello", "[", "[{}", "[{}]x", "{}", '[{"id": 1}', "[1 2]"):
            program = self.fake(f"echo '{text}'")
            await self.assert_fails(program, entry("/r"), Reason.PARSE)
        await self.assert_fails(self.fake("echo hello; exit 12"), entry("/r"), Reason.AUTH)

    async def test_odd_snapshots(self) -> None:
        """Unusable snapshots are counted, doubled ones once, nameless ones apart."""
        name = "a" * 64
        text = (
            f'[{{"id":"{name}","time":"2025-01-01T00:00:00Z","hostname":"h"}},'
            f'{{"id":"{name}","time":"2025-01-01T00:00:00Z","hostname":"h"}},'
            f'{{"id":"{"b" * 64}","time":"0000-01-01T00:00:00Z","hostname":"h"}},'
            '{"id":"short","time":"2025-01-01T00:00:00Z","hostname":"h"},null]'
        )
        result = await read(self.fake(f"echo '{text}'"), entry("/r"))
        self.assertEqual(result.ids, {name, "b" * 64})
        self.assertEqual(result.nameless, 2)
        self.assertEqual(result.content.snapshot_count, 2)
        self.assertEqual(result.content.invalid_count, 1)
        self.assertEqual([one.newest for one in result.content.sets], [1735689600.0])

    async def test_many_warnings(self) -> None:
        """A line for each of thousands of unreadable snapshots does not spoil the answer."""
        line = 'Ignoring "%064x": failed to load snapshot %08x: LoadRaw(...): invalid data'
        program = self.python(
            "import sys\n"
            f"for number in range(20000): print({line!r} % (number, 0), file=sys.stderr)\n"
            "print('[]')\n"
        )
        result = await read(program, entry("/r"))
        self.assertIn("00000000", result.unreadable)

    async def test_helper_left_behind(self) -> None:
        """restic's own answer counts although a helper of it goes on; the helper is ended."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        program = self.fake(f"sleep 1000 & echo $! > {folder}/pid; echo '[]'")
        result = await read(program, entry("/r"))
        self.assertEqual(result.content.snapshot_count, 0)
        pid = (folder / "pid").read_text().strip()
        self.assertFalse(Path(f"/proc/{pid}/cwd").exists())

    async def test_cancelled(self) -> None:
        """A cancelled read is not a failure, whatever restic was trying again."""
        fifo = Path(self.mktemp()).resolve()
        os.mkfifo(fifo)
        program = self.fake(
            "echo 'Stat() returned error, retrying after 1s: connection refused' >&2\n"
            f"echo > {fifo}; exec sleep 1000"
        )
        reading = read(program, entry("/r"))
        with open(fifo) as told:
            told.readline()
        # What it has said is in the pipe; these rounds of the reactor read it.
        for _ in range(3):
            await sleep(reactor, 0)
        reading.cancel()
        await self.assertFailure(reading, CancelledError)


class PasswordCommandTests(ReaderTestCase):
    """A repository's password that a command prints."""

    def command(self, text: str, *arguments: str) -> PasswordCommand:
        """A shell script as the command."""
        return PasswordCommand((script(Path(self.mktemp()), f"#!/bin/sh\n{text}\n"), *arguments))

    async def assert_secret(self, command: PasswordCommand, **options: Any) -> str:
        """The command fails the read with ``secret``; the message, which has nothing of it."""
        repository = entry(made("restic-0.18") / "empty", command)
        message = await self.assert_fails(tool("restic-0.18"), repository, Reason.SECRET, **options)
        self.assertNotIn("sesame", message)
        self.assertTrue(message.startswith("password_command: "), message)
        return message

    async def test_used(self) -> None:
        """White space around the password is dropped, as restic does; arguments are passed."""
        command = self.command("printf '\\n %s\\r\\n\\n' \"$1\"", PASSWORD)
        repository = entry(made("restic-0.18") / "empty", command)
        result = await read(tool("restic-0.18"), repository)
        self.assertEqual(result.content.snapshot_count, 0)

    async def test_environment(self) -> None:
        """The command sees nothing of the entry's secrets, nor more of the daemon's than restic."""
        seen = Path(self.mktemp()).resolve()
        command = self.command(f"cat /proc/$$/environ > {seen}; echo {PASSWORD}")
        repository = entry(made("restic-0.18") / "empty", command, env={"AWS_KEY": Secret("mine")})
        await read(tool("restic-0.18"), repository, environ={**ENVIRON, "VAULT_TOKEN": "t"})
        names = {pair.partition("=")[0] for pair in seen.read_text().split("\0")[:-1]}
        self.assertEqual(names, {"PATH", "HOME"})

    async def test_wrong(self) -> None:
        """A wrong password from a command is not in the message of restic's failure."""
        command = self.command("echo hopeless")
        repository = entry(made("restic-0.18") / "empty", command)
        message = await self.assert_fails(tool("restic-0.18"), repository, Reason.AUTH)
        self.assertNotIn("hopeless", message)

    async def test_failures(self) -> None:
        """A command that fails, is killed, prints nothing or no text."""
        for text, ending in (
            ("echo sesame; echo sesame >&2; exit 3", "failed with exit status 3"),
            ("echo sesame; kill -9 $$", "failed with signal 9"),
            ("echo ' '", 'must be written as "password": ""'),
            (r"printf 'sesame\377'", "is not UTF-8 text"),
            ("echo sesame; exec cat /dev/zero", "too much output on stdout"),
            ("echo sesame; exec cat /dev/zero >&2", "too much output on stderr"),
        ):
            message = await self.assert_secret(self.command(text))
            self.assertTrue(message.endswith(ending), message)

    async def test_missing(self) -> None:
        """A command that cannot be run."""
        message = await self.assert_secret(PasswordCommand(("/nonexistent/pass", "sesame")))
        self.assertIn("/nonexistent/pass", message)

    async def test_hanging(self) -> None:
        """A command that does not end in time."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        marker = f"marker-{os.getpid()}-{id(self)}"
        command = self.command("trap '' INT; while :; do sleep 1000; done", marker)
        message = await self.assert_secret(command, seconds=0.5)
        self.assertTrue(message.endswith("timed out"), message)
        self.assertEqual(running(marker), [])
