"""Separate environments, with packages really installed in them."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tests.doubles.programs import PATIENCE, ROOT, Folder

SNAPDIR = ROOT / "examples" / "backend-snapdir"

_OURS = (
    "LICENSE",
    "README.md",
    "config.example.json",
    "monitoring",
    "packaging",
    "pyproject.toml",
    "restic_reporter",
    "setup.cfg",
    "twisted",
)

_TWISTD = """\
#!{python}
from twisted.scripts.twistd import run
run()
"""


class Environment:
    """
    A virtual environment in ``folder``.

    What the tests' own one has, Twisted for instance, is there too; restic-reporter and
    what else is installed here comes first.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.path = folder.path / "environment"
        self.python = str(self.path / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.path], check=True)
        names = {"base": str(self.path), "platbase": str(self.path)}
        packages = Path(sysconfig.get_path("purelib", "venv", names))
        parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (packages / "parent.pth").write_text(
            "".join(f"import site; site.addsitedir({parent!r})\n" for parent in sorted(parents))
        )
        twistd = self.path / "bin" / "twistd"
        twistd.write_text(_TWISTD.format(python=self.python))
        twistd.chmod(0o755)
        self.twistd = str(twistd)
        self.command = str(self.path / "bin" / "restic-reporter")

    def install(self, *sources: str | Path) -> None:
        """Build and install packages from the folders with their sources; ``-e`` as for pip."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--python", self.python, "--isolated", "install"),
                *("--quiet", "--no-deps", "--no-index", "--no-build-isolation"),
                "--disable-pip-version-check",
                *map(str, sources),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode != 0:
            raise AssertionError(f"pip failed: {done.stdout}{done.stderr}")

    def source(self, original: Path, names: Sequence[str] = ("*",)) -> Path:
        """A copy of a package's source, as building one leaves files there."""
        copy = self.folder.path / "source" / original.name
        copy.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info", "build")
        for pattern in names:
            for path in original.glob(pattern):
                if path.is_dir():
                    shutil.copytree(path, copy / path.name, ignore=ignored)
                else:
                    shutil.copy(path, copy)
        return copy

    def ours(self) -> Path:
        """The source of restic-reporter."""
        return self.source(ROOT, _OURS)

    def plugin(self, name: str, dropin: str, module: str = "") -> Path:
        """The source of a made-up package, with a module ``name`` and a dropin."""
        source = self.folder.path / "source" / name
        plugins = source / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (source / "setup.cfg").write_text(
            f"[metadata]\nname = {name}\nversion = 2.0\n"
            f"[options]\npy_modules = {name}\npackages = twisted.plugins\n"
        )
        shutil.copy(SNAPDIR / "pyproject.toml", source)
        (source / f"{name}.py").write_text(module)
        (plugins / f"{name}_dropin.py").write_text(
            f"from restic_reporter.plugin import BackendMaker\n{dropin}\n"
        )
        return source

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end, in the folder."""
        return subprocess.run(
            arguments,
            cwd=self.folder.path,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )


def table(output: str) -> dict[str, tuple[str, str]]:
    """What ``restic-reporter backends`` printed: package and reader, by scheme."""
    rows = [re.split(r"  +", line) for line in output.splitlines()[1:]]
    return {scheme: (package, reader) for scheme, package, reader in rows}
