"""Tests of ``scripts/``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.programs import PATIENCE, ROOT
from tests.doubles.tools import tool

# Stands in for the console script: checks the config that the daemon would run with.
PROGRAM = f"""#!/bin/sh
[ "$1" = run ] && shift
PYTHONPATH={ROOT} exec {sys.executable} -m restic_reporter check-config "$@"
"""


class TryItTests(SynchronousTestCase):
    """``scripts/try-it``."""

    def test_no_warning(self) -> None:
        """The example starts without a warning about who can read its config."""
        folder = Path(self.mktemp()).absolute()
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (folder / "scripts").mkdir()
        for name in ("scripts/try-it", "scripts/environment.sh", "setup.cfg"):
            shutil.copy(ROOT / name, folder / name)
        shutil.copy(ROOT / "config.example.json", folder)
        (folder / "config.example.json").chmod(0o644)
        for name, program in (
            ("python", "#!/bin/sh\n"),
            ("pip", "#!/bin/sh\n"),
            ("restic-reporter", PROGRAM),
        ):
            (programs / name).write_text(program)
            (programs / name).chmod(0o755)
        done = subprocess.run(
            [folder / "scripts" / "try-it", "--reader=native"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o022,
            timeout=PATIENCE,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)[0]["repo"], "local:examples/repository")
        self.assertNotIn("readable by every user", done.stderr)


# Stands in for tox and for scripts/test: notes how it was called. The changelog is a real change.
NOTING = """#!/bin/sh
echo "$(basename "$0") $*" >>calls
case "$*" in
    *changelog*) echo more >>CHANGELOG.md ;;
    *"-e release"*) [ ! -e .venv/broken ] ;;
esac
"""


class GitTestCase(SynchronousTestCase):
    """A folder with a repository of git."""

    def setUp(self) -> None:
        if shutil.which("git") is None:
            raise SkipTest("needs git")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git in the folder, as somebody."""
        somebody = ("-c", "user.name=n", "-c", "user.email=e")
        command = ("git", *somebody, *arguments)
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout

    def commit(self) -> None:
        """Commit all that there is."""
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=m")


class ReleaseTests(GitTestCase):
    """``scripts/release``."""

    def setUp(self) -> None:
        super().setUp()
        programs = self.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (self.folder / "scripts").mkdir()
        for name in ("scripts/release", "scripts/environment.sh", "setup.cfg"):
            shutil.copy(ROOT / name, self.folder / name)
        for path, program in (
            (programs / "python", "#!/bin/sh\n"),
            (programs / "pip", "#!/bin/sh\n"),
            (programs / "tox", NOTING),
            (self.folder / "scripts" / "test", NOTING),
        ):
            path.write_text(program)
            path.chmod(0o755)
        self.changelog = self.folder / "CHANGELOG.md"
        self.changelog.write_text("# Changelog\n")
        self.fragment = self.folder / "changes" / "+some.fixed.md"
        self.fragment.parent.mkdir()
        (self.folder / "changes" / "README.md").touch()
        (self.folder / ".gitignore").write_text(".venv\ncalls\n")
        self.commit()

    def release(self, version: str) -> "subprocess.CompletedProcess[str]":
        """Run it, as somebody."""
        names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
        return subprocess.run(
            [self.folder / "scripts" / "release", version],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)} | dict.fromkeys(names, "n"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def calls(self) -> list[str]:
        """What was called until now."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def test_refused(self) -> None:
        """Nothing is run for a bad version, another branch, open changes, or a tag that exists."""

        def refuse(message: str, version: str = "1.2.0") -> None:
            done = self.release(version)
            self.assertIn(message, done.stderr)
            self.assertEqual((done.returncode, self.calls()), (1, []))

        refuse("usage:", "1.2")
        self.git("switch", "--quiet", "--create", "other")
        refuse("release from main")
        self.git("switch", "--quiet", "main")
        self.changelog.write_text("# Changelog\n\n## 1.2.0 (unreleased)\n")
        refuse("commit or remove your changes")
        refuse("has this section, but none of 1.3.0", "1.3.0")
        self.fragment.touch()
        refuse("move the files of changes/ into the section 1.2.0")
        self.changelog.write_text("# Changelog\n")
        self.commit()
        self.git("tag", "v1.2.0")
        refuse("tag v1.2.0 exists")

    def assert_released(self, *expected: str) -> str:
        """It is released after these calls of tox, and nothing is published; what was printed."""
        done = self.release("1.2.0")
        self.assertEqual(done.returncode, 0, done.stderr)
        first, *calls = self.calls()
        self.assertEqual(first, "test ")
        checks = [one.split()[3] for one in calls[:4]]
        self.assertEqual(checks, ["servers", "lowest", "install", "audit"])
        self.assertEqual(calls[4:], [f"tox run -e {one}" for one in expected])
        self.assertEqual(self.git("describe").strip(), "v1.2.0")
        self.assertEqual(self.git("log", "-1", "--format=%s").strip(), "Release 1.2.0")
        self.assertEqual(self.git("status", "--porcelain"), "")
        self.assertIn("Nothing was published", done.stdout)
        return done.stdout

    def test_good(self) -> None:
        """All is checked before the tag is made; then it says how to publish, and how not to."""
        before = self.git("rev-parse", "HEAD")
        printed = self.assert_released("changelog -- --yes --version 1.2.0", "release")
        (back,) = [line for line in printed.splitlines() if "--delete" in line]
        subprocess.run(back, shell=True, cwd=self.folder, capture_output=True, check=True)
        self.assertEqual((self.git("rev-parse", "HEAD"), self.git("tag")), (before, ""))

    def test_first(self) -> None:
        """A section that was written by hand gets the date, and no other is made beside it."""
        self.changelog.write_text("# Changelog\n\n## 1.2.0 (unreleased)\n\n### Added\n")
        self.commit()
        self.assert_released("release")
        self.assertRegex(
            self.changelog.read_text(),
            r"^# Changelog\n\n## 1\.2\.0 \(20\d\d-\d\d-\d\d\)\n\n### Added\n$",
        )

    def test_not_built(self) -> None:
        """If the packages cannot be built it says how to go back."""
        (self.folder / ".venv" / "broken").touch()
        done = self.release("1.2.0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("to go back: git tag --delete v1.2.0", done.stderr)


class VersionTests(GitTestCase):
    """The version that a build takes from git."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("pyproject.toml", "setup.cfg", ".gitattributes", ".git_archival.txt"):
            shutil.copy(ROOT / name, self.folder)
        self.commit()

    def version(self, folder: Path) -> str:
        """The version in a checkout, or in the files of an archive."""
        command = (sys.executable, "-m", "setuptools_scm")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def archive(self) -> Path:
        """The files of an archive, as a forge makes them of the latest commit."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.git("archive", f"--output={folder}/a.tar", "HEAD")
        subprocess.run(("tar", "-xf", "a.tar"), cwd=folder, check=True)
        return folder

    def test_tags(self) -> None:
        """Tags of releases count, other tags do not, in a checkout as in an archive."""
        for tag in ("nightly", "9.9.9", "v9", "v9x", "v9.9", "v9.9.9-docs", "debian/9.9.9"):
            self.git("tag", tag)
        self.assertRegex(self.version(self.folder), r"^0\.1\.0\.dev1\+g[0-9a-f]+$")
        self.assertEqual(self.version(self.archive()), "0.1.0.dev0")
        for tag, later in (("v0.2.0rc1", "0.2.0rc2"), ("v0.2.0", "0.2.1")):
            self.git("tag", tag)
            self.assertEqual(self.version(self.folder), tag[1:])
            self.assertEqual(self.version(self.archive()), tag[1:])
            self.git("commit", "--quiet", "--allow-empty", "--message=m")
            for folder in (self.folder, self.archive()):
                self.assertRegex(self.version(folder), rf"^{later}\.dev1\+g[0-9a-f]+$")

    def test_without_git(self) -> None:
        """A copy without .git has a version that is older than each release."""
        shutil.rmtree(self.folder / ".git")
        self.assertEqual(self.version(self.folder), "0.1.0.dev0")


class FetchTestToolsTests(SynchronousTestCase):
    """``scripts/fetch-test-tools``."""

    def test_moved(self) -> None:
        """What starts a program with its own loader, or in its own environment, can be moved."""
        folder = Path(self.mktemp()).absolute()
        (folder / "bin").mkdir(parents=True)
        (folder / "packages").symlink_to(Path(tool("ssh")).parents[1] / "packages")
        for name, arguments, expected in (
            ("ssh", ("-V",), "OpenSSH_"),
            ("swift-python", ("-c", "import sys; print(sys.prefix)"), f"{folder}/packages/swift-"),
        ):
            program = shutil.copy(tool(name), folder / "bin")
            done = subprocess.run([program, *arguments], capture_output=True, text=True)
            self.assertIn(expected, done.stdout + done.stderr)
