"""The real restic and rest-server that tests run, and the example repository."""

import base64
import functools
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.doubles import programs
from tests.doubles.native_repositories import cheapen
from tests.doubles.programs import ROOT, Folder, Program
from tests.doubles.s3_server import free_ports
from tests.doubles.tools import tool

# Its real key costs each restic half a second of a processor: see example() and copy_example().
EXAMPLE = ROOT / "examples" / "repository"

EXAMPLE_PASSWORD = "example"


def restic(
    repository: str | Path,
    *arguments: str,
    password: str = EXAMPLE_PASSWORD,
    program: str = "restic-0.18",
    environment: Mapping[str, str] | None = None,
) -> str:
    """What a real restic prints when it is run by hand."""
    done = subprocess.run(
        [tool(program), "-r", str(repository), "--no-cache", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/",
            "RESTIC_PASSWORD": password,
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=programs.PATIENCE,
    )
    if done.returncode != 0:
        raise AssertionError(f"restic {arguments} failed: {done.stderr}")
    return done.stdout


def snapshots(repository: str | Path, **options: Any) -> list[dict[str, Any]]:
    """What ``restic snapshots --json`` says."""
    listed: list[dict[str, Any]] = json.loads(
        restic(repository, "snapshots", "--json", "--no-lock", **options)
    )
    return listed


def copy_example(path: Path, real_key: bool = False) -> Path:
    """
    A copy of the repository that ships with the project, to be written to.

    Its key is cheap to open, unless it is to be the ``real_key``.
    """
    shutil.copytree(EXAMPLE, path)
    # git keeps no empty folders, and restic wants them when it writes.
    for name in ("locks", "index", "keys", "snapshots", "data"):
        (path / name).mkdir(exist_ok=True)
    for number in range(256):
        (path / "data" / f"{number:02x}").mkdir(exist_ok=True)
    for file in path.rglob("*"):
        file.chmod(file.stat().st_mode | 0o200)
    if not real_key:
        cheapen(path, EXAMPLE_PASSWORD)
    return path


@functools.cache
def example() -> Path:
    """A copy that all tests of this process share, to be read only."""
    return copy_example(Path("examples", "repository").resolve())


class RestServer:
    """A real rest-server over ``path``; with ``users`` (name to password) it asks for them."""

    def __init__(
        self,
        folder: Folder,
        path: Path,
        users: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        listen: str = "",
    ) -> None:
        path.mkdir(parents=True, exist_ok=True)
        options = ["--path", str(path), *arguments]
        if users is None:
            options.append("--no-auth")
        else:
            passwords = folder.write("htpasswd", "".join(map(_htpasswd, users.items())))
            options += ["--htpasswd-file", str(passwords)]
        self._start: Callable[[str], Program] = lambda address: folder.run(
            [tool("restic-rest-server"), *options, "--listen", address]
        )
        self.path = path
        # Not a port of the system's choice: while the server is away, another might get it.
        self.program = self._start(listen or f"127.0.0.1:{free_ports(1)[0]}")
        self.address = self.program.wait_for(r"start server on (\S+)")[1]

    def url(self, name: str, credentials: str = "") -> str:
        """The repository ``name`` in restic's syntax."""
        return f"rest:http://{credentials}{self.address}/{name}"

    def stop(self) -> None:
        """End it; its port refuses connections from then on."""
        self.program.kill()

    def start_again(self) -> None:
        """Start it at the same address."""
        self.program = self._start(self.address)
        self.program.wait_for("start server on")


def _htpasswd(user: tuple[str, str]) -> str:
    name, password = user
    digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    return f"{name}:{{SHA}}{digest}\n"
