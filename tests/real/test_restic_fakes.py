"""The restic reader with programs that pretend to be restic."""

import contextlib
import os
import re
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from restic_reporter.concurrency.deadline import sleep
from restic_reporter.model.errors import Reason
from restic_reporter.processes import child
from restic_reporter.readers import restic as module
from restic_reporter.redaction.secret import Secret
from tests.doubles.child_programs import DEAF_FAMILY, Watch, script
from tests.doubles.repositories import b2_settings
from tests.doubles.restic_case import ReaderTestCase, entry, read


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
        await task
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
