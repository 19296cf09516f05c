"""OpenSSH's server on a port of 127.0.0.1."""

import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.doubles.programs import Folder, Program
from tests.doubles.s3_server import free_ports
from tests.doubles.ssh_server import SshServer
from tests.doubles.tools import tool


class Sshd(SshServer):
    """
    An unprivileged sshd, so it lets in only the user that it runs as: who runs the tests.

    Root's sshd would need a user and a folder of its own in the system: for root it runs as
    nobody, and files that root writes must be given to it by `adopt`.

    It has the limits of an sshd just installed: after refused keys it drops every connection
    from that address for a while (PerSourcePenalties). ``config`` are more lines of its config,
    which come first, so that they win.
    """

    def __init__(self, folder: Folder, config: Sequence[str] = ()) -> None:
        self._as_user: list[str] = []
        entry = pwd.getpwuid(os.geteuid())
        if os.geteuid() == 0:
            entry = pwd.getpwnam("nobody")
            ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
            self._as_user = ["setpriv", *ids, "--"]
            folder.path.chmod(0o711)
        (port,) = free_ports(1)
        super().__init__(folder, port, entry.pw_name)
        self._entry = entry
        lines = [
            *config,
            "ListenAddress 127.0.0.1",
            f"Port {port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.key}.pub",
            "AuthenticationMethods publickey",
            "UsePAM no",
            "StrictModes no",
            "PidFile none",
            "LogLevel VERBOSE",
            # By itself, as nobody has no shell that would start another program.
            "Subsystem sftp internal-sftp",
            # It comes in three programs, which call each other.
            f"SshdSessionPath {tool('sshd-session')}",
            f"SshdAuthPath {tool('sshd-auth')}",
        ]
        self._config = self.path / "sshd_config"
        self._config.write_text("\n".join(lines) + "\n")
        self.adopt(self.host_key)
        self.adopt(self.files)
        self.start()

    @property
    def root(self) -> Path:
        return Path("/")

    @property
    def logins(self) -> int:
        """The number of accepted logins so far."""
        return self.program.output.count("Accepted publickey")

    @property
    def refusals(self) -> int:
        """The number of refused keys so far."""
        return self.program.output.count("Failed publickey")

    def adopt(self, path: Path) -> None:
        """Give a file or a folder, with all that is in it, to the user that sshd runs as."""
        if self._as_user:
            for one in [path, *path.rglob("*")]:
                shutil.chown(one, self._entry.pw_uid, self._entry.pw_gid)

    def start(self) -> None:
        self.program: Program = self.folder.run(
            [*self._as_user, tool("sshd"), "-D", "-e", "-f", str(self._config)],
            # Where systemd knows users too, it says that root and nobody are locked.
            {"PATH": os.environ["PATH"], "SYSTEMD_NSS_BYPASS_SYNTHETIC": "1"},
        )
        self.folder.stack.callback(self.stop)
        self.program.wait_for("Server listening on")

    def stop(self) -> None:
        sessions = descendants(self.program.process.pid)
        self.program.process.kill()
        for session in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(session, signal.SIGKILL)
        self.program.end()


def descendants(parent: int) -> list[int]:
    """The ids of all processes below this one."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found
