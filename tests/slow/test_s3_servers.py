"""The daemon over each S3 server of the tests with each restic."""

from tests.doubles.daemons import Daemon
from tests.doubles.moto import Moto
from tests.doubles.radosgw import Radosgw
from tests.doubles.s3_daemon_case import S3DaemonCase
from tests.doubles.swift import Swift

VERSIONS = ("restic-0.14", "restic-0.18", "restic-0.19")


class VersionTests(S3DaemonCase):
    """Both readers."""

    def test_swift(self) -> None:
        """OpenStack Swift."""
        server = Swift(self.folder)
        for program in VERSIONS:
            options: dict[str, object] = {"s3.region": server.region}
            self.check_reader(server, "restic", program, 1, options=options)
        # Version 1 of the list works too.
        options = {"s3.region": server.region, "s3.list-objects-v1": True}
        self.check_reader(server, "native", "restic-0.18", 2, options=options)

    def test_radosgw(self) -> None:
        """Ceph's radosgw, which takes any region."""
        server = Radosgw(self.folder)
        for program in VERSIONS:
            self.check_reader(server, "restic", program, 1)
            self.check_reader(server, "native", program, 2)
        self.check_refused(server, {"s3_secret_access_key": "wrong"}, "secret access key")
        self.check_refused(server, {"s3_access_key_id": "x"}, "access key id")

    def test_session_token(self) -> None:
        """moto, with the key of a role, which needs its token."""
        server = Moto(self.folder)
        server.use_session()
        for reader in ("restic", "native"):
            self.check_reader(server, reader, "restic-0.18", 1 if reader == "restic" else 2)
        self.check_refused(server, {"s3_session_token": "x"}, "the session token is invalid")


class PagesTests(S3DaemonCase):
    """Many snapshots, or packs."""

    def test_sizes(self) -> None:
        """More than two thousand packs come as three pages, by both versions of the list."""
        self.check_size(Radosgw(self.folder), 2100, 3, {}, {"s3.list-objects-v1": True})

    def test_size_in_moto(self) -> None:
        """In moto too."""
        self.check_size(Moto(self.folder), 1100, 2, {})

    def test_radosgw(self) -> None:
        """Two thousand and some names come as three pages, by both versions of the list."""
        server = Radosgw(self.folder)
        self.put_example(server, "many")
        for number in range(2100):
            status, _ = server.ask("PUT", f"many/locks/{number:064x}", body=b"x")
            self.assertEqual(status, 200)
        for old in (False, True):
            options = {"s3.list-objects-v1": old}
            entry = self.entry(server, "many", reader="restic", options=options)
            daemon = Daemon(self.folder, [entry]).serving()
            url = entry["repo"]
            self.assertEqual(daemon.metrics().value("backup_lock_count", url=url), 2100)
            self.assertEqual(self.requests(daemon, url), {"list": 3})
            daemon.stop()
