"""What the real SFTP servers of the tests have in common: keys, and the words that start ssh."""

import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from tests.doubles.programs import Folder
from tests.doubles.tools import tool


class SshServer(ABC):
    """
    A server for one ``user``, who logs in with ``key``; ``files`` is the folder for repositories.

    ``other_key`` is refused. The client knows the server by ``known_hosts``, and by no file of
    this machine.
    """

    def __init__(self, folder: Folder, port: int, user: str) -> None:
        self.folder = folder
        self.port = port
        self.user = user
        self.path = folder.path / "ssh"
        self.files = self.path / "files"
        self.files.mkdir(parents=True)
        self.key = make_key(self.path / "key")
        self.other_key = make_key(self.path / "other_key")
        self.host_key = make_key(self.path / "host_key")
        self.known_hosts = self.path / "known_hosts"
        self.know(self.host_key)

    @abstractmethod
    def start(self) -> None:
        """Start it at its ``address``; it answers when this returns."""

    @abstractmethod
    def stop(self) -> None:
        """End it and all sessions; its port refuses connections from then on."""

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    @abstractmethod
    def root(self) -> Path:
        """The folder that clients see as ``/``."""

    def know(self, host_key: Path) -> None:
        """Have the client expect this host key only."""
        kind, key, *_ = host_key.with_suffix(".pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def url(self, name: str) -> str:
        """The repository ``name`` below ``files``, in restic's syntax."""
        path = Path("/", (self.files / name).relative_to(self.root))
        return f"sftp://{self.user}@{self.address}/{quote(str(path))}"

    def arguments(self, key: Path | None = None) -> list[str]:
        """The options for ssh, with which it asks nothing: ``key`` is tried, or the right one."""
        options = [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self.known_hosts}",
            "GlobalKnownHostsFile=none",
        ]
        return ["-F", "none", "-i", str(key or self.key), *(f"-o{one}" for one in options)]

    def command(self, key: Path | None = None) -> list[str]:
        """The words that start ssh with the SFTP subsystem."""
        to = ["-p", str(self.port), "-l", self.user, "127.0.0.1", "-s", "sftp"]
        return [tool("ssh"), *self.arguments(key), *to]

    def sftp_command(self, key: Path | None = None) -> str:
        """The value of restic's option ``sftp.command``."""
        return shlex.join(self.command(key))

    def sftp_args(self, key: Path | None = None) -> str:
        """The value of ``sftp.args``, which restic has from 0.16 on; it takes ssh from PATH."""
        return shlex.join(self.arguments(key))


def make_key(path: Path) -> Path:
    """Make a key pair; the public one has the suffix ``.pub``."""
    words = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run([tool("ssh-keygen"), *words], check=True)
    return path


def sftp_server(options: Sequence[str] = ()) -> str:
    """The value of ``sftp.command`` for OpenSSH's server as a child of its own, without ssh."""
    return shlex.join([tool("sftp-server"), *options])
