"""rclone's SFTP server: a second one, that has nothing of OpenSSH."""

import os
from pathlib import Path

from tests.doubles.programs import Folder, Program
from tests.doubles.s3_server import free_ports
from tests.doubles.ssh_server import SshServer
from tests.doubles.tools import tool


class Rclone(SshServer):
    """
    ``rclone serve sftp``; it shows ``files`` as ``/``, and any user name may log in.

    ssh ends with 255 after a clean end of a session with it; so ``init`` of restic 0.14 fails
    here. Let that make its repositories in ``files``.
    """

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
            # Else it would not see for minutes what is written into the folder beside it.
            "--dir-cache-time=0s",
            f"--cache-dir={self.path / 'cache'}",
            *(["--read-only"] if self._read_only else []),
        ]
        self.program: Program = self.folder.run(
            [tool("rclone"), "serve", "sftp", str(self.files), *options],
            {"PATH": os.environ["PATH"], "HOME": str(self.path)},
        )
        self.program.wait_for("SFTP server listening on")

    def stop(self) -> None:
        self.program.kill()
