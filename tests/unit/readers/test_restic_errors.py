"""Tests of `restic_reporter.readers.restic_errors`, with what real versions of restic say."""

import json

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.processes.child import Exit
from restic_reporter.readers.restic_errors import check_failure, failure
from restic_reporter.redaction.secret import Secret
from tests.doubles.restic_words import FAILURES, HTTP, OPEN, REST, SHOWN, TRACE, v18, words


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


class CheckFailureTests(SynchronousTestCase):
    """From exit status and stderr of a check to its first error."""

    def said(self, stderr: str, code: int = 1) -> str:
        """The message about a check that ended so."""
        error = check_failure(Exit(code, None, stderr), REST, [Secret("sesame")])
        assert error is not None
        self.assertEqual(error.reason, Reason.RESTIC)
        return error.message

    def test_success(self) -> None:
        """Exit status 0 is a success, whatever was said."""
        self.assertIsNone(check_failure(Exit(0, None, "Fatal: repository contains errors")))

    def test_first_error(self) -> None:
        """The first error counts, in plain lines and in JSON; what comes before it is dropped."""
        plain = (
            "unable to open cache: no space\n"
            "Load(<data/12345678>, 0, 0) returned error, retrying after 720ms: EOF\n"
            "\n"
            "pack of sesame: does not exist\nanother error\nFatal: repository contains errors\n"
        )
        expected = "restic check found errors: pack of ***: does not exist"
        self.assertEqual(self.said(plain), expected)
        lines = [
            json.dumps({"message_type": "error", "message": f"{line}\n"})
            for line in plain.splitlines()
        ]
        self.assertEqual(self.said("\n".join(lines)), expected)

    def test_two_lines(self) -> None:
        """An error about a tree has its cause on the next line."""
        self.assertEqual(
            self.said(
                "error for tree 97da2619:\n  pack is damaged\nFatal: repository contains errors"
            ),
            "restic check found errors: error for tree 97da2619: pack is damaged",
        )

    def test_no_first_error(self) -> None:
        """A restic that says no more than that there are errors is quoted."""
        self.assertEqual(
            self.said("Fatal: repository contains errors"),
            "restic check found errors: Fatal: repository contains errors",
        )

    def test_other_failures(self) -> None:
        """A check that did not come to its end has restic's own message."""
        self.assertEqual(
            self.said("Fatal: something else\n", 3),
            "restic failed with exit status 3: Fatal: something else",
        )
