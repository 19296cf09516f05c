"""Tests of `restic_reporter.upkeep.restic_check`, with real versions of restic and worse ones."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from restic_reporter.concurrency.deadline import Deadline, within
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.redaction.secret import Secret
from restic_reporter.upkeep.restic_check import CheckFailedError, ResticCheck
from tests.doubles.child_programs import DEAF_FAMILY, PATIENCE, Watch, script
from tests.doubles.restic_case import ENVIRON, PASSWORD, VERSIONS, ReaderTestCase, entry, made
from tests.doubles.servers import RestServer, restic
from tests.doubles.tools import tool


def check(
    program: str,
    repository: Repository,
    subset: str | None = None,
    seconds: float = PATIENCE,
    cache_dir: str | None = None,
) -> "Deferred[None]":
    """Check under a deadline, as the daemon does."""
    deadline = Deadline.after(reactor, seconds)
    work = ResticCheck(reactor, program, ENVIRON, cache_dir).run(repository, subset, deadline)
    return Deferred.fromCoroutine(within(deadline, work, "check"))


class CheckTests(ReaderTestCase):
    """Real restics and real repositories."""

    def repository(self, program: str) -> Path:
        """A repository with one large pack of data, which is damaged by `damage`."""
        path = self.copy(made(program) / "empty", "repo")
        data = path.with_name("data")
        data.write_bytes(os.urandom(2**20))
        restic(path, "backup", str(data), password=PASSWORD, program=program)
        return path

    def damage(self, path: Path) -> str:
        """Alter some bytes of the pack with the data; its name."""
        pack = max((path / "data").rglob("*"), key=lambda one: one.stat().st_size)
        pack.chmod(0o600)
        with pack.open("r+b") as file:
            file.seek(5000)
            file.write(b"altered")
        return pack.name

    async def assert_failed(self, *arguments: Any, **options: Any) -> CheckFailedError:
        """A check fails; with what."""
        checking: Any = check(*arguments, **options)
        error: CheckFailedError = await self.assertFailure(checking, CheckFailedError)
        return error

    async def test_good(self) -> None:
        """A good repository has no errors; the check changes nothing in it."""
        for program in VERSIONS:
            path = self.repository(program)
            before = sorted(path.rglob("*"))
            await check(tool(program), entry(path), "100%")
            await check(tool(program), entry(path))
            self.assertEqual(sorted(path.rglob("*")), before)

    async def test_damaged(self) -> None:
        """Damaged data is found where the data is read; the message names the first error."""
        for program in VERSIONS:
            path = self.repository(program)
            pack = self.damage(path)
            await check(tool(program), entry(path))
            error = await self.assert_failed(tool(program), entry(path), "100%")
            self.assertEqual((error.reason, error.exit), (Reason.RESTIC, 1))
            self.assertTrue(
                error.message.lower().startswith("restic check found errors: pack "), error.message
            )
            self.assertIn(pack, error.message)

    async def test_lost(self) -> None:
        """A lost pack is found without reading any data."""
        for program in VERSIONS:
            path = self.repository(program)
            pack = self.damage(path)
            (path / "data" / pack[:2] / pack).unlink()
            error = await self.assert_failed(tool(program), entry(path))
            self.assertIn(f"found errors: pack {pack}: does not exist", error.message)

    async def test_wrong_password(self) -> None:
        """A check that restic cannot begin has restic's reason and exit status."""
        for program, exit in zip(VERSIONS, (1, 12, 12), strict=True):
            error = await self.assert_failed(tool(program), entry(made(program) / "empty", "wrong"))
            self.assertEqual((error.reason, error.exit), (Reason.AUTH, exit))

    async def test_cache(self) -> None:
        """With a folder for caches restic has a temporary one there, and leaves nothing."""
        path = self.repository("restic-0.18")
        cache = Path(self.mktemp()).resolve()
        await check(tool("restic-0.18"), entry(path), cache_dir=str(cache))
        self.assertEqual([one.name for one in cache.iterdir() if one.is_dir()], [])

    async def test_hanging_server(self) -> None:
        """A restic that waits for its server is interrupted at the timeout, and leaves no lock."""
        folder = self.folder()
        shutil.copytree(self.repository("restic-0.18"), folder.path / "data" / "repo")
        server = RestServer(folder, folder.path / "data")
        url = server.url("repo")
        repository = Repository(1, url, "rest", Secret(url), Secret(PASSWORD))
        await check(tool("restic-0.18"), repository)
        server.program.signal(signal.SIGSTOP)
        self.addCleanup(server.program.signal, signal.SIGCONT)
        error: Any = await self.assertFailure(
            check(tool("restic-0.18"), repository, seconds=1.0), ReadError
        )
        self.assertEqual(error.reason, Reason.TIMEOUT)
        self.assertIn("restic check: stopped at its timeout", error.message)
        self.assertEqual(list((folder.path / "data" / "repo" / "locks").iterdir()), [])


class WorseTests(ReaderTestCase):
    """Programs that pretend to be restic."""

    def program(self, text: str) -> str:
        """A program in a folder of its own."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        return script(folder / "restic", text)

    async def test_arguments(self) -> None:
        """restic gets the subset, no lock and low priority; no secret shows."""
        told = Path(self.mktemp()).resolve()
        program = self.program(f'#!/bin/sh\n{{ nice; echo "$@"; env; }} > {told}\n')
        await check(program, entry("/some/where", "pass word"), "1/12")
        nice, arguments, *environment = told.read_text().splitlines()
        self.assertEqual(nice, "19")
        self.assertEqual(arguments, "check --json --read-data-subset=1/12 --no-lock --no-cache")
        self.assertNotIn("pass word", "".join(environment))
        self.assertNotIn("/some/where", "".join(environment))

    async def test_interrupted_then_killed(self) -> None:
        """A check at its timeout is interrupted; deaf to that, it is killed with all it started."""
        told = Path(self.mktemp()).resolve()
        deaf = (
            DEAF_FAMILY.replace("signal.SIGINT, ", "")
            .replace(
                "import os, signal",
                "import os, signal, sys\nsys.stdout = None\n"
                f"def note(*_): open({str(told)!r} + '.int', 'w').close()\n"
                "signal.signal(signal.SIGINT, note)",
            )
            .replace("os.write(1, ", f"os.write(os.open({str(told)!r}, os.O_WRONLY), ")
        )
        os.mkfifo(told)
        program = self.program(f"#!{shutil.which('python3')}\n{deaf}")
        checking = check(program, entry("/p"), seconds=1.0)
        reading = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        error: Any = await self.assertFailure(checking, ReadError)
        self.assertEqual(error.reason, Reason.TIMEOUT)
        child, guard, grandchild = map(int, os.read(reading, 100).split())
        self.assertTrue(Path(f"{told}.int").exists())
        for pid in (child, guard, grandchild):
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    async def test_flood(self) -> None:
        """A million errors are no reason to stop; the first one is told."""
        program = self.program(
            "#!/bin/sh\necho 'first error' >&2\nyes 'another error' | head -n 1000000 >&2\n"
            "yes output | head -c 20000000\necho 'Fatal: repository contains errors' >&2\nexit 1\n"
        )
        error: Any = await self.assertFailure(check(program, entry("/p")), CheckFailedError)
        self.assertEqual(error.message, "restic check found errors: first error")

    async def test_killed(self) -> None:
        """A restic that somebody killed has the exit status of a shell."""
        program = self.program("#!/bin/sh\nkill -KILL $$\n")
        error: Any = await self.assertFailure(check(program, entry("/p")), CheckFailedError)
        self.assertEqual((error.reason, error.exit), (Reason.SIGNAL, 137))

    async def test_missing(self) -> None:
        """A program that is not there is ``exec``."""
        error: Any = await self.assertFailure(check("/no/restic", entry("/p")), ReadError)
        self.assertEqual(error.reason, Reason.EXEC)

    async def test_stopped(self) -> None:
        """A check that is cancelled leaves no process."""
        told = Path(self.mktemp()).resolve()
        os.mkfifo(told)
        program = self.program(f"#!/bin/sh\necho $$ > {told}\nexec sleep 1000\n")
        checking = check(program, entry("/p"))
        with told.open() as line:
            pid = int(line.read())
        watch = Watch(self, pid)
        checking.cancel()
        await self.assertFailure(checking, Exception)
        self.assertTrue(watch.gone(0))
