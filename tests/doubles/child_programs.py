"""Small programs that behave in all the ways a child can, and a watch on their processes."""

import os
import select
import sys
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

# More than enough for a kill on a busy machine; who waits that long has failed.
PATIENCE = 30.0


def shell(text: str) -> list[str]:
    """The arguments that run a shell script."""
    return ["/bin/sh", "-c", text]


def python(text: str) -> list[str]:
    """The arguments that run a Python program."""
    return [sys.executable, "-I", "-S", "-c", text]


def script(path: Path, text: str, mode: int = 0o755) -> str:
    """Make an executable file; its absolute path."""
    path.write_text(text)
    path.chmod(mode)
    return str(path.resolve())


# Deaf to all that can be ignored, it starts one like itself in a process group of its own,
# as restic starts ssh and rclone, prints the ids of both and waits for ever.
DEAF_FAMILY = """
import os, signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
ready, tell = os.pipe()
grandchild = os.fork()
if grandchild == 0:
    os.setpgid(0, 0)
    os.write(tell, b"x")
else:
    os.read(ready, 1)
    os.write(1, f"{os.getpid()} {os.getppid()} {grandchild}\\n".encode())
while True:
    signal.pause()
"""


@define
class Output:
    """
    Collects what a child prints.

    ``line`` is a Deferred of the first whole line, which serves as an event.
    """

    data: bytearray = field(factory=bytearray)
    line: "Deferred[str]" = field(factory=Deferred)

    def feed(self, data: bytes) -> None:
        """Take some output."""
        before = b"\n" in self.data
        self.data += data
        if not before and b"\n" in self.data:
            self.line.callback(self.data.partition(b"\n")[0].decode())


class Watch:
    """An eye on a process that is alive now, whatever its number stands for later."""

    def __init__(self, test: Any, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)
        test.addCleanup(os.close, self._descriptor)

    def gone(self, patience: float = PATIENCE) -> bool:
        """Whether it has ended, waiting no longer than so many seconds for that."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(patience * 1000))


def running(marker: str) -> list[int]:
    """The ids of all processes with ``marker`` in their arguments, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
