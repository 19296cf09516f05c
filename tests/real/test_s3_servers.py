"""The daemon over OpenStack Swift's S3 API, which checks signatures, region and clock."""

from tests.doubles.s3_daemon_case import S3DaemonCase
from tests.doubles.swift import Swift


class SwiftTests(S3DaemonCase):
    """Swift, whose region is not the usual one; tests.slow has other servers."""

    def setUp(self) -> None:
        super().setUp()
        self.server = Swift(self.folder)

    def test_native(self) -> None:
        """The native reader; the region comes from the first answer, and is remembered."""
        # The listing, once more in the right region, and again to confirm the first.
        self.check_reader(self.server, "native", "restic-0.18", 3)

    def test_restic(self) -> None:
        """The restic reader, with the region in the config."""
        options = {"s3.region": self.server.region}
        self.check_reader(self.server, "restic", "restic-0.19", 1, options=options)

    def test_size(self) -> None:
        """The size of all packs."""
        self.check_size(self.server, 5, 1, {"s3.region": self.server.region})

    def test_refused(self) -> None:
        """A wrong secret fails at once, and starts no restic, which would repeat it."""
        self.check_refused(self.server, {"s3_secret_access_key": "wrong"}, "secret access key")
