"""The whole daemon while nobody reads its log, and what is written at its end."""

import contextlib
import fcntl
import os
import re
import signal
import socket
import sys
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, serves, wait_until
from tests.doubles.servers import EXAMPLE_PASSWORD, example

DROPPED = "restic_reporter_log_lines_dropped_total"
TWISTD = Path(sys.executable).with_name("twistd")
# Each collection logs some kilobytes about each of them.
MISSING = [{"repo": f"/{n}" + "/missing" * 400, "password": "x"} for n in range(100)]


def entry() -> dict[str, str]:
    """An entry that is read well."""
    return {"repo": str(example()), "password": EXAMPLE_PASSWORD}


class UnreadLogTests(SynchronousTestCase):
    """The standard output is a pipe that is full from the start."""

    def setUp(self) -> None:
        """The daemon, which serves, and its pipe."""
        folder = Folder()
        self.addCleanup(folder.close)
        path = folder.path / "pipe"
        os.mkfifo(path)
        self.pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, self.pipe)
        writing = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"\n")
        os.close(writing)
        twistd = folder.write("twistd", f'#!/bin/sh\nexec {TWISTD} "$@" > {path}\n', 0o755)
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
        self.daemon = Daemon(
            folder, [entry(), *MISSING], f"--bind={address}", "--reader=native", twistd=str(twistd)
        )
        self.daemon.address = address
        wait_until(lambda: serves(address))

    def collect(self) -> None:
        """Have it collect all repositories, and wait for the end of that."""
        name = "backup_job_last_success_unixtime"
        before = self.daemon.metrics().value(name)
        self.daemon.program.signal(signal.SIGUSR1)
        wait_until(lambda: self.daemon.metrics().value(name) != before)

    def dropped(self) -> int:
        """How many lines it has dropped."""
        return int(self.daemon.metrics().value(DROPPED) or 0)

    def fill(self) -> int:
        """Have it collect until it drops lines, and once more; how many they are."""
        for _ in range(100):
            self.collect()
            if self.dropped():
                break
        before = self.dropped()
        self.collect()
        self.assertGreater(self.dropped(), before)
        return self.dropped()

    def test_not_read(self) -> None:
        """It collects, serves and counts what it drops; TERM ends it."""
        self.fill()
        metrics = self.daemon.metrics()
        self.assertEqual(metrics.value("backup_job_error_count"), len(MISSING))
        self.assertEqual(metrics.value("backup_snapshot_count", url=str(example())), 62)
        self.daemon.program.signal(signal.SIGTERM)
        self.daemon.program.process.wait(10)
        self.assertEqual(self.daemon.program.end(), -signal.SIGTERM)
        self.assertEqual(self.daemon.program.output, "")

    def test_read_again(self) -> None:
        """Once somebody reads, the oldest lines come, how many are missing, and all later ones."""
        dropped = self.fill()
        os.set_blocking(self.pipe, True)
        lines: list[str] = []
        told = threading.Event()

        def read() -> None:
            with os.fdopen(os.dup(self.pipe), errors="replace") as stream:
                for line in stream:
                    lines.append(line)
                    if "log lines" in line:
                        told.set()

        reading = threading.Thread(target=read)
        reading.start()
        self.assertTrue(told.wait(60))
        self.assertEqual(re.findall(r"dropped (\d+) log lines", lines[-1]), [str(dropped)])
        self.assertEqual(self.dropped(), dropped)
        self.collect()
        self.daemon.stop()
        reading.join()
        text = "".join(lines)
        self.assertLess(text.index("starting restic-reporter"), text.index("listening on"))
        self.assertTrue(lines[-1].endswith(" [info] stopped\n"), lines[-1])
        later = text.partition("log lines")[2]
        self.assertEqual(later.count("cannot read"), len(MISSING))


class LinesTests(SynchronousTestCase):
    """The lines that are written."""

    def test_shape(self) -> None:
        """A line is a time, a level and a message; those at start and end say it plainly."""
        folder = Folder()
        self.addCleanup(folder.close)
        daemon = Daemon(folder, [entry(), {**entry(), "repo": "/missing"}]).serving()
        daemon.stop()
        lines = daemon.program.output.splitlines()
        shape = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[(info|error)\] (.*)")
        found = [shape.fullmatch(line) for line in lines]
        self.assertNotIn(None, found, lines)
        messages = [one[2] for one in found if one is not None]
        expected = (
            r"starting restic-reporter \S+ \(Twisted \S+, Python \S+\)",
            r"collecting 2 repositories; 127.0.0.1:0 opens afterwards",
            r"cannot read /missing: .* \(not_found\)",
            rf"read {re.escape(str(example()))}: 62 snapshots in \d+ backup sets",
            r"collected 2 repositories in \d+\.\d s, 1 could not be read",
            r"listening on 127\.0\.0\.1:\d+",
            r"Received SIGINT, shutting down",
            r"stopped",
        )
        self.assertEqual(len(messages), len(expected), messages)
        for message, pattern in zip(messages, expected, strict=True):
            self.assertRegex(message, f"^{pattern}$")

    def test_weak_passwords(self) -> None:
        """Passwords that are words of our messages are not told by masks in these."""
        folder = Folder()
        self.addCleanup(folder.close)
        words = ("repo", "repositories", "read", "cannot", "listening", "Received", "starting")
        config = [
            {"repo": f"/missing/{index}", "password": word} for index, word in enumerate(words)
        ]
        daemon = Daemon(folder, config).serving()
        daemon.stop()
        text = daemon.program.output
        self.assertIn("cannot read /missing/0: ", text)
        self.assertIn(f"collected {len(words)} repositories", text)
        self.assertNotIn("***", text)


# A restic that waits until it is told to go on, and fails.
SLOW_RESTIC = """#!/bin/sh
read line < {folder}/fifo
exit 1
"""


class SlowStartTests(SynchronousTestCase):
    """A first collection that takes its time."""

    def test_told(self) -> None:
        """The log says why the port refuses connections, and which repository is slow."""
        folder = Folder()
        self.addCleanup(folder.close)
        os.mkfifo(folder.path / "fifo")
        restic = folder.write("restic", SLOW_RESTIC.format(folder=folder.path), 0o755)
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
        config = [{**entry(), "reader": "native"}, {"repo": "s3:h/slow", "password": "x"}]
        daemon = Daemon(folder, config, f"--bind={address}", restic=str(restic))
        daemon.program.wait_for(f"collecting 2 repositories; {address} opens afterwards")
        daemon.program.wait_for(
            r"\[info\] still collecting: 1 of 2 repositories left; longest running:"
            r" s3:h/slow \(1\d s\)\n"
        )
        self.assertFalse(serves(address))
        (folder.path / "fifo").write_text("go\n")
        daemon.serving()
        self.assertEqual(daemon.program.output.count("still collecting"), 1)
        daemon.stop()


class FailedStartTests(SynchronousTestCase):
    """A start that fails once twistd logs."""

    def test_printed(self) -> None:
        """What was logged, and why it failed, is written before the end."""
        folder = Folder()
        self.addCleanup(folder.close)
        options = ("-n", f"--rundir={folder.path}/missing")
        daemon = Daemon(folder, [entry()], twistd_options=options)
        self.assertEqual(daemon.program.end(), 1)
        before, _, after = daemon.program.output.partition("starting restic-reporter")
        self.assertEqual(before.count("\n"), 0, before)
        self.assertIn("FileNotFoundError", after)


class FullDiskTests(SynchronousTestCase):
    """A log file on a disk that is full."""

    def test_serves(self) -> None:
        """The daemon collects and serves all the same, and TERM ends it."""
        folder = Folder()
        self.addCleanup(folder.close)
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
        options = ("-n", "--logfile=/dev/full")
        daemon = Daemon(
            folder, [entry()], f"--bind={address}", "--reader=native", twistd_options=options
        )
        daemon.address = address
        wait_until(lambda: serves(address))
        self.assertEqual(daemon.metrics().value("backup_snapshot_count", url=str(example())), 62)
        self.assertEqual(daemon.stop(signal.SIGTERM), -signal.SIGTERM)
        self.assertEqual(daemon.program.output, "")
