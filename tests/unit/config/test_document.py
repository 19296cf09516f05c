"""Tests of `restic_reporter.config.document`."""

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.document import parse_document, repeated_keys
from restic_reporter.model.errors import ConfigError

MARKER = "hunter2marker"


class DocumentCase(SynchronousTestCase):
    """Helpers for one document."""

    def problem(self, text: str | bytes, name: str = "c.json") -> str:
        """The one sentence about a document that cannot be parsed."""
        content = text if isinstance(text, bytes) else text.encode()
        error = self.assertRaises(ConfigError, parse_document, content, name)
        (problem,) = error.problems
        self.assertIsInstance(problem, str)
        return str(problem)


class JSONTests(DocumentCase):
    """JSON documents."""

    def test_byte_order_mark(self) -> None:
        """A byte order mark, as Windows editors write it, is passed over."""
        self.assertEqual(parse_document(b"\xef\xbb\xbf[]", "c.json"), [])

    def test_syntax_error(self) -> None:
        """A syntax error is told with file, line and column."""
        self.assertIn("c.json: line 2, column 4: ", self.problem('[\n  {repo: "x"}]'))

    def test_end_too_early(self) -> None:
        """A file that ends too early is told with the place of its end."""
        self.assertIn("line 1, column 3: ", self.problem("[{"))

    def test_trailing_comma_before_bracket(self) -> None:
        """The commonest mistake, a comma after the last entry, gets a hint."""
        problem = self.problem('[\n  {"a": 1},\n]')
        self.assertIn("(a trailing comma: remove the one at the end of line 2)", problem)

    def test_trailing_comma_before_brace(self) -> None:
        """A comma after the last key gets the same hint."""
        problem = self.problem('[{"a": 1,\n}]')
        self.assertIn("(a trailing comma: remove the one at the end of line 1)", problem)

    def test_single_quotes(self) -> None:
        """Single quotes get a hint."""
        self.assertIn("JSON requires double quotes", self.problem("[{'repo': 1}]"))

    def test_comments(self) -> None:
        """Comments get a hint that YAML has them."""
        for comment in ("// x", "# x", "/* x */"):
            self.assertIn("JSON has no comments", self.problem(f"[\n{comment}\n]"))

    def test_missing_comma(self) -> None:
        """A missing comma between keys or entries gets a hint."""
        for text in ('[{"a": "b" "c": 1}]', "[{}\n{}]", '[{"a": true "b": 1}]'):
            self.assertIn("missing comma before this?", self.problem(text))

    def test_no_hint(self) -> None:
        """What is none of the common mistakes gets no wrong hint."""
        self.assertNotIn("(", self.problem("[nonsense]"))

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8 are told with their line."""
        self.assertEqual(self.problem(b'[\n"\xff"]'), "c.json: line 2: not UTF-8 text")

    def test_empty(self) -> None:
        """An empty file has a message of its own."""
        for name, text in (
            ("c.json", ""),
            ("c.json", " \n\t\n"),
            ("c.yaml", ""),
            ("c.yml", "# x\n"),
        ):
            self.assertEqual(
                self.problem(text, name), f"{name}: is empty; must be a list of entries"
            )

    def test_yaml(self) -> None:
        """YAML in a file with another name is told as such, not where JSON breaks at it."""
        mend = "looks like YAML; rename it to .yaml or .yml"
        for text in (
            f"- repo: /p\n  password: {MARKER}\n",
            f"# ours\n---\n\n  - repo: {MARKER}",
            f"-\n  repo: {MARKER}",
            f"repositories:\n- repo: {MARKER}\n",
            f"defaults: {{password: {MARKER}}}\n",
        ):
            self.assertEqual(self.problem(text), f"c.json: {mend}")
        for text in ("-1x", "# x\n[]", '"a": 1', "[- repo: /p]"):
            self.assertIn("c.json: line 1, column", self.problem(text))

    def test_deep(self) -> None:
        """Nesting without end is refused."""
        self.assertEqual(self.problem("[" * 200_000), "c.json: nested too deeply")

    def test_huge_number(self) -> None:
        """A number that Python refuses to read is a problem, not a bug."""
        self.assertEqual(self.problem(f"[{'1' * 5000}]"), "c.json: a number has too many digits")

    def test_repeated_keys(self) -> None:
        """A key given twice can be asked for."""
        document = parse_document(b'{"a": 1, "b": 2, "a": 3}', "c.json")
        self.assertEqual(repeated_keys(document), ("a",))
        self.assertEqual(repeated_keys({"a": 1}), ())
        self.assertEqual(repeated_keys([]), ())

    @settings(deadline=None)
    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
    def test_same_as_json(self, value: object) -> None:
        """What JSON writes is read as it was."""
        self.assertEqual(parse_document(json.dumps(value).encode(), "c.json"), value)


class YAMLTests(DocumentCase):
    """YAML documents."""

    def test_by_name(self) -> None:
        """A name that ends in .yaml or .yml makes it YAML, any other JSON."""
        for name in ("c.yaml", "c.yml"):
            self.assertEqual(parse_document(b"- repo: /p # x", name), [{"repo": "/p"}])
        self.assertRaises(ConfigError, parse_document, b"- repo: /p", "c.conf")

    def test_syntax_error(self) -> None:
        """A syntax error is told with file, line and column."""
        self.assertIn("c.yaml: line 2, column 10: ", self.problem("- a\n- repo: a: b", "c.yaml"))

    def test_repeated_key(self) -> None:
        """A key given twice is an error with its place."""
        self.assertEqual(
            self.problem("- repo: /p\n  repo: /q", "c.yml"),
            "c.yml: line 2, column 3: duplicate key 'repo'",
        )

    def test_anchors_and_merge(self) -> None:
        """Anchors and merge keys work, and a merged key may be overridden."""
        text = b"- &a {repo: /p, password: x}\n- {<<: *a, repo: /q}"
        self.assertEqual(
            parse_document(text, "c.yaml"),
            [{"repo": "/p", "password": "x"}, {"repo": "/q", "password": "x"}],
        )

    def test_no_python_objects(self) -> None:
        """A tag that would run Python code is refused."""
        self.assertIn(
            "begins with '!'", self.problem("- !!python/object/apply:os.getpid []", "c.yaml")
        )

    def test_plain_text(self) -> None:
        """What is no number, true, false or null is text, whatever YAML 1.1 takes it for."""
        texts = (
            *("no", "yes", "on", "off", "y", "=", "2026-01-01", "2026-13-45", "12:30:00"),
            *("0o17", "017", "0x1F", "1_000", "0b1", ".inf", ".nan", "1.", "+", "tRue", "nUll"),
        )
        for text in texts:
            self.assertEqual(parse_document(f"- {text}".encode(), "c.yaml"), [text])
        for text, value in (
            *(("true", True), ("False", False), ("~", None), ("null", None), ("", None)),
            *(("0", 0), ("-12", -12), ("1.5", 1.5), ("-1e3", -1000.0), ("2E-1", 0.2)),
        ):
            [found] = parse_document(f"- {text}".encode(), "c.yaml")
            self.assertEqual((found, type(found)), (value, type(value)))

    def test_tags(self) -> None:
        """Tags are refused, with their place; values that are not of their kind do no harm."""
        for text in ("!!bool maybe", "!!int", "!!timestamp x", "!!str 5", "! x", "!!set {a}"):
            self.assertEqual(
                self.problem(f"- a\n- b: {text}", "c.yaml"),
                "c.yaml: line 2, column 6: a value that begins with '!' must be in quotes",
            )

    def test_bombs(self) -> None:
        """Aliases and merges that stand for too much are refused before they are made."""
        lists, merges = ["- &a0 [x, x]"], ["- &a0 {k0: x}"]
        for number in range(1, 30):
            lists.append(f"- &a{number} [*a{number - 1}, *a{number - 1}]")
            many = ", ".join([f"*a{number - 1}"] * 10)
            merges.append(f"- &a{number} {{<<: [{many}], k{number}: x}}")
        loaded: list[object] = []
        self.patch(yaml, "load", lambda *_, **__: loaded.append(1))
        for lines in (lists, merges, merges[:8]):
            self.assertIn("expand to more than 1,000,000", self.problem("\n".join(lines), "c.yaml"))
        self.assertIn("refers to a value that contains it", self.problem("- &a [*a]", "c.yaml"))
        self.assertEqual(loaded, [])

    def test_many_aliases(self) -> None:
        """What ten thousand entries share may be written once."""
        lines = ["x: &a {user: u, paths: [1, 2, 3]}", "y:", *["- {<<: *a, n: 1}"] * 10_000]
        self.assertEqual(len(parse_document("\n".join(lines).encode(), "c.yaml")["y"]), 10_000)

    def test_huge_number(self) -> None:
        """A number that Python refuses to read is a problem with its place."""
        self.assertIn("line 1, column 3: invalid value", self.problem("- " + "1" * 5000, "c.yaml"))

    def test_deep(self) -> None:
        """Nesting that would exhaust the stack of the process is refused."""
        for text in ("[" * 1_000_000, "{a: " * 50_000, "- " * 50_000):
            problem = self.problem(text, "c.yaml")
            self.assertTrue("nested too deeply" in problem or "line 1" in problem, problem)

    def test_control_character(self) -> None:
        """A control character is refused."""
        self.assertIn("c.yaml: ", self.problem("- repo: \x07", "c.yaml"))

    def test_two_documents(self) -> None:
        """Two documents in one file are refused."""
        self.assertIn("c.yaml: line 2", self.problem("- a\n---\n- b", "c.yaml"))

    def test_passwords_that_look_like_syntax(self) -> None:
        """A password without quotes that breaks the syntax does not show in the problem."""
        values = (
            f"*{MARKER}", f"!{MARKER}", f"!{MARKER}!x", f"&{MARKER} &{MARKER} x", f"%{MARKER}",
            f"@{MARKER}", f"`{MARKER}", f"'{MARKER}", f'"{MARKER}', f'"\\y{MARKER}"',
            f"[{MARKER}", f"{{{MARKER}", f"x: {MARKER}", f"|{MARKER}", f">{MARKER}",
        )  # fmt: skip
        for value in values:
            problem = self.problem(f"- repo: /p\n  password: {value}\n", "c.yaml")
            self.assertNotIn(MARKER, problem)
            self.assertIn("c.yaml: line ", problem)
