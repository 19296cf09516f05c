"""
A systemd of the test's own: process 1 in namespaces, on the machine's own files.

What is written there is lost at its end, and nothing of it reaches the machine: neither files,
nor processes, nor the network.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.doubles import programs
from tests.doubles.programs import ROOT, Folder, Program, wait_until
from tests.doubles.tools import tool

_SYSTEMD = "/lib/systemd/systemd"

# A control group of its own becomes the root of those that systemd makes.
_OUTSIDE = r"""
set -eu
base=$1
mount --make-rprivate /
mount -t tmpfs tmpfs "$base"
mkdir "$base/control" "$base/upper" "$base/work" "$base/root"
mount -t cgroup2 cgroup2 "$base/control"
group="$base/control/restic-reporter-test-$$"
mkdir "$group"
sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' - "$group" \
    setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --cgroup --uts --ipc --net \
    sh -c "$2" - "$base" "$3" "$4" || true
find "$group" -depth -type d -exec rmdir {} +
"""

_INSIDE = r"""
set -eu
root=$1/root
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in run tmp dev; do mount -t tmpfs tmpfs "$root/$folder"; done
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
# What is the kernel's stays as it is.
mount -o remount,bind,ro "$root/sys"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
# The machine's own services are not there, but its journal is.
mount -t tmpfs tmpfs "$root/etc/systemd/system"
cp "$root"/lib/systemd/system/systemd-journald*.* "$root/etc/systemd/system"
for target in test sysinit basic network-online shutdown; do
    printf '[Unit]\nDefaultDependencies=no\n' > "$root/etc/systemd/system/$target.target"
done
ip link set lo up
cd "$root"
mkdir old
pivot_root . old
umount -l old
# As systemd expects it of a container: credentials are mounted in a namespace below.
mount --make-rshared /
exec env -i container=private SYSTEMD_UNIT_PATH="$3" \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=test.target --log-target=journal --show-status=no
"""


def why_not() -> str:
    """Why there can be no private systemd here; empty if there can."""
    if os.getuid() != 0:
        return "only root can make the namespaces"
    for program in (_SYSTEMD, "unshare", "setpriv", "nsenter", "pivot_root", "ip", "journalctl"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--cgroup", "--net", "--uts", "--ipc", "true"],
        capture_output=True,
        text=True,
    )
    return tried.stderr.strip()


class PrivateSystemd:
    """
    It runs, with its journal, as soon as this is made.

    ``files`` are the folders, separated by colons, that it sees as its root, ``units`` those of
    them in which it looks for units.
    """

    def __init__(
        self, folder: Folder, files: str = "/", units: str = "/etc/systemd/system"
    ) -> None:
        self._folder = folder
        base = folder.path / "systemd"
        base.mkdir()
        # It ends with the tests, however they end.
        words = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", _OUTSIDE, "-"]
        self._program = folder.run([*words, str(base), _INSIDE, files, units])
        folder.stack.callback(self._end)
        self.pid = 0
        wait_until(self._runs)
        self.root = Path(f"/proc/{self.pid}/root")
        wait_until((self.root / "run/systemd/private").is_socket)
        self.call("systemctl", "start", "systemd-journald.service")

    def _runs(self) -> bool:
        """Find process 1."""
        if self._program.process.poll() is not None:
            raise AssertionError(f"systemd has not started:\n{self._program.output}")
        # Parents come first: what systemd forks looks like it until it runs something else.
        for pid in descendants(self._program.process.pid):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/exe").endswith("/systemd/systemd"):
                    self.pid = pid
                    return True
        return False

    def _end(self) -> None:
        """End process 1, and the kernel all others of its namespace."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._program.end()

    def call(self, *arguments: str, status: int = 0) -> str:
        """Run a program in there; what it prints."""
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--all", *arguments],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=programs.PATIENCE,
        )
        if done.returncode != status:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{self.log()}")
        return done.stdout

    def run(self, *arguments: str) -> Program:
        """Start a program in there."""
        return self._folder.run(["nsenter", f"--target={self.pid}", "--all", *arguments])

    def log(self) -> str:
        """What all services have logged."""
        journal = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--all", "journalctl", "--no-pager"],
            capture_output=True,
            text=True,
        ).stdout
        return f"{self._program.output}\n{journal}"

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.call("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        """Make a file in there."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)

    def copy(self, source: Path, path: str) -> None:
        """Copy a folder into there; all users can read it."""
        target = self.root / path.lstrip("/")
        shutil.copytree(source, target)
        for one in (target, *target.rglob("*")):
            one.chmod(0o755 if one.is_dir() else 0o644)

    def install(self, unit: str) -> None:
        """
        Install a unit of packaging/, and the console script that it runs, of the code under test.

        A Python that lives in somebody's home is shown to the service all the same.
        """
        self.write(f"/etc/systemd/system/{unit}", (ROOT / "packaging" / unit).read_text())
        if not unit.endswith(".service"):
            return
        folder = "/opt/restic-reporter"
        packages = [ROOT, *(Path(one) for one in sys.path if one.endswith("site-packages"))]
        visible = [f"{folder}/packages/{number}" for number in range(len(packages))]
        for source, path in zip(packages, visible, strict=True):
            self._bind(source, path)
        self.write(
            f"{folder}/bin/restic-reporter",
            f"#!{os.path.realpath(sys.executable)}\nimport sys\nsys.path[:0] = {visible}\n"
            "from restic_reporter.commands.cli import main\nsys.exit(main())\n",
            0o755,
        )
        if sys.base_prefix.startswith(("/home/", "/root/")):
            self.drop_in(unit, f"ProtectHome=tmpfs\nBindReadOnlyPaths={sys.base_prefix}")

    def drop_in(self, unit: str, lines: str) -> None:
        """Add lines to the unit's last section, as ``systemctl edit`` does."""
        folder = f"/etc/systemd/system/{unit}.d"
        section = unit.rpartition(".")[2].capitalize()
        number = len([*Path(self.root, folder.lstrip("/")).glob("*")])
        self.write(f"{folder}/{number}.conf", f"[{section}]\n{lines}\n")
        self.call("systemctl", "daemon-reload")

    def install_tools(self, *names: str) -> None:
        """Put programs of the tests on the services' path, as ``tool=name`` or just ``tool``."""
        self._bind(Path(tool("restic-0.18")).parents[1], "/opt/tools")
        for name in names:
            source, _, target = name.partition("=")
            program = Path(tool(source)).name
            self.write(
                f"/usr/local/bin/{target or source}",
                f'#!/bin/sh\nexec /opt/tools/bin/{program} "$@"\n',
                0o755,
            )

    def _bind(self, source: Path, path: str) -> None:
        target = self.root / path.lstrip("/")
        if source.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        self.call("mount", "--bind", str(source), path)


class InNetwork(Folder):
    """A folder whose programs run in the network of a private systemd."""

    def __init__(self, systemd: PrivateSystemd) -> None:
        super().__init__()
        self._enter = ["nsenter", f"--net=/proc/{systemd.pid}/ns/net", "--"]

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program there, with the machine's own files."""
        return super().run([*self._enter, *arguments], environment)


def descendants(pid: int) -> list[int]:
    """The process ids of all children, and theirs."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found
