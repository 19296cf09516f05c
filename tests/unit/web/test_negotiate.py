"""Tests for reading what a client accepts."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.web.negotiate import accepts_gzip, prefers_openmetrics

OM = "application/openmetrics-text"

# As Prometheus itself sent them.
PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_2_53 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_5 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_TEXT_FIRST = (
    "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

JUNK = (
    "",
    ",",
    ";;;,,,;q=",
    ";q=1",
    "\x00\xff\xfe",
    "é" * 100,
    "=" * 100,
    f"{OM};q",
    f"{OM};q=",
    f"{OM};q=nan",
    f"{OM};q=inf",
    f"{OM};q=-1",
    f"{OM};q=2",
    f"{OM};q=1e0",
    f"{OM};q=0.5.5",
    f"{OM};q=\u0661",
    f"{OM};version=2",
    f"{OM};version=",
    f"{OM};version=1.0.0.0",
    f"x{OM}",
    f"{OM}x",
    "gzip;q=nan",
    "gzip;q=1.5",
    "gzipx",
    "deflate, br, zstd",
)


class PrefersOpenmetricsTests(SynchronousTestCase):
    """Tests for `prefers_openmetrics`."""

    def test_no_header(self) -> None:
        """Without a header the text format is the answer."""
        self.assertFalse(prefers_openmetrics(None))

    def test_prometheus(self) -> None:
        """The headers of Prometheus 2 and 3 ask for OpenMetrics."""
        for header in (PROMETHEUS_2_42, PROMETHEUS_2_53, PROMETHEUS_3_5):
            self.assertTrue(prefers_openmetrics(header), header)

    def test_text_preferred(self) -> None:
        """A client that likes the text format better gets it."""
        for header in (
            PROMETHEUS_TEXT_FIRST,
            f"{OM};q=0.5, text/plain",
            f"{OM};q=0.5, text/*",
            f"{OM};q=0.5, */*;q=0.9",
        ):
            self.assertFalse(prefers_openmetrics(header), header)

    def test_named(self) -> None:
        """OpenMetrics must be named; a wildcard or a browser gets the text format."""
        for header in ("*/*", "application/*", BROWSER, "text/plain", "text/plain;version=0.0.4"):
            self.assertFalse(prefers_openmetrics(header), header)

    def test_version(self) -> None:
        """Version 1.0.0, in any notation, or none will do; another one is not had."""
        for header in (OM, f"{OM}; version=1.0.0", f'{OM.upper()} ;\tVERSION="1.0.0" ; Q=0.1'):
            self.assertTrue(prefers_openmetrics(header), header)
        for header in (f"{OM};version=0.0.1", f"{OM};version=2.0.0"):
            self.assertFalse(prefers_openmetrics(header), header)

    def test_equal(self) -> None:
        """OpenMetrics is the answer where the client likes both as well."""
        self.assertTrue(prefers_openmetrics(f"text/plain;q=0.5,{OM};q=0.5"))

    def test_specific_range(self) -> None:
        """The range that matches the text format most closely says how it is liked."""
        self.assertTrue(prefers_openmetrics(f"*/*;q=1, {OM};q=0.5, text/plain;q=0.1"))

    def test_other_text_version(self) -> None:
        """A text format that is not ours is no rival."""
        self.assertTrue(prefers_openmetrics(f"text/plain;version=1.0.0;q=0.9,{OM};q=0.5"))

    def test_refused(self) -> None:
        """A q of zero refuses."""
        self.assertFalse(prefers_openmetrics(f"{OM};q=0"))
        self.assertFalse(prefers_openmetrics(f"{OM};q=0.000, text/plain;q=0"))

    def test_junk(self) -> None:
        """Junk counts for nothing, alone and beside what makes sense."""
        for junk in JUNK:
            self.assertFalse(prefers_openmetrics(junk), junk)
            self.assertTrue(prefers_openmetrics(f"{junk},{OM};version=1.0.0"), junk)

    def test_huge(self) -> None:
        """Of a header of megabytes only the beginning is looked at; what is cut is ignored."""
        for part in (",", ";", "a", "a,", ";q=", f"{OM};q=0.1;", "a=b;", '"'):
            self.assertFalse(prefers_openmetrics(f"{part * 500_000},{OM}"), part)
            self.assertFalse(accepts_gzip(f"{part * 500_000},gzip"), part)
        self.assertFalse(prefers_openmetrics("a" * 4060 + f",{OM};version=0.0.1"))

    @given(st.text(alphabet=st.sampled_from('ao/*;,=q01. "\x00é-v') | st.characters()))
    def test_anything(self, header: str) -> None:
        """No header raises."""
        prefers_openmetrics(header)
        accepts_gzip(header)


class AcceptsGzipTests(SynchronousTestCase):
    """Tests for `accepts_gzip`."""

    def test_accepted(self) -> None:
        """gzip may be named, in any case and company, or meant by a wildcard."""
        for header in (
            "gzip",
            "GZIP",
            "x-gzip",
            "gzip, deflate, br",
            "deflate,gzip;q=0.1",
            "*",
            "*;q=0.5",
            "gzip;q=1.000",
            "identity;q=0.5, gzip",
        ):
            self.assertTrue(accepts_gzip(header), header)

    def test_not_accepted(self) -> None:
        """No header, no gzip within it, a q of zero, and identity preferred: no gzip."""
        for header in (
            None,
            "",
            "identity",
            "br, deflate",
            "gzip;q=0",
            "gzip;q=0.0",
            "*;q=0",
            "gzip;q=0, *",
            "identity, gzip;q=0.5",
        ):
            self.assertFalse(accepts_gzip(header), header)

    def test_junk(self) -> None:
        """Junk counts for nothing, alone and beside what makes sense."""
        for junk in JUNK:
            self.assertFalse(accepts_gzip(junk), junk)
            self.assertTrue(accepts_gzip(f"{junk},gzip"), junk)
