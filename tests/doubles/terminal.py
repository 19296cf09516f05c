"""A terminal for a program: what it shows, and keys that are pressed."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.doubles.programs import PATIENCE

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program that runs on a terminal of 24 lines, which is its standard error too."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        columns: int = 100,
        stdout: IO[bytes] | int | None = None,
        stderr: IO[bytes] | int | None = None,
    ) -> None:
        """``stdout`` and ``stderr`` go elsewhere where they are given."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            # The session of its own makes it the terminal's, so that Ctrl-C goes to it.
            ["setsid", "--ctty", "--wait", *arguments],
            env={"TERM": "xterm-256color", **environment},
            cwd=directory,
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave if stderr is None else stderr,
        )
        os.close(slave)
        self._shown = b""
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        data = b"-"
        while data:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                # All others have closed it.
                data = b""
            with self._changed:
                self._shown += data
                self._ended = not data
                self._changed.notify_all()

    @property
    def raw(self) -> str:
        """All that it was sent so far, with what moves the cursor."""
        return self._shown.decode(errors="replace")

    @property
    def text(self) -> str:
        """All that it was sent so far, without what moves the cursor."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        """Wait until ``text`` is shown."""
        limit = time.monotonic() + PATIENCE
        with self._changed:
            while text not in self.text:
                left = limit - time.monotonic()
                if self._ended or left < 0:
                    raise AssertionError(f"no {text!r} in {self.text}")
                self._changed.wait(left)

    def press(self, keys: bytes) -> None:
        """Press keys, as Ctrl-C."""
        os.write(self._master, keys)

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
        os.close(self._master)
