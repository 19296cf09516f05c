"""Tests of `restic_reporter.backends.s3.answers` and of the order of names."""

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.s3.answers import (
    Page,
    S3Error,
    parse_error,
    parse_page,
    time_of,
)
from restic_reporter.backends.s3.names import Names
from restic_reporter.model.errors import ReadError, Reason

LIST = b"<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>"
ENTRY = b"<Contents><Key>%s</Key><LastModified>x</LastModified><Size>7</Size></Contents>"


class PageTests(SynchronousTestCase):
    """`parse_page`."""

    def test_namespaces(self) -> None:
        """A namespace may be missing, or have a prefix."""
        expected = Page([("a&b", "x")], False, sizes=("7",))
        inner = ENTRY % b"a&amp;b"
        self.assertEqual(parse_page(LIST % inner, "list"), expected)
        other = (LIST % inner).replace(b"<ListBucketResult>", b"<ListBucketResult xmlns='urn:x'>")
        self.assertEqual(parse_page(other, "list"), expected)
        prefixed = (LIST % inner).replace(b"<", b"<s:").replace(b"<s:/", b"</s:")
        prefixed = prefixed.replace(
            b"<s:ListBucketResult>", b"<s:ListBucketResult xmlns:s='urn:x'>", 1
        )
        self.assertEqual(parse_page(prefixed, "list"), expected)

    def test_only_entries_count(self) -> None:
        """Elements of the same name elsewhere are none of a listing's."""
        inner = (
            b"<Key>no</Key><CommonPrefixes><Prefix>no</Prefix></CommonPrefixes>"
            b"<Contents><Owner><Key>no</Key></Owner><Key>yes</Key></Contents>"
            b"<Deep><Contents><Key>no</Key></Contents></Deep>"
        )
        page = parse_page(LIST % inner, "list")
        self.assertEqual(page, Page([("yes", "")], False, sizes=("",)))

    def test_where_to_go_on(self) -> None:
        """A token is unescaped; an empty one is none."""
        body = (
            b"<ListBucketResult><NextContinuationToken>a/+=&lt;</NextContinuationToken>"
            b"<NextMarker></NextMarker><IsTruncated>true</IsTruncated></ListBucketResult>"
        )
        self.assertEqual(parse_page(body, "list"), Page([], True, "a/+=<", None))

    def test_error(self) -> None:
        """An error may come instead of a listing; what is odd in it is left out."""
        body = b"<Error><Code>SlowDown</Code><Region>eu-test-1</Region></Error>"
        self.assertEqual(parse_page(body, "list"), S3Error("SlowDown", "eu-test-1"))
        self.assertEqual(parse_error(body), S3Error("SlowDown", "eu-test-1"))
        odd = b"<Error><Code>a b</Code><Region>../x</Region></Error>"
        self.assertEqual(parse_error(odd), S3Error())
        for nothing in (b"", b"no XML", b"<html/>"):
            self.assertEqual(parse_error(nothing), S3Error())

    def assert_refused(self, body: bytes, text: str = "") -> None:
        """It is ``parse``."""
        error = self.assertRaises(ReadError, parse_page, body, "list")
        self.assertEqual(error.reason, Reason.PARSE)
        self.assertIn(text, error.message)

    def test_refused(self) -> None:
        """What is no listing is an error, never an empty listing."""
        for body in (
            b"",
            b"[]",
            b"<html><body>captive portal</body></html>",
            b"<ListBucketResult></ListBucketResult>",
            (LIST % b"")[:-5],
            LIST % b"\xff",
            LIST % b"<Contents></Contents>",
            LIST % (b"<a>" * 20 + b"</a>" * 20),
        ):
            self.assert_refused(body)
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + LIST % (ENTRY % b"&b;")
        self.assert_refused(bomb, "document type")

    def test_time(self) -> None:
        """Two megabytes made to take long are refused while they take milliseconds."""
        size = 2 * 2**20
        for block in (b"<a/>", b"<Contents><Key/></Contents>", b"&lt;", b"<a", b"a"):
            self.assert_quick(b"<ListBucketResult>" + block * (size // len(block)))
        attributes = b" ".join(b'a%d="x"' % number for number in range(size // 12))
        self.assert_quick(b"<ListBucketResult " + attributes + b"/>")

    def assert_quick(self, body: bytes) -> None:
        """It is refused within 50 ms of a processor, with room for a busy machine."""
        before = time.process_time()
        self.assert_refused(body)
        self.assertLess(time.process_time() - before, 0.15)

    @given(st.binary(max_size=200))
    def test_garbage(self, body: bytes) -> None:
        """No bytes raise anything else."""
        for whole in (body, LIST % body):
            try:
                parse_page(whole, "list")
            except ReadError as error:
                self.assertEqual(error.reason, Reason.PARSE)


class TimeTests(SynchronousTestCase):
    """`time_of`."""

    def test_forms(self) -> None:
        """Times have milliseconds, or not; without a zone they are none."""
        for text, expected in (
            ("2026-11-26T05:24:55.250Z", 1795670695.25),
            ("2026-11-26T05:24:55Z", 1795670695.0),
            ("2026-11-26T05:24:55", None),
            ("x", None),
            ("", None),
        ):
            self.assertEqual(time_of(text), expected, text)


class NamesTests(SynchronousTestCase):
    """`Names`."""

    def test_queries(self) -> None:
        """One list begins behind what sorts before the keys; three lists have folders."""
        both = {"encoding-type": "url", "prefix": "p/"}
        start = {**both, "list-type": "2", "start-after": "p/keys/"}
        self.assertEqual(Names("p/").query, start)
        self.assertEqual(Names("p/", old=True).query, {**both, "marker": "p/keys/"})
        three = Names("", in_order=False)
        expected = {**both, "list-type": "2", "prefix": "keys/", "delimiter": "/"}
        self.assertEqual(three.query, expected)
        three.add(Page([("keys/" + "a" * 64, "")], True, "token"))
        self.assertEqual(three.query, {**expected, "continuation-token": "token"})
        three.add(Page([], False))
        self.assertEqual(three.query, {**expected, "prefix": "locks/"})

    def test_too_many(self) -> None:
        """A listing without an end is given up."""
        names = Names("")
        with self.assertRaises(ReadError) as raised:
            for number in range(1000):
                names.add(Page([(f"keys/{number:064x}", "")], True, f"{number}"))
        self.assertEqual(raised.exception.reason, Reason.TOO_LARGE)
        self.assertEqual(names.pages, 250)
