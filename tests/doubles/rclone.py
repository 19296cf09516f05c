"""rclone's SFTP server: a second one, that has nothing of OpenSSH."""

import os
from pathlib import Path

from tests.doubles.s3_server import free_ports
from tests.doubles.servers import Folder, Program, serves, wait_until
from tests.doubles.ssh_server import SshServer
from tests.doubles.tools import tool


class Rclone(SshServer):
    """``rclone serve sftp``; it shows ``files`` as ``/``, and any user name may log in."""

    def __init__(self, folder: Folder, read_only: bool = False) -> None:
        (port,) = free_ports(1)
        super().__init__(folder, port, "anybody")
        self._read_only = read_only
        self.start()

    @property
    def root(self) -> Path:
        return self.files

    def start(self) -> None:
        options = [
            f"--addr={self.address}",
            f"--authorized-keys={self.key}.pub",
            f"--key={self.host_key}",
            f"--config={os.devnull}",
            f"--cache-dir={self.path / 'cache'}",
            *(["--read-only"] if self._read_only else []),
        ]
        self.program: Program = self.folder.run(
            [tool("rclone"), "serve", "sftp", str(self.files), *options],
            {"PATH": os.environ["PATH"], "HOME": str(self.path)},
        )
        wait_until(lambda: serves(self.address))

    def stop(self) -> None:
        self.program.kill()
