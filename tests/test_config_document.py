"""Tests of `restic_reporter.config.document`."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.document import ConfigError, parse_document, repeated_keys

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
        self.assertIn("JSON wants double quotes", self.problem("[{'repo': 1}]"))

    def test_comments(self) -> None:
        """Comments get a hint that YAML has them."""
        for comment in ("// x", "# x", "/* x */"):
            self.assertIn("JSON has no comments", self.problem(f"[\n{comment}\n]"))

    def test_missing_comma(self) -> None:
        """A missing comma between keys or entries gets a hint."""
        for text in ('[{"a": "b" "c": 1}]', "[{}\n{}]", '[{"a": true "b": 1}]'):
            self.assertIn("is a comma missing before this?", self.problem(text))

    def test_no_hint(self) -> None:
        """What is none of the common mistakes gets no wrong hint."""
        self.assertNotIn("(", self.problem("[nonsense]"))

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8 are told with their line."""
        self.assertEqual(self.problem(b'[\n"\xff"]'), "c.json: line 2: not UTF-8 text")

    def test_empty(self) -> None:
        """An empty file is a syntax error at its beginning."""
        self.assertIn("c.json: line 1, column 1: ", self.problem(""))

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
            "c.yml: line 2, column 3: the key 'repo' stands twice in one map",
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

    def test_impossible_date(self) -> None:
        """A text that looks like a date and is none is told with its place."""
        self.assertIn(
            "line 1, column 13: this value cannot be understood; a text must stand in quotes",
            self.problem("- password: 2026-13-45", "c.yaml"),
        )

    def test_huge_number(self) -> None:
        """A number that Python refuses to read is a problem with its place."""
        self.assertIn("line 1, column 3: this value", self.problem("- " + "1" * 5000, "c.yaml"))

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
