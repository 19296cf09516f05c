"""The programs that tests run as child processes, and the folders that they run in."""

import contextlib
import os
import queue
import re
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Longer than anything here takes on a busy machine; a test that gets here has failed.
PATIENCE = 60.0


class Program:
    """A child process whose output is read line by line, as events."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            arguments,
            env=None if environment is None else dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.lines: list[str] = []
        self._unread: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line)
                self._unread.put(line)
        self._unread.put(None)

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of ``pattern`` in a line that no earlier wait has passed."""
        limit = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._unread.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} in time:\n{self.output}") from None
            if line is None:
                raise AssertionError(f"it ended without {pattern!r}:\n{self.output}")
            match = re.search(pattern, line)
            if match:
                return match

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended by itself; its exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()


class Folder:
    """A temporary folder, and what must be ended before it goes; a context manager."""

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()
        self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    def close(self) -> None:
        """End the programs and remove the folder."""
        self.stack.close()

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program here."""
        program = Program(arguments, environment, self.path)
        self.stack.callback(program.kill)
        return program

    def follow(self, path: Path) -> Program:
        """A program whose output is what is written to the file, which need not exist yet."""
        return self.run(["tail", "-n", "+1", "-F", str(path)])

    def write(self, name: str, content: str, mode: int = 0o644) -> Path:
        """Make a file."""
        path = self.path / name
        path.write_text(content)
        path.chmod(mode)
        return path


def wait_until(condition: Callable[[], bool]) -> None:
    """
    Look again and again until ``condition`` holds, within `PATIENCE`.

    Only for what gives no sign that a test could wait for: a foreign process's entries in
    /proc, a port that refuses connections until somebody listens, or a program that has
    nowhere to write to.
    """
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError("it did not come true in time")
        time.sleep(0.02)


def processes(word: str) -> Iterator[int]:
    """The ids of all processes with ``word`` in their command line or environment."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        text = b""
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                text += Path("/proc", entry, name).read_bytes()
        if word.encode() in text:
            yield int(entry)


def serves(address: str) -> bool:
    """Whether somebody listens there."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return False
    return True


def status_of(address: str, path: str) -> int:
    """The HTTP status of a page."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
