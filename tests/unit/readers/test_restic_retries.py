"""Tests of what restic says while it tries again or leaves something out."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.readers.restic_errors import (
    VanishedError,
    VanishedWatch,
    last_retry,
    unreadable_snapshots,
)
from restic_reporter.redaction.secret import Secret

REST = "rest:http://u:sesame@127.0.0.1:8000/x/"


class RetryTests(SynchronousTestCase):
    """What restic was trying again when it was stopped."""

    def retried(self, cause: str) -> ReadError:
        """The error of one that tried again because of ``cause``."""
        line = "Stat(<config/>) returned error, retrying after 656.572615ms: "
        error = last_retry(f"{line}something else\n{line}{cause}\n", REST, [Secret("sesame")])
        assert error is not None
        return error

    def test_reasons(self) -> None:
        """The latest cause gives the reason."""
        head = 'Head "http://u:***@127.0.0.1:1/x/config": '
        for cause, reason in (
            (head + "dial tcp 127.0.0.1:1: connect: connection refused", Reason.NETWORK),
            (
                head + "read tcp 127.0.0.1:2->127.0.0.1:1: read: connection reset by peer",
                Reason.NETWORK,
            ),
            (
                head + "tls: failed to verify certificate: x509: certificate signed by unknown"
                " authority",
                Reason.TLS,
            ),
            ("unexpected HTTP response (301): 301 Moved Permanently", Reason.REDIRECT),
            ("unexpected HTTP response (503): 503 Service Unavailable", Reason.UNAVAILABLE),
            ("Stat: The AWS Access Key Id you provided does not exist", Reason.AUTH),
            ("Stat: The specified bucket does not exist", Reason.NOT_FOUND),
            ("Decode: invalid character 'o' in literal null (expecting 'u')", Reason.PROTOCOL),
            ("read /r/config: is a directory", Reason.RESTIC),
        ):
            with self.subTest(cause=cause):
                self.assertEqual(self.retried(cause).reason, reason)

    def test_message(self) -> None:
        """The message has the cause, without secrets."""
        self.assertEqual(
            self.retried("EOF after sesame").message,
            "restic retried until the timeout: EOF after ***",
        )

    def test_none(self) -> None:
        """One that did not try again has no such error."""
        self.assertIsNone(last_retry("Fatal: wrong password or no key found\n"))


class UnreadableTests(SynchronousTestCase):
    """The snapshots that restic could not load."""

    def test_versions(self) -> None:
        """Old and new versions are understood."""
        old = (
            "could not load snapshot 3775b22e: load <snapshot/3775b22e32>: invalid data returned\n"
        )
        name = "34de2e04dc22d2024b56e97669cb8ac30a0b009a1d2f0c752fa63f6211b91450"
        new = (
            f'Ignoring "{name}": failed to load snapshot 34de2e04:'
            " LoadRaw(<snapshot/34de2e04dc>): invalid data returned\n"
        )
        self.assertEqual(unreadable_snapshots(old), {"3775b22e"})
        self.assertEqual(unreadable_snapshots(new), {"34de2e04"})
        self.assertEqual(unreadable_snapshots(old + new), {"3775b22e", "34de2e04"})

    def test_foreign_file(self) -> None:
        """A file that is no snapshot does not count."""
        self.assertEqual(unreadable_snapshots('Ignoring "foo": no snapshot\n'), frozenset())
        self.assertEqual(unreadable_snapshots(""), frozenset())


class VanishedWatchTests(SynchronousTestCase):
    """`VanishedWatch`."""

    def feed(self, text: str, size: int = 1000) -> str | None:
        """The snapshot that has vanished in this text, which comes in pieces."""
        watch = VanishedWatch()
        data = text.encode()
        try:
            for start in range(0, len(data), size):
                watch.feed(data[start : start + size])
        except VanishedError as error:
            return error.name
        return None

    def test_vanished(self) -> None:
        """The lines of each version and kind of storage, in whatever pieces they come."""
        for why in (
            "<snapshot/25ecfe6da4> does not exist",
            "open /srv/repo/snapshots/25ecfe6da489: no such file or directory",
            "unexpected HTTP response (404): 404 Not Found",
            "b2_download_file_by_name: 404: File with such name does not exist.",
            "storage: object doesn't exist",
        ):
            line = (
                "Load(<snapshot/25ecfe6da4>, 0, 0) returned error, retrying after 552.330144ms: "
                f"{why}\n"
            )
            for size in (1, 7, 1000):
                self.assertEqual(self.feed(f"first\n{line}", size), "25ecfe6da4")

    def test_others(self) -> None:
        """Other files, other errors, and what is not tried again."""
        for line in (
            "Load(<index/25ecfe6da4>, 0, 0) returned error, retrying after 1s: x does not exist",
            "Load(<snapshot/25ecfe6da4>, 0, 0) returned error, retrying after 1s: refused",
            "Load(<snapshot/25ecfe6da4>, 0, 0) returned error, retrying after 404.1ms: refused",
            "Load(<snapshot/25ecfe6da4>, 0, 0) returned error, retrying after 1s: /404/x: denied",
            "Load(<snapshot/25ecfe6da4>, 0, 0) failed: <snapshot/25ecfe6da4> does not exist",
            "x" * 100_000,
        ):
            self.assertIsNone(self.feed(f"{line}\n"))
