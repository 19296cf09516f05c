"""Tests of `restic_reporter.commands.cli` and `restic_reporter.commands.backends`."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter import __version__
from restic_reporter.commands.backends import backends_table
from restic_reporter.commands.cli import main
from restic_reporter.model.schemes import RESTIC_SCHEMES
from restic_reporter.plugin import BackendMaker
from restic_reporter.plugin.discovery import BrokenPlugin, Plugins, installed_plugins
from tests.doubles.daemons import SCRIPT, run_script
from tests.doubles.environments import table
from tests.doubles.programs import PATIENCE, ROOT

FACTORY = f"{__name__}.BackendMaker"


class CommandTests(SynchronousTestCase):
    """The console script as a process."""

    def run_it(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        directory: Path = ROOT,
    ) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        return run_script(directory, *arguments, more=environment)

    def test_backends(self) -> None:
        """What is installed is listed, and so is what restic reads alone."""
        done = self.run_it("backends")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = table(done.stdout)
        self.assertEqual(set(rows), set(RESTIC_SCHEMES))
        self.assertEqual(rows["rest"][1], "restic, native")
        self.assertEqual(rows["swift"], ("-", "restic alone"))

    def test_version_and_help(self) -> None:
        """It tells its version and its commands."""
        done = self.run_it("--version")
        self.assertEqual((done.returncode, done.stdout), (0, f"restic-reporter {__version__}\n"))
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("backends ", done.stdout)
        self.assertRegex(done.stdout, r"\bcheck-config\b")
        for command in ("backends", "check-config", "collect", "state", "completion"):
            self.assertIn(command, done.stdout)
            shown = self.run_it(command, "--help")
            self.assertEqual((shown.returncode, shown.stderr), (0, ""))
            self.assertLess(max(map(len, shown.stdout.splitlines())), 80)
            self.assertTrue(command == "backends" or "examples:" in shown.stdout)

    def test_late_imports(self) -> None:
        """The daemon does not load what only other commands need."""
        code = (
            "import sys, restic_reporter.commands.cli, restic_reporter.commands.run\n"
            "import restic_reporter.tap, restic_reporter.daemon.wiring\n"
            "print({'rich', 'shtab'} & {one.partition('.')[0] for one in sys.modules})"
        )
        printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
        self.assertEqual(printed.stdout, b"set()\n", printed.stderr)

    def test_mistakes(self) -> None:
        """A mistake in the command line is told in one line, with status 1."""
        done = self.run_it("nonsense")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        for arguments, problem in (
            ((), "missing command; did you mean 'restic-reporter run'?\n"),
            (("nonsense",), "'nonsense'"),
            (("backends", "--nonsense"), "backends: unknown option '--nonsense'; see "),
            (("backends", "--hlep"), "unknown option '--hlep'; did you mean '--help'?\n"),
            (("backends", "more"), "backends: unexpected argument 'more'; see "),
            (("check-config", "--confg=sesame"), "'--confg'; did you mean '--config'?\n"),
            (("check-config", "--sharrd", "0/2"), "'--sharrd'; did you mean '--shard'?\n"),
            (("check-config", "a:sesame", "-x"), "check-config: unexpected argument 'a:sesame';"),
            (("check-config", "--reader=borg"), "borg"),
            (("collect", "--concurrency=0"), "--concurrency: invalid value '0'; must be a whole"),
            (("collect", "--timeout=0"), "--timeout: invalid value '0'; must be a number"),
            (("collect", "--log-level=loud"), "must be one of debug, info, warn, error"),
            (("collect", "--bind=:9121"), "--bind"),
            (("completion", "tcsh"), "tcsh"),
            (("state", "--state-dir="), "--state-dir: must name a folder"),
            (("state", "forget"), "state forget: the following arguments are required: URL;"),
            (("state", "forget", "a", "b", "c", "d"), "unexpected argument 'd'"),
            (
                ("check-config", "--shard=4/4"),
                "--shard: invalid value '4/4'; the last shard is 3/4",
            ),
            (("http://me:sesame@h/",), "http://me:***@h/"),
            (("--vers",), "unknown option '--vers'; did you mean '--version'?\n"),
            (("--config", "x y"), "did you mean \"restic-reporter run --config 'x y'\"?\n"),
            (("--cron=0 0 * * *",), "mean \"restic-reporter run '--cron=0 0 * * *'\"?\n"),
            (("-b", "http://me:sesame@h/"), "'restic-reporter run -b http://me:***@h/'?\n"),
            (("--config", "x", "check-config"), "mean 'restic-reporter check-config --config x'?"),
        ):
            stderr = io.StringIO()
            self.patch(sys, "stderr", stderr)
            ended = self.assertRaises(SystemExit, main, arguments)
            said = stderr.getvalue()
            if isinstance(ended.code, str):
                # The interpreter prints that to standard error, and ends with status 1.
                said += f"{ended.code}\n"
            else:
                self.assertEqual(ended.code, 1, arguments)
            self.assertIn(problem, said)
            self.assertEqual(said.count("\n"), 1, said)
            self.assertTrue(said.startswith("restic-reporter"), said)

    def test_broken_plugin(self) -> None:
        """What is broken is told below the table, with status 1 and without a traceback."""
        plugins = Path(self.mktemp(), "twisted", "plugins").absolute()
        plugins.mkdir(parents=True)
        (plugins / "bad_dropin.py").write_text("import no_such_module\n")
        path = f"{ROOT}:{plugins.parent.parent}"
        done = self.run_it("backends", environment={"PYTHONPATH": path})
        self.assertEqual(done.returncode, 1)
        self.assertIn("rest", table(done.stdout))
        self.assertEqual(
            done.stderr,
            "restic-reporter: the plugin twisted.plugins.bad_dropin cannot be used:"
            " ModuleNotFoundError: No module named 'no_such_module'\n",
        )

    def test_check_config(self) -> None:
        """A good config is printed as JSON without its secrets, with status 0; warnings apart."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "config.json").write_text('[{"repo": "/ä", "password_file": "open"}]')
        (folder / "open").write_text("sesame")
        (folder / "open").chmod(0o644)
        done = self.run_it("check-config", directory=folder, environment={"LC_ALL": "C"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), [{"repo": "/ä", "password_file": "open"}])
        self.assertIn("restic-reporter: config.json: entry 1: password_file: 'open'", done.stderr)
        self.assertNotIn("sesame", done.stdout + done.stderr)

    def test_bad_config(self) -> None:
        """All that is wrong comes on lines of their own, with status 1 and without a traceback."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for content, count in (
            (b'[{"repo": "/a", "pasword": "sesame", "cron": "x"}, 5]', 4),
            (b"", 1),
            (b"[\xff]", 1),
            (None, 1),
            (b"[" * 100_000, 1),
            (b'[{"repo": "rest:http://me:sesame@h:x/", "password": "sesame"}]', 1),
            (b'[{"repo": "\\ud800", "password": "sesame"}]', 1),
        ):
            if content is None:
                (folder / "c.json").unlink()
            else:
                (folder / "c.json").write_bytes(content)
            stdout, stderr = io.StringIO(), io.StringIO()
            self.patch(sys, "stdout", stdout)
            self.patch(sys, "stderr", stderr)
            status = main(["check-config", f"--config={folder / 'c.json'}"])
            printed = stderr.getvalue()
            self.assertEqual((status, stdout.getvalue()), (1, ""))
            self.assertEqual(printed.count("\n"), count, printed)
            for line in printed.splitlines():
                self.assertTrue(line.startswith(f"restic-reporter: {folder / 'c.json'}: "), line)
            self.assertNotIn("sesame", printed)

    def test_web_config(self) -> None:
        """A web config is checked too; all that is wrong with either file is told at once."""
        folder = Path(self.mktemp())
        folder.mkdir()
        config, web = folder / "c.json", folder / "web.yml"
        for content, document, problems in (
            ("[]", "rate_limit: {interval: 1s, burst: 1}", []),
            ("[]", "rate_limi: {}", [f"{web}: unknown key 'rate_limi'"]),
            ("[5]", "[]", [f"{web}: must be a map of keys", f"{config}: entry 1: "]),
        ):
            config.write_text(content)
            web.write_text(document)
            stderr = io.StringIO()
            self.patch(sys, "stdout", io.StringIO())
            self.patch(sys, "stderr", stderr)
            status = main(["check-config", f"--config={config}", f"--web-config={web}"])
            self.assertEqual(status, 1 if problems else 0)
            for line, problem in zip(stderr.getvalue().splitlines(), problems, strict=False):
                self.assertTrue(line.startswith(f"restic-reporter: {problem}"), line)

    def test_nobody_reads_the_output(self) -> None:
        """A reader that goes away causes no traceback."""
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            done = subprocess.run(
                [*SCRIPT, "backends"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=closed,
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
            )
        self.assertEqual((done.returncode, done.stderr), (1, b""))


class BackendsTableTests(SynchronousTestCase):
    """`backends_table`."""

    def test_rows(self) -> None:
        """A scheme has the package that lists it, and what reads what was listed."""
        lines, problems = backends_table(
            Plugins(
                (
                    BackendMaker("a", ["made-up", "s3"], FACTORY),
                    BackendMaker("b", ["found"], FACTORY, locates=True),
                    BackendMaker("c", ["torn"], "no_such.One.make", locates=True),
                ),
                (BrokenPlugin("bad", "ImportError: x"),),
            )
        )
        rows = table("\n".join(lines))
        self.assertEqual(rows["made-up"][1], "native")
        self.assertEqual(rows["s3"][1], "restic, native")
        self.assertEqual(rows["found"][1], "restic, native")
        self.assertEqual(rows["torn"], ("no_such.One", "nothing: broken"))
        self.assertEqual(rows["rest"], ("-", "restic alone"))
        self.assertEqual(list(rows), sorted(rows))
        self.assertEqual(problems[0], "the plugin bad cannot be used: ImportError: x")
        self.assertIn(
            "cannot create the backend 'c': cannot import no_such.One.make: ", problems[1]
        )
        self.assertEqual(len(problems), 2)

    def test_two_for_one_scheme(self) -> None:
        """Both are shown, and the error that the daemon would give."""
        makers = (BackendMaker("a", ["x"], FACTORY), BackendMaker("b", ["x"], FACTORY))
        lines, (problem,) = backends_table(Plugins(makers))
        self.assertEqual(sum(line.startswith("x ") for line in lines), 2)
        self.assertIn("two plugins serve the scheme 'x'", problem)

    def test_ours(self) -> None:
        """All backends of ours can be imported."""
        ours = [maker for maker in installed_plugins().makers if isinstance(maker, BackendMaker)]
        self.assertGreaterEqual(len(ours), 1)
        for maker in ours:
            self.assertTrue(callable(maker.load()), maker)
