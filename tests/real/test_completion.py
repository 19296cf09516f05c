"""The completion scripts in real shells."""

import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.commands.cli import SHELLS, make_parser
from restic_reporter.commands.completion import script
from restic_reporter.commands.options import ALL
from tests.doubles.daemons import run_script
from tests.doubles.programs import PATIENCE, ROOT
from tests.doubles.tools import tool

# Completes the words after the name of the script, the last of which may be empty.
_BASH = """
source ./script
COMP_WORDS=(restic-reporter "$@") COMP_CWORD=$# COMP_LINE="restic-reporter $*"
COMP_POINT=${#COMP_LINE}
words=($(complete -p restic-reporter))
while [ "${words[0]}" != -F ]; do words=("${words[@]:1}"); done
"${words[1]}" restic-reporter "${!#}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
# The two functions stand in for those of the package fish-common.
_FISH = '''
function __fish_complete_path; string match -- "$argv[1]*" *; end
function __fish_complete_directories; string match -- "$argv[1]*" */; or true; end
source ./script; complete -C "restic-reporter $argv"'''

COMMANDS = {"run", "backends", "check-config", "collect", "state", "completion"}
OPTIONS = {f"--{name}" for name in ALL}


class CompletionTests(SynchronousTestCase):
    """What the shells complete."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        (self.folder / "cfolder").mkdir()
        (self.folder / "config.json").touch()

    def shell(self, *arguments: str) -> str:
        """What a shell prints that has nothing to say of its own."""
        done = subprocess.run(
            arguments,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def write(self, shell: str) -> None:
        """Put the script for a shell into the folder."""
        (self.folder / "script").write_text(script(make_parser(every_option=True), shell))

    def bash(self, *words: str) -> set[str]:
        """What bash completes."""
        bash = shutil.which("bash")
        assert bash is not None
        return set(self.shell(bash, "--norc", "-c", _BASH, "bash", *words).split())

    def fish(self, *words: str) -> set[str]:
        """What fish completes, without the descriptions."""
        lines = self.shell(tool("fish"), "-N", "-c", _FISH, *words).splitlines()
        return {line.partition("\t")[0] for line in lines}

    def test_bash(self) -> None:
        """bash completes commands, all options of each, their values, and names of files."""
        self.write("bash")
        self.assertEqual(self.bash(""), COMMANDS)
        self.assertEqual(self.bash("col"), {"collect"})
        self.assertLess(OPTIONS, self.bash("run", "--"))
        self.assertLess({"--textfile", "--config", "--reader"}, self.bash("collect", "--"))
        self.assertIn("--connect", self.bash("check-config", "--c"))
        self.assertEqual(self.bash("run", "--reader", ""), {"auto", "native", "restic"})
        self.assertEqual(self.bash("completion", ""), set(SHELLS))
        for command, option in (("run", "--config"), ("collect", "--textfile")):
            self.assertEqual(self.bash(command, option, "c"), {"cfolder", "config.json"})
        self.assertEqual(self.bash("collect", "--cache-dir", "c"), {"cfolder"})
        self.assertEqual(self.bash("state", "f"), {"forget"})
        self.assertEqual(self.bash("state", "forget", "--state-dir", "c"), {"cfolder"})

    def test_fish(self) -> None:
        """So does fish."""
        self.write("fish")
        self.assertLessEqual(COMMANDS, self.fish(""))
        self.assertEqual(self.fish("col"), {"collect"})
        self.assertLess(OPTIONS, self.fish("run --"))
        self.assertIn("--connect", self.fish("check-config --c"))
        self.assertEqual(self.fish("run --reader "), {"auto", "native", "restic"})
        self.assertEqual(self.fish("completion "), set(SHELLS))
        self.assertLessEqual({"cfolder", "config.json"}, self.fish("run --config c"))
        self.assertEqual(self.fish("collect --cache-dir c"), {"cfolder/"})

    def test_zsh(self) -> None:
        """zsh accepts the script, as a file and by ``eval``, and has a function for us then."""
        self.write("zsh")
        zsh = tool("zsh")
        self.assertEqual(self.shell(zsh, "-f", "-n", "script"), "")
        code = 'compdef() { print -- "$@[-1]: $(whence -w $1)" }; eval "$(<script)"'
        printed = self.shell(zsh, "-f", "-c", code)
        self.assertRegex(printed, r"^restic-reporter: \w+: function\n$")
        text = (self.folder / "script").read_text()
        self.assertTrue(text.startswith("#compdef restic-reporter\n"))
        for option in OPTIONS:
            self.assertIn(option, text)

    def test_command(self) -> None:
        """The command prints the script."""
        for shell in SHELLS:
            done = run_script(ROOT, "completion", shell)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout, f"{script(make_parser(every_option=True), shell)}\n")
