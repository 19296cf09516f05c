"""Tests of `restic_reporter.readers.restic_errors`, with what real versions of restic say."""

import json

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.readers.process.child import Exit
from restic_reporter.readers.restic_errors import (
    VanishedError,
    VanishedWatch,
    failure,
    last_retry,
    unreadable_snapshots,
)
from restic_reporter.redaction.secret import Secret

REST = "rest:http://u:sesame@127.0.0.1:8000/x/"
SHOWN = "rest:http://u:***@127.0.0.1:8000/x/"


def v14(text: str) -> str:
    """What 0.14 adds to an error of the first request."""
    return f"Fatal: {text}\nIs there a repository at the following location?\n{SHOWN}\n"


def v18(text: str, code: int = 1) -> str:
    """The last words of 0.18, of an error of the first request."""
    place = f"\nIs there a repository at the following location?\n{SHOWN}"
    return words(f"Fatal: {text}{place}", code)


def v19(text: str, code: int = 1) -> str:
    """The last words of 0.19, likewise."""
    return words(f"Fatal: {text}\n{SHOWN}", code)


def words(message: str, code: int = 1) -> str:
    """An ``exit_error`` line."""
    return json.dumps({"message_type": "exit_error", "code": code, "message": message}) + "\n"


CLEAN = "\x1b[2Ksignal interrupt received, cleaning up\n"
OPEN = "unable to open config file: "
HTTP = OPEN + "unexpected HTTP response "
HEAD = OPEN + 'client.Head: Head "http://u:***@127.0.0.1:1/x/config": '
KEY = "6ee6c5e5b0bef019162f650b4285f7cff808f26b52828bf2e6f6ef9ecc270547"
DAMAGED = f"Fatal: config or key {KEY} is damaged: ciphertext verification failed"
SFTP_14 = (
    "Fatal: unable to open repository at sftp:u@h:/x: unable to start the sftp session, error: "
)
SFTP_18 = SFTP_14 + (
    "error receiving version packet from server: server unexpectedly closed connection:"
    " unexpected EOF"
)
TRACE = (
    "main.open\n\tgithub.com/restic/restic/cmd/restic/global.go:760\n"
    "github.com/spf13/cobra.(*Command).execute\n\tgithub.com/spf13/cobra/command.go:916\n"
    "runtime.main\n\truntime/proc.go:250\n"
)

# Exit status, stderr, reason.
FAILURES: tuple[tuple[int, str, Reason], ...] = (
    # The repository's password.
    (1, "Fatal: wrong password or no key found\n", Reason.AUTH),
    (12, words("Fatal: wrong password or no key found", 12), Reason.AUTH),
    # No repository.
    (1, v14(OPEN + "stat /none/config: no such file or directory"), Reason.NOT_FOUND),
    (1, v14(OPEN + "<config/> does not exist"), Reason.NOT_FOUND),
    (
        10,
        v18("repository does not exist: " + OPEN + "<config/> does not exist", 10),
        Reason.NOT_FOUND,
    ),
    (1, v14(OPEN + "Stat: The specified bucket does not exist"), Reason.NOT_FOUND),
    # The server's answers.
    (1, v14(HTTP + "(401): 401 Unauthorized"), Reason.AUTH),
    (1, v14(HTTP + "(403): 403 Forbidden"), Reason.AUTH),
    (1, v14(HTTP + "(301): 301 Moved Permanently"), Reason.REDIRECT),
    (1, v14(HTTP + "(400): 400 Bad Request"), Reason.PROTOCOL),
    (1, v14(HTTP + "(429): 429 Too Many Requests"), Reason.UNAVAILABLE),
    (1, v14(HTTP + "(500): 500 Internal Server Error"), Reason.UNAVAILABLE),
    (1, v14(HTTP + "(503): 503 Service Unavailable"), Reason.UNAVAILABLE),
    (
        1,
        "Stat(<config/>) failed: unexpected HTTP response (401): 401 Unauthorized\n"
        + v18(HTTP + "(401): 401 Unauthorized"),
        Reason.AUTH,
    ),
    (1, v19(HTTP + "(403): 403 Forbidden"), Reason.AUTH),
    # The network.
    (1, v14(HEAD + "dial tcp 127.0.0.1:1: connect: connection refused"), Reason.NETWORK),
    (1, v14(HEAD + "dial tcp: lookup nohost.invalid on 10.0.0.1:53: no such host"), Reason.NETWORK),
    (
        1,
        v14(HEAD + "read tcp 127.0.0.1:39232->127.0.0.1:1: read: connection reset by peer"),
        Reason.NETWORK,
    ),
    (1, v14(HEAD + "EOF"), Reason.NETWORK),
    # TLS.
    (1, v14(HEAD + "x509: certificate signed by unknown authority"), Reason.TLS),
    (1, v14(HEAD + "tls: first record does not look like a TLS handshake"), Reason.TLS),
    (1, v14(HEAD + "http: server gave HTTP response to HTTPS client"), Reason.TLS),
    (
        1,
        "unable to read root certificate: open /none.pem: no such file or directory\n" + TRACE,
        Reason.TLS,
    ),
    (
        1,
        words("Fatal: unable to read root certificate: open /none.pem: no such file or directory"),
        Reason.TLS,
    ),
    # Damaged files.
    (1, DAMAGED + "\n", Reason.KEYS),
    (1, words(DAMAGED), Reason.KEYS),
    (1, "config file has zero size, invalid repository?\n" + TRACE, Reason.KEYS),
    (1, words("config file has zero size, invalid repository?\n" + TRACE), Reason.KEYS),
    (1, "Fatal: Unmarshal: invalid character 'g' looking for beginning of value\n", Reason.KEYS),
    (1, words("Fatal: LoadRaw(<key/6ee6c5e5b0>): invalid data returned"), Reason.KEYS),
    # Locks.
    (11, words("Fatal: repository is already locked by PID 1 on h", 11), Reason.LOCKED),
    (1, "unable to create lock in backend: repository is already locked by PID 1\n", Reason.LOCKED),
    # Interrupted by somebody.
    (130, CLEAN, Reason.SIGNAL),
    (1, CLEAN + v18(OPEN + "context canceled"), Reason.SIGNAL),
    (130, v19(OPEN + "context canceled", 130), Reason.SIGNAL),
    (
        12,
        "\nsignal interrupt received, cleaning up \n"
        + words("Fatal: wrong password or no key found", 12),
        Reason.SIGNAL,
    ),
    # Files.
    (
        1,
        "Fatal: unable to open repository at /r: ReadDir: open /r/keys: permission denied\n",
        Reason.AUTH,
    ),
    (1, v18(OPEN + "stat /r/config: permission denied"), Reason.AUTH),
    # sftp.
    (1, f"subprocess ssh: u@h: Permission denied (publickey).\n{SFTP_14}EOF\n", Reason.AUTH),
    (1, "subprocess ssh: u@h: Permission denied (publickey).\n" + words(SFTP_18), Reason.AUTH),
    (1, "subprocess ssh: Host key verification failed.\n" + words(SFTP_18), Reason.AUTH),
    (
        1,
        f"subprocess ssh: Host key verification failed.\n{SFTP_14}"
        "failed to send packet: write |1: broken pipe\n",
        Reason.AUTH,
    ),
    (
        1,
        "subprocess ssh: ssh: Could not resolve hostname nohost.invalid: Name or service not"
        f" known\n{SFTP_14}EOF\n",
        Reason.NETWORK,
    ),
    (1, words(SFTP_14 + "read |0: file already closed"), Reason.NETWORK),
    (
        1,
        words(
            'Fatal: unable to open repository at sftp:h:/x: exec: "ssh": executable file not'
            " found in $PATH"
        ),
        Reason.RESTIC,
    ),
    # rclone.
    (
        1,
        'Fatal: unable to open repository at rclone:x:y: exec: "rclone": executable file not'
        " found in $PATH\n",
        Reason.RESTIC,
    ),
    (
        1,
        'rclone: 2026/01/01 00:00:00 Failed to create file system for "x:y": didn\'t find section'
        " in config file\nFatal: unable to open repository at rclone:x:y: error talking HTTP to"
        ' rclone: Get "http://localhost/file-55": unexpected EOF\n',
        Reason.RESTIC,
    ),
    # s3, b2, gs, azure, swift.
    (1, v14(OPEN + "Stat: The AWS Access Key Id you provided does not exist"), Reason.AUTH),
    (1, v14(OPEN + "Stat: Access Denied."), Reason.AUTH),
    (
        1,
        words(
            "Fatal: unable to open repository at s3:http://h/b: s3.getCredentials: no credentials"
            " found. Use `-o s3.unsafe-anonymous-auth=true` for anonymous authentication"
        ),
        Reason.AUTH,
    ),
    (
        1,
        v14(OPEN + "client.GetObject: Bucket name cannot be shorter than 3 characters"),
        Reason.RESTIC,
    ),
    (1, "Fatal: unable to open B2 backend: Account ID ($B2_ACCOUNT_ID) is empty\n", Reason.AUTH),
    (
        1,
        "Fatal: unable to open repository at gs:bucket:/: getStorageClient: google: could not find"
        " default credentials. See https://developers.google.com/x for more information.\n",
        Reason.AUTH,
    ),
    (
        1,
        "Fatal: unable to open repository at azure:c:/: no azure authentication information"
        " found\n",
        Reason.AUTH,
    ),
    (
        1,
        "Fatal: unable to open repository at swift:c:/: conn.Authenticate: Can't find AuthVersion"
        " in AuthUrl - set explicitly\n",
        Reason.AUTH,
    ),
    # Nothing better is known.
    (1, "unknown flag: --insecure-no-password\n", Reason.RESTIC),
    (
        1,
        "Fatal: parsing repository location failed: invalid backend\nIf the repository is in a"
        " local directory, you need to add a `local:` prefix\n",
        Reason.RESTIC,
    ),
    (2, "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\n", Reason.RESTIC),
    (99, "", Reason.RESTIC),
    (1, "{", Reason.RESTIC),
    (1, '{"message": 5}\n[1]\n{"message_type": "exit_error"}\n', Reason.RESTIC),
    (1, "[" * 100_000 + "\n" + '{"a":' * 100_000, Reason.RESTIC),
)


class FailureTests(SynchronousTestCase):
    """From exit status and stderr to a reason."""

    def failed(self, code: int, stderr: str, location: str = REST, *secrets: str) -> ReadError:
        """The error of a restic that ended so."""
        error = failure(Exit(code, None, stderr), location, map(Secret, secrets))
        assert error is not None
        return error

    def test_reasons(self) -> None:
        """Each known failure has its reason."""
        for code, stderr, reason in FAILURES:
            with self.subTest(stderr=stderr[:200]):
                self.assertEqual(self.failed(code, stderr).reason, reason)

    def test_success(self) -> None:
        """Exit status 0 is a success, whatever was said."""
        self.assertIsNone(failure(Exit(0, None, "Fatal: wrong password or no key found")))

    def test_signal(self) -> None:
        """An end by a signal is named."""
        error = failure(Exit(None, 9, "Fatal: wrong password or no key found"))
        assert error is not None
        self.assertEqual(error.reason, Reason.SIGNAL)
        self.assertEqual(error.message, "restic was killed by signal 9")

    def test_message(self) -> None:
        """The message is restic's own, on one line, without a stack trace."""
        error = self.failed(10, v18("no repository", 10))
        self.assertEqual(
            error.message,
            "restic failed with exit status 10: Fatal: no repository Is there a repository at the"
            f" following location? {SHOWN}",
        )
        error = self.failed(1, "config file has zero size, invalid repository?\n" + TRACE)
        self.assertEqual(
            error.message,
            "restic failed with exit status 1: config file has zero size, invalid repository?",
        )

    def test_silence(self) -> None:
        """A restic that says nothing has a message too."""
        self.assertEqual(
            self.failed(99, "").message, "restic failed with exit status 99: no error message"
        )

    def test_retries_before(self) -> None:
        """What went wrong on the way does not count where there are last words."""
        noise = "Stat(<config/>) returned error, retrying after 1s: connection refused\n" * 50
        error = self.failed(1, noise + v18(HTTP + "(503): 503 Service Unavailable"))
        self.assertEqual(error.reason, Reason.UNAVAILABLE)
        self.assertNotIn("refused", error.message)
        error = self.failed(1, noise + words("Load: unexpected HTTP response (401)"))
        self.assertEqual(error.reason, Reason.AUTH)
        self.assertNotIn("refused", error.message)

    def test_names_in_the_location(self) -> None:
        """Words within the repository's own location say nothing."""
        for name in ("/srv/certificate", "/srv/forbidden x509: tls: /r", "/a/unauthorized"):
            for location in (name, f"local:{name}"):
                stderr = f"Fatal: {OPEN}stat {name}/config: no such file or directory\n"
                error = self.failed(1, stderr, location)
                self.assertEqual(error.reason, Reason.NOT_FOUND)
        stderr = f'Fatal: {OPEN}Head "https://certificate.example/forbidden": EOF\n'
        error = self.failed(1, stderr, "rest:https://certificate.example/forbidden")
        self.assertEqual(error.reason, Reason.NETWORK)

    def test_short_location(self) -> None:
        """A location of one character does not take the message apart."""
        error = self.failed(1, "Fatal: wrong password or no key found\n", "local:a")
        self.assertEqual(error.reason, Reason.AUTH)

    def test_secrets(self) -> None:
        """Secrets are masked, also ones that JSON escapes, and one that the limit cuts."""
        secret = 'se"sa  me/é'
        for padding in range(470, 500):
            message = "x" * padding + secret
            for stderr in (f"Fatal: {message}\n", words(message)):
                shown = self.failed(1, stderr, REST, secret).message
                for start in ('se"', "sa", "me/é"):
                    self.assertNotIn(start, shown.partition("xxx")[2])

    def test_url_password(self) -> None:
        """A password within a URL is masked even if nobody knows it."""
        error = self.failed(1, "Fatal: http://u:sesame@h/x is bad\n")
        self.assertNotIn("sesame", error.message)

    def test_control_characters(self) -> None:
        """No control character gets into the message."""
        error = self.failed(1, "Fatal: \x1b[2J\x9b1mred\x00\x7f\n")
        self.assertEqual(error.message, "restic failed with exit status 1: Fatal: [2J 1mred")

    def test_long(self) -> None:
        """The message is bounded."""
        self.assertLess(len(self.failed(1, "y" * 100_000).message), 600)


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
