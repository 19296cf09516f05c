"""The documentation says what the program does, and its links and examples work."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml
from twisted.trial.unittest import SynchronousTestCase

from benchmarks import fleet_chart
from docsite import man, tables
from restic_reporter.backends import local, rest
from restic_reporter.config import keys
from restic_reporter.config import web_config_keys as web
from restic_reporter.http.limits import HEAD_LIMIT
from restic_reporter.metrics import definitions as families
from restic_reporter.metrics.exposition import Family
from restic_reporter.model.backup_sets import MAX_SETS
from restic_reporter.model.errors import Reason
from restic_reporter.model.labels import MAX_LENGTH
from restic_reporter.plugin import BackendMaker, Key
from restic_reporter.plugin.discovery import installed_plugins
from restic_reporter.processes.child import STDERR_LIMIT
from restic_reporter.readers.native.snapshot_files import CONTENT_LIMIT
from restic_reporter.readers.native.unlock import MAX_DERIVATIONS, MAX_KEY_FILES
from restic_reporter.readers.restic import STDOUT_LIMIT, WHOLE_STDOUT_LIMIT
from restic_reporter.restic_format.json_members import PARTS_LIMIT, SMALL
from restic_reporter.tap import Options
from restic_reporter.web.connections import DEFAULT_LIMITS
from restic_reporter.web.security.passwords import MAX_CHECKS, MAX_CHECKS_OF_ADDRESS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
MONITORING = ROOT / "monitoring"

METRICS = {value.name for value in vars(families).values() if isinstance(value, Family)}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
# Without the modules of the worked example of a backend, members of restic's snapshots, and without
# recorded series.
_METRIC = re.compile(r"(?<![\w:])(?:backup|restic_reporter)_(?!snapdir|start\b)[a-z_]+\b(?!\.py)")


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    headings = list(_HEADING.finditer(text))
    for number, heading in enumerate(headings):
        if heading[2] == title:
            level = len(heading[1])
            ends = [one.start() for one in headings[number + 1 :] if len(one[1]) <= level]
            return text[heading.end() : ends[0] if ends else len(text)]
    raise AssertionError(f"there is no heading {title!r}")


def rows(text: str) -> list[tuple[list[str], list[str]]]:
    """Of each row of the tables in ``text``: what is code in its first cell, and all cells."""
    found = []
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found.append((re.findall(r"`([^`]+)`", cells[0]), cells))
    return found


def named(text: str) -> list[str]:
    """All that is code in the first column of the tables in ``text``."""
    return [name for names, _ in rows(text) for name in names]


def code_blocks(text: str) -> list[str]:
    """The indented blocks of a page."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("    ") or (not line and blocks[-1]):
            blocks[-1].append(line[4:])
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


class PagesTests(SynchronousTestCase):
    """Links, pictures and snippets."""

    def test_links(self) -> None:
        """Every link to a file or heading of the project leads there."""
        broken = []
        for page in PAGES:
            for target in _LINK.findall(page.read_text()):
                if target.startswith("https://"):
                    continue
                name, _, anchor = target.partition("#")
                path = page.parent / name if name else page
                if not path.exists():
                    broken.append(f"{page.name}: {target}")
                elif anchor:
                    text = path.read_text()
                    headings = {slug(title) for _, title in _HEADING.findall(text)}
                    if anchor not in headings and f'<a id="{anchor}"></a>' not in text:
                        broken.append(f"{page.name}: {target}")
        self.assertEqual(broken, [])

    def test_pictures(self) -> None:
        """The pictures are XML, take nothing from elsewhere, and know both colour schemes."""
        pictures = list(DOCS.glob("*.svg"))
        self.assertNotEqual(pictures, [])
        for picture in pictures:
            text = picture.read_text()
            ElementTree.fromstring(text)
            self.assertIn("prefers-color-scheme: dark", text)
            self.assertEqual(
                set(re.findall(r"https?://[^\"]+", text)), {"http://www.w3.org/2000/svg"}
            )

    def test_chart(self) -> None:
        """The chart shows the figures of the table that stands below it."""
        drawn = fleet_chart.draw(fleet_chart.groups((DOCS / "performance.md").read_text()))
        self.assertEqual((DOCS / "performance.svg").read_text(), drawn)

    def test_config_snippets(self) -> None:
        """Every config that the pages show is JSON, or YAML, of keys that this version takes."""
        seen = 0
        for page in PAGES:
            for block in code_blocks(page.read_text()):
                if block.startswith(("[\n", '{"repo"')):
                    document = json.loads(block)
                elif block.lstrip().startswith("defaults:"):
                    document = yaml.safe_load(block)
                else:
                    continue
                seen += 1
                example = BackendMaker("snapdir", ("snapdir",), "", keys=(Key("snapdir_prefix"),))
                makers = (*installed_plugins().makers, example)
                if isinstance(document, dict) and "repositories" in document:
                    document = [document["defaults"], *document["repositories"]]
                for entry in document if isinstance(document, list) else [document]:
                    self.assertEqual(keys.check(entry, ["vault"], makers), {}, block)
        self.assertGreaterEqual(seen, 5)

    def test_modules(self) -> None:
        """The map of the code names every module, and none that is not there."""
        package = ROOT / "restic_reporter"
        listed = named(section((DOCS / "why.md").read_text(), "The modules"))
        self.assertEqual([name for name in listed if not (package / name).exists()], [])
        missing = []
        unlisted = ("__init__.py", "_version.py")
        for path in package.rglob("*.py"):
            relative = path.relative_to(package)
            folders = {f"{folder.as_posix()}/" for folder in relative.parents}
            if path.name not in unlisted and not {relative.as_posix(), *folders} & set(listed):
                missing.append(relative.as_posix())
        self.assertEqual(missing, [])


class ReferenceTests(SynchronousTestCase):
    """The reference has all that there is, and nothing else."""

    def setUp(self) -> None:
        """Read its pages."""
        pages = (*tables.PAGES, DOCS / "http.md", DOCS / "size-limits.md")
        self.text = "\n".join(page.read_text() for page in pages)

    def test_tables(self) -> None:
        """What is made from the code is as the code now makes it: python -m docsite.tables."""
        self.assertEqual(tables.renewed(self.text), self.text)
        for name, made in tables.TABLES.items():
            self.assertEqual(self.text.count(f"<!-- table: {name} -->\n"), 1, name)
            self.assertEqual([row for row in made() if not all(row)], [], name)

    def test_man(self) -> None:
        """The man page is as the command line now is: python -m docsite.man."""
        self.assertEqual(man.PAGE.read_text(), man.page())

    def test_metrics(self) -> None:
        """Every metric is in a table, once."""
        listed = [name for name in named(section(self.text, "Metrics")) if name != "process_*"]
        self.assertEqual(sorted(listed), sorted(METRICS))

    def test_metric_types(self) -> None:
        """The tables give each metric its type."""
        kinds = {
            value.name: value.kind for value in vars(families).values() if isinstance(value, Family)
        }
        for names, cells in rows(section(self.text, "Metrics")):
            if names and names[0] in kinds:
                self.assertIn(kinds[names[0]], cells[1], names[0])

    def test_one_run(self) -> None:
        """The metrics that one run does not have are named."""
        text = section(self.text, "Console script")
        said = text[text.index("without what one run does not have") :].partition("\n- ")[0]
        gone = {family.name for family in families.OF_A_DAEMON}
        self.assertEqual(set(_METRIC.findall(said)), gone)

    def test_no_other_metrics(self) -> None:
        """No page, rule or test of rules names a metric that there is not."""
        files = [*PAGES, *MONITORING.rglob("*.yml"), *MONITORING.glob("*.py")]
        for file in files:
            self.assertEqual(set(_METRIC.findall(file.read_text())) - METRICS, set(), file.name)

    def test_options(self) -> None:
        """Every option is in the table, with its default."""
        listed = {
            names[0]: cells[1] for names, cells in rows(section(self.text, "Command")) if names
        }
        parameters: list[Any] = Options.optParameters
        expected = {
            f"--{name}": f"`{default}`" if default is not None else "none"
            for name, _, default, _ in parameters
        }
        flags: list[Any] = Options.optFlags
        expected.update({f"--{name}": "off" for name, *_ in flags})
        expected["--version"] = "none"
        self.assertEqual(listed, expected)

    def test_config_keys(self) -> None:
        """Every key of an entry is in the table."""
        config = section(self.text, "Config")
        known = set(keys.checks(["vault"], installed_plugins().makers))
        self.assertEqual(sorted(named(config)), sorted(known))

    def test_web_config_keys(self) -> None:
        """Every key of a web config is in its table."""
        section_keys = (web.SECTIONS, web.TLS, web.HTTP, web.RATE_LIMIT)
        known = [key for checks in section_keys for key in checks]
        self.assertEqual(sorted(named(section(self.text, "Web config"))), sorted(known))
        for header in web.HEADERS:
            self.assertIn(f"`{header}`", self.text)

    def test_reasons(self) -> None:
        """Every reason has its row."""
        self.assertEqual(
            sorted(named(section(self.text, "Reasons"))), sorted(reason.value for reason in Reason)
        )

    def test_limits(self) -> None:
        """The limits are those in the code."""
        limits = section(self.text, "Limits")
        for expected in (
            f"| one listing | {rest._LISTING_LIMIT // 2**20} MiB",
            f"{local.NAMES_LIMIT:,} names in a local folder",
            f"| response headers | {HEAD_LIMIT // 2**10} KiB",
            f"| restic's output | {STDOUT_LIMIT // 2**20} MiB",
            f"{SMALL // 2**10} KiB of each; {WHOLE_STDOUT_LIMIT // 2**30} GiB",
            f"| native: one snapshot, decompressed | {CONTENT_LIMIT // 2**20} MiB",
            f"| lists, maps and members in a snapshot of more than {SMALL // 2**10} KiB"
            f" | {PARTS_LIMIT:,} |",
            f"| {MAX_DERIVATIONS} / {MAX_KEY_FILES:,}; the next read",
            f"| restic's messages | {STDERR_LIMIT // 2**20} MiB",
            f"| backup sets shown of one repository | {MAX_SETS:,} |",
            f"| a label's value | {MAX_LENGTH} characters",
            f"| {DEFAULT_LIMITS.max_connections} / {DEFAULT_LIMITS.max_body // 2**10} KiB |",
            f"| {DEFAULT_LIMITS.request_timeout:g} / {DEFAULT_LIMITS.response_timeout:g} /"
            f" {DEFAULT_LIMITS.keep_alive:g} s |",
            f"| {MAX_CHECKS} / {MAX_CHECKS_OF_ADDRESS} | 503 |",
        ):
            self.assertIn(expected, limits)
