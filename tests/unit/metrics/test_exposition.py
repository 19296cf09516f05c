"""Tests of `restic_reporter.metrics.exposition` and of the families in `.definitions`."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.metrics import definitions as families
from restic_reporter.metrics.exposition import Family, label_text, number, page, sample

GAUGE = Family("a", "gauge", 'A "gauge".\nOf \\ two lines.')
COUNTER = Family("b_total", "counter", "A counter.")
INFO = Family("c_info", "info", "An info.")

SIX = (
    "backup_job_last_success_unixtime",
    "backup_job_error_count",
    "backup_read_error_count",
    "backup_snapshot_count",
    "backup_newest_timestamp",
    "backup_days_age",
)


class HeaderTests(SynchronousTestCase):
    """`Family.header`."""

    def test_text(self) -> None:
        """In the text format an info is a gauge, and names are whole."""
        self.assertEqual(
            GAUGE.header(False), b'# HELP a A "gauge".\\nOf \\\\ two lines.\n# TYPE a gauge\n'
        )
        self.assertIn(b"# TYPE b_total counter\n", COUNTER.header(False))
        self.assertIn(b"# TYPE c_info gauge\n", INFO.header(False))

    def test_openmetrics(self) -> None:
        """In OpenMetrics a family's name lacks the ending that its samples have."""
        self.assertEqual(
            GAUGE.header(True), b'# HELP a A \\"gauge\\".\\nOf \\\\ two lines.\n# TYPE a gauge\n'
        )
        self.assertIn(b"# TYPE b counter\n", COUNTER.header(True))
        self.assertIn(b"# TYPE c info\n", INFO.header(True))


class PageTests(SynchronousTestCase):
    """`page` and its pieces."""

    def test_sample(self) -> None:
        """A line has labels in braces, or no braces."""
        self.assertEqual(sample(GAUGE, "", 1), "a 1\n")
        self.assertEqual(
            sample(GAUGE, label_text({"x": "1", "y": "2"}), 1.5), 'a{x="1",y="2"} 1.5\n'
        )

    def test_escapes(self) -> None:
        """Backslash, quote and newline are escaped in label values."""
        self.assertEqual(label_text({"x": 'a\\b"c\nd'}), r'x="a\\b\"c\nd"')

    def test_numbers(self) -> None:
        """Numbers are as exact as they are."""
        self.assertEqual(number(True), "1")
        self.assertEqual(number(1_700_000_000.123456), "1700000000.123456")
        self.assertEqual(number(10**15), "1000000000000000")

    def test_both_parse(self) -> None:
        """Both formats are what Prometheus's own parsers take."""
        content = [
            (GAUGE, [sample(GAUGE, label_text({"x": '\\n"'}), 1e300).encode()]),
            (COUNTER, [b"b_total 5\n"]),
            (INFO, [b'c_info{x="y"} 1\n']),
        ]
        text = list(parse_text(page(content, False).decode()))
        self.assertEqual([one.type for one in text], ["gauge", "counter", "gauge"])
        self.assertEqual(text[0].samples[0].labels, {"x": '\\n"'})
        openmetrics = list(parse_openmetrics(page(content, True).decode()))
        self.assertEqual([one.type for one in openmetrics], ["gauge", "counter", "info"])
        self.assertEqual(openmetrics[0].samples[0].value, 1e300)
        self.assertEqual(openmetrics[0].documentation, GAUGE.help)


class FamiliesTests(SynchronousTestCase):
    """The families that there are."""

    def setUp(self) -> None:
        self.families = [one for one in vars(families).values() if isinstance(one, Family)]

    def test_six(self) -> None:
        """The six metrics of the mission are gauges of these very names."""
        kinds = {one.name: one.kind for one in self.families}
        self.assertEqual([kinds.get(name) for name in SIX], ["gauge"] * 6)

    def test_names(self) -> None:
        """Names are distinct, and their endings fit their kinds."""
        names = [one.name for one in self.families]
        self.assertEqual(len(names), len(set(names)))
        for one in self.families:
            self.assertIn(one.kind, ("gauge", "counter", "info"))
            self.assertEqual(one.name.endswith("_total"), one.kind == "counter", one.name)
            self.assertEqual(one.name.endswith("_info"), one.kind == "info", one.name)

    def test_help(self) -> None:
        """Every help text says whether values come from a scheduled collection."""
        for one in self.families:
            self.assertRegex(one.help, "scheduled? |schedule |Collections that were due", one.name)
