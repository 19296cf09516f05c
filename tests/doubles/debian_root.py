"""A small Debian in a folder, to build packages in and to install them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.doubles.programs import ROOT

_ROOTS = ROOT / ".tools" / "roots"

# What is written is kept in a folder of its own, and the Debian below stays as it is.
_ENTER = r"""
set -eu
root=$1 changes=$2
shift 2
mount --make-rprivate /
mkdir -p "$changes/upper" "$changes/work" "$changes/root"
mount -t overlay overlay \
    -o "lowerdir=$root,upperdir=$changes/upper,workdir=$changes/work" "$changes/root"
mount -t proc proc "$changes/root/proc"
cp -L /etc/resolv.conf "$changes/root/etc/resolv.conf"
exec chroot "$changes/root" "$@"
"""

# Of the checkout neither what git has, nor what was made there.
_NOT_SOURCE = (".git", ".tools", ".venv", ".tox", "dist", "build", "*_cache", "__pycache__")


def debian(suite: str, packages: Sequence[str] = ("systemd",)) -> Path:
    """The folder with that Debian; made, which takes minutes, if it is not there."""
    folder = _ROOTS / "-".join((suite, *packages))
    if not folder.exists():
        script = str(ROOT / "scripts" / "make-root")
        subprocess.run([sys.executable, script, suite, str(folder), *packages], check=True)
    return folder


def call_in(
    root: Path, changes: Path, words: Sequence[str], environment: Mapping[str, str] | None = None
) -> None:
    """Run a program there, with the network; what it writes goes to ``changes / "upper"``."""
    entry = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", _ENTER, "-"]
    done = subprocess.run(
        [*entry, str(root), str(changes), *words],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}")


def build_package(suite: str, folder: Path) -> Path:
    """The package for that Debian, built there in a copy of the checkout."""
    root = debian(suite)
    changes = folder / "building"
    source = changes / "upper" / "build"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
    environment = {"HOME": "/root"}
    # Where the machine's own authorities are needed to reach the index, pip trusts them here too.
    certificates = os.environ.get("PIP_CERT")
    if certificates:
        copy = changes / "upper/build-certificates.pem"
        shutil.copy(certificates, copy)
        environment["PIP_CERT"] = f"/{copy.name}"
    call_in(root, changes, ["/build/scripts/build-deb"], environment)
    (package,) = (source / "dist").glob("*.deb")
    return Path(shutil.copy(package, folder))


def older(package: Path, version: str) -> Path:
    """The same package with another version."""
    files = package.parent / "older"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(files)], check=True)
    control = files / "DEBIAN" / "control"
    lines = control.read_text().splitlines(keepends=True)
    control.write_text(
        "".join(f"Version: {version}\n" if line.startswith("Version:") else line for line in lines)
    )
    target = package.parent / f"{version}.deb"
    words = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(files), str(target)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return target


def with_needs(suite: str, package: Path, folder: Path) -> Path:
    """A Debian that has fetched, but not installed, all that the package depends on."""
    root = debian(suite)
    changes = folder / "fetching"
    (changes / "upper").mkdir(parents=True)
    shutil.copy(package, changes / "upper" / package.name)
    fetch = f"apt-get install --download-only -y --no-install-recommends ./{package.name}"
    call_in(root, changes, ["sh", "-c", f"apt-get update && cd / && {fetch}"])
    return changes / "upper"
