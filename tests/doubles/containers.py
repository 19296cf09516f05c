"""The image of packaging/Containerfile, built and run by podman's own programs."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.doubles import programs
from tests.doubles.debian_root import debian
from tests.doubles.programs import ROOT, Folder, Program, wait_until

IMAGE = "localhost/restic-reporter"

# Stands for the image that the Containerfile begins with, as no registry is asked.
_BASE = "localhost/debian:trixie-slim"

# What git describes some commits after a tag, and what that is in Python.
_DESCRIBED = "v1.2.3-4-gabcdef0"
VERSION = "1.2.4.dev4+gabcdef0"

_KEPT = ROOT / ".tools" / "containers"

# A network and control groups of its own, which the machine's other programs do not see.
_ALONE = r"""
set -eu
mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
exec "$@"
"""

# Sandboxes of test machines may forbid to raise limits.
_RUN = (
    *("--rm", "--network=host", "--cgroups=disabled"),
    *("--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"),
)


def why_not() -> str:
    """Why no image can be built and run here; empty if it can."""
    if os.getuid() != 0:
        return "only root can make the namespaces"
    missing = [name for name in ("buildah", "podman", "crun", "nsenter") if not shutil.which(name)]
    return f"there is no {', '.join(missing)}" if missing else ""


def _storage() -> list[str]:
    return ["--storage-driver=overlay", f"--root={_KEPT}/images", f"--runroot={_KEPT}/run"]


def _buildah(*words: str) -> str:
    """Build; what it prints, which has all steps."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    command = ["buildah", *_storage(), *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}")
    return done.stdout


def _make_base(folder: Path) -> None:
    """A Debian of this machine's mirror under the name of the one that the Containerfile wants."""
    context = folder / "base"
    context.mkdir()
    subprocess.run(
        ["tar", "-cf", context / "root.tar", "-C", debian("trixie", packages=()), "."], check=True
    )
    steps = ["FROM scratch", "ADD root.tar /"]
    # Where the machine's own authorities are needed to reach the index, pip trusts them here too.
    certificates = os.environ.get("PIP_CERT")
    if certificates:
        shutil.copy(certificates, context / "machine.pem")
        (context / "pip.conf").write_text("[global]\ncert = /etc/machine.pem\n")
        steps.append("COPY machine.pem pip.conf /etc/")
    (context / "Containerfile").write_text("\n".join(steps) + "\n")
    _buildah("bud", "--layers", f"--tag={_BASE}", str(context))


def build_image(folder: Path) -> tuple[int, int]:
    """Build the image; the sizes in bytes of the one it begins with, and of it. Steps are kept."""
    if _BASE not in _buildah("images", "--format={{.Name}}:{{.Tag}}"):
        _make_base(folder)
    _buildah(
        *("bud", "--layers", "--pull-never", "--isolation=chroot", "--format=docker"),
        *(f"--tag={IMAGE}", f"--build-arg=VERSION={_DESCRIBED}"),
        *(f"--file={ROOT}/packaging/Containerfile", str(ROOT)),
    )
    base, image = (
        int(_podman("image", "inspect", "--format={{.Size}}", name)) for name in (_BASE, IMAGE)
    )
    return base, image


def _podman(*words: str) -> str:
    return subprocess.run(
        ["podman", *_storage(), "--cgroup-manager=cgroupfs", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


class Container:
    """The image running, with nothing that it may write to but its volumes."""

    def __init__(
        self,
        folder: Folder,
        volumes: Mapping[Path, str],
        options: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        pidfile = folder.path / "container.pid"
        pidfile.unlink(missing_ok=True)
        entry = ["unshare", "--mount", "--net", "sh", "-c", _ALONE, "-"]
        podman = ["podman", *_storage(), "--cgroup-manager=cgroupfs", "run", *_RUN]
        bounds = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all"]
        bounds += ["--security-opt=no-new-privileges", f"--pidfile={pidfile}"]
        mounts = [f"--volume={source}:{target}" for source, target in volumes.items()]
        self.program: Program = folder.run(
            [*entry, *podman, *bounds, *mounts, *options, IMAGE, *arguments]
        )
        folder.stack.callback(self._end)
        self.pid = 0
        wait_until(lambda: self._started(pidfile))

    def _started(self, pidfile: Path) -> bool:
        """Find process 1."""
        if self.program.process.poll() is not None:
            raise AssertionError(f"it has not started:\n{self.program.output}")
        with contextlib.suppress(FileNotFoundError, ValueError):
            self.pid = int(pidfile.read_text())
        return self.pid != 0

    def _end(self) -> None:
        """End it, and so the kernel all of its processes, if it still runs."""
        if self.program.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.program.end()

    def call(self, *words: str, status: int = 0) -> str:
        """Run a program in there, as the daemon's user; what it prints."""
        done = subprocess.run(
            [
                *("nsenter", f"--target={self.pid}", "--mount", "--net", "--pid"),
                *("--setuid=65532", *words),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=programs.PATIENCE,
            check=False,
        )
        if done.returncode != status:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}")
        return done.stdout

    def metrics(self) -> str:
        """What a scrape gives."""
        return self.call(
            *("/usr/bin/python3", "-c"),
            "from urllib.request import urlopen;"
            "print(urlopen('http://127.0.0.1:9121/metrics').read().decode(), end='')",
        )
