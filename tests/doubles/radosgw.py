"""Ceph's S3 server, with its store in SQLite: no Ceph cluster, one process."""

import subprocess

from tests.doubles.programs import Folder, Program, serves, wait_until
from tests.doubles.s3_server import S3Server, free_ports
from tests.doubles.tools import tool

_CONFIG = """
[client.rgw.a]
rgw backend store = dbstore
rgw config store = dbstore
dbstore db dir = {path}
dbstore config uri = file:{path}/config.db
# Without this each response waits for 40 ms.
rgw frontends = beast endpoint={address} tcp_nodelay=1
run dir = {path}
rgw data = {path}
log file = {path}/log
"""


class Radosgw(S3Server):
    """radosgw; it accepts any region, and checks the clock."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        path = folder.path / "radosgw"
        path.mkdir()
        config = path / "ceph.conf"
        config.write_text(_CONFIG.format(path=path, address=self.address))
        self._options = ["-c", str(config), "-n", "client.rgw.a", "--no-mon-config"]
        self._make_user()
        self.start()
        self.make_bucket()

    def start(self) -> None:
        self.program: Program = self.folder.run([tool("radosgw"), "-d", *self._options])
        wait_until(self._is_up)

    def stop(self) -> None:
        self.program.kill()

    def _is_up(self) -> bool:
        assert self.program.process.poll() is None, f"radosgw ended: {self.program.output}"
        return serves(self.address)

    def _make_user(self) -> None:
        keys = [f"--access-key={self.access_key_id}", f"--secret-key={self.secret_access_key}"]
        user = ["user", "create", "--uid=restic", "--display-name=restic"]
        # Seen once in some dozens of runs: it hangs at its end, with the user made or not.
        for _ in range(3):
            try:
                done = subprocess.run(
                    [tool("radosgw-admin"), *self._options, *user, *keys],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=30,
                )
            except subprocess.TimeoutExpired:
                continue
            assert done.returncode == 0 or "exists" in done.stderr, done.stderr
            return
        raise AssertionError("radosgw-admin hangs")
