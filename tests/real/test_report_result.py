"""``examples/report-result`` in real shells, while no daemon is there."""

import os
import re
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from string import Template

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.programs import PATIENCE, wait_until
from tests.doubles.report_result import SCRIPT, SHELLS, Reporter

FOLDER = SCRIPT.parent

JOB = ("-u", "/p", "-k", "check")


class KeptResultsTests(SynchronousTestCase):
    """What it keeps, and what it exits with."""

    def setUp(self) -> None:
        self.machine = Reporter(Path(self.mktemp()).absolute())
        self.addCleanup(self.machine.end_sender)

    def values(self) -> list[dict[str, str]]:
        """The parameters of what is kept."""
        return [
            dict(re.findall('data-urlencode = "([a-z]+)=(.*)"', one)) for one in self.machine.kept()
        ]

    def taken(self) -> dict[str, str]:
        """The parameters of the only result that is kept; it is taken away."""
        (values,) = self.values()
        for path in self.machine.spool.glob("*.result"):
            path.unlink()
        return values

    def test_command(self) -> None:
        """It exits with the command's status, and keeps that with the time of the end."""
        for self.machine.shell in SHELLS:
            for command, expected in (
                (("true",), 0),
                (("sh", "-c", "echo out; echo error >&2; exit 3"), 3),
                (("sh", "-c", "kill -9 $$"), 137),
                (("no-such-program",), 127),
            ):
                before = int(time.time())
                done = self.machine.run(*JOB, "--", *command)
                self.assertEqual(done.returncode, expected, done.stderr)
                self.assertEqual(done.stdout, "out\n" if expected == 3 else "")
                self.assertIn(f"the result is kept in {self.machine.spool} until", done.stderr)
                values = self.taken()
                self.assertTrue(before <= int(values.pop("time")) <= time.time())
                self.assertEqual(values, {"url": "/p", "kind": "check", "exit": str(expected)})

    def test_command_as_it_is(self) -> None:
        """The command gets its arguments, its input and its output unchanged."""
        done = self.machine.run(*JOB, "--", "printf", "[%s]", "a b", "*", "", "-k", "'\"\\")
        self.assertEqual(done.stdout, "[a b][*][][-k]['\"\\]")

    def test_status(self) -> None:
        """A given status and time, or what systemd says of a service that has ended."""
        for self.machine.shell in SHELLS:
            for arguments, environment, expected in (
                (("-s", "0"), {}, "0"),
                (("-s", "12"), {"EXIT_STATUS": "0"}, "12"),
                ((), {"SERVICE_RESULT": "success", "EXIT_STATUS": "0"}, "0"),
                ((), {"SERVICE_RESULT": "exit-code", "EXIT_STATUS": "3"}, "3"),
                ((), {"SERVICE_RESULT": "timeout", "EXIT_STATUS": "TERM"}, "128"),
                ((), {"SERVICE_RESULT": "resources"}, "1"),
            ):
                done = self.machine.run(*JOB, "-t", "1700000000", *arguments, **environment)
                self.assertEqual(done.returncode, 0)
                values = self.taken()
                self.assertEqual((values["exit"], values["time"]), (expected, "1700000000"))

    def test_usage(self) -> None:
        """A mistake is named before any command runs."""
        for self.machine.shell in SHELLS:
            for arguments, message in (
                (("-k", "check", "--", "touch", "ran"), "-u is missing"),
                (("-u", "/p", "--", "touch", "ran"), "unknown kind ''"),
                (("-u", "/p", "-k", "chek", "--", "touch", "ran"), "unknown kind 'chek'"),
                (("-x", "--", "touch", "ran"), "unknown option"),
                (JOB, "nothing to report: -s, or a command, is missing"),
            ):
                done = self.machine.run(*arguments)
                self.assertEqual(done.returncode, 64)
                self.assertIn(f"report-result: {message}", done.stderr)
                self.assertIn("report-result -u LABEL -k KIND -- COMMAND", done.stderr)
        self.assertFalse((self.machine.home / "ran").exists())
        self.assertEqual(self.values(), [])

    def test_labels(self) -> None:
        """A label is kept as it is, but for its password; only its owner can read it."""
        for self.machine.shell in SHELLS:
            for label, expected in (
                ("rest:https://h:8000/a b/", "rest:https://h:8000/a b/"),
                ("rest:https://me:hunter2@h:8000/a@b:c", "rest:https://me:***@h:8000/a@b:c"),
                ("https://me:hun@ter2@h/", "https://me:***@h/"),
                ("rest:https://me:***@h/", "rest:https://me:***@h/"),
                ("sftp:me@h:/p", "sftp:me@h:/p"),
                ("b2:bucket:a/b", "b2:bucket:a/b"),
                (r'C:\n"x" $HOME `id`', r"C:\\n\"x\" $HOME `id`"),
            ):
                self.machine.run("-u", label, "-k", "copy", "-s", "0")
                (path,) = self.machine.spool.glob("*.result")
                self.assertEqual(path.stat().st_mode & 0o777, 0o600)
                self.assertEqual(self.taken()["url"], expected)

    def test_no_folder(self) -> None:
        """Where nothing can be kept, the command runs all the same, and its status counts."""
        for self.machine.shell in SHELLS:
            nowhere = {"REPORT_RESULT_SPOOL": "/dev/null/x"}
            done = self.machine.run(*JOB, "--", "sh", "-c", "echo out; exit 3", **nowhere)
            self.assertEqual((done.returncode, done.stdout), (3, "out\n"))
            self.assertIn("cannot keep the result in /dev/null/x: check of /p", done.stderr)
            self.assertEqual(self.machine.run(*JOB, "-s", "0", **nowhere).returncode, 1)

    def test_no_curl(self) -> None:
        """Without curl the result is kept."""
        for name in ("sh", "sed", "date", "mkdir", "mv", "cat", "id", "true"):
            found = self.machine.run_program("sh", "-c", f"command -v {name}").stdout.strip()
            target = Path(found) if found.startswith("/") else Path("/bin", name)
            (self.machine.home / "bin" / name).symlink_to(target)
        (self.machine.home / "bin" / "curl").unlink()
        path = str(self.machine.home / "bin")
        done = self.machine.run_program("/bin/sh", str(SCRIPT), *JOB, "--", "true", PATH=path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("curl", done.stderr)
        self.assertEqual(len(self.values()), 1)

    def test_default_folder(self) -> None:
        """A user's results are kept in the home."""
        if os.geteuid() == 0:
            shadow = self.machine.home / "bin" / "id"
            shadow.write_text("#!/bin/sh\necho 1000\n")
            shadow.chmod(0o755)
        self.machine.run(*JOB, "-s", "0", REPORT_RESULT_SPOOL="")
        kept = self.machine.home / ".local" / "state" / "report-result"
        self.assertEqual(len(list(kept.glob("*.result"))), 1)

    def test_week(self) -> None:
        """After a week a result is dropped, with a message that has all of it."""
        self.machine.run(*JOB, "-s", "5", "-t", "1700000000")
        (path,) = self.machine.spool.glob("*.result")
        week = 7 * 86400
        for age, is_left in ((week - 3600, 1), (week + 3600, 0)):
            path = path.rename(path.with_name(f"{int(time.time()) - age}.1.result"))
            done = self.machine.run("-f")
            self.assertEqual((done.returncode, len(self.values())), (is_left, is_left))
        message = 'dropped after a week: "url=/p" "kind=check" "exit=5" "time=1700000000"'
        self.assertIn(message, done.stderr)

    def shadow(self, name: str, script: str) -> None:
        """Let a script be called instead of this program."""
        program = self.machine.home / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def test_nobody_answers(self) -> None:
        """While nobody answers, one attempt is enough for all results: a job is not held up."""
        self.shadow("curl", "echo asked >>asked; exit 28")
        for self.machine.shell in SHELLS:
            for _ in range(3):
                self.machine.run(*JOB, "-s", "0")
                asked = self.machine.home / "asked"
                self.assertEqual(asked.read_text(), "asked\n")
                asked.unlink()

    def test_pauses(self) -> None:
        """The pauses grow up to an hour; then they stay so."""
        self.shadow("sleep", "echo $1 >>pauses; [ $(wc -l <pauses) -lt 12 ]")
        for self.machine.shell in SHELLS:
            self.machine.run(*JOB, "-s", "0", REPORT_RESULT_PAUSE="10")
            wait_until(lambda: not (self.machine.spool / "sender").exists())
            pauses = self.machine.home / "pauses"
            self.assertEqual(
                [int(line) for line in pauses.read_text().split()],
                [*(10 * 2**number for number in range(9)), 3600, 3600, 3600],
            )
            pauses.unlink()

    def test_ended_by_signal(self) -> None:
        """A job that is ended with its report-result is reported too."""
        for self.machine.shell in SHELLS:
            job = subprocess.Popen(
                [self.machine.shell, SCRIPT, *JOB, "--", "sh", "-c", "echo begun; exec sleep 600"],
                env=self.machine.environment,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            with job:
                assert job.stdout is not None
                self.assertEqual(job.stdout.readline(), b"begun\n")
                os.killpg(job.pid, signal.SIGTERM)
                self.assertEqual(job.wait(PATIENCE), 143)
            self.assertEqual(self.taken()["exit"], "143")

    def test_one_in_the_background(self) -> None:
        """Only one process tries again; one that is gone is replaced. None keeps a job's lock."""
        # It closes the lock's file just after it began, long before its pause ends.
        for self.machine.shell in SHELLS:
            self.machine.run(*JOB, "-s", "0")
            sender = self.machine.spool / "sender"
            senders = []
            for _ in range(2):
                script = f'exec 9>lock; flock -w 20 9 || exit 99; {self.machine.shell} "$@"'
                command = ("sh", "-c", script, "sh", str(SCRIPT), *JOB, "--", "true")
                done = self.machine.run_program(*command, REPORT_RESULT_PAUSE="30")
                self.assertEqual(done.returncode, 0, done.stderr)
                senders.append(sender.read_text())
            self.assertEqual(*senders)
            self.machine.end_sender()
            wait_until(partial(self.is_gone, senders[0].strip()))
            self.machine.run(*JOB, "-s", "0", REPORT_RESULT_PAUSE="30")
            self.assertNotEqual(sender.read_text(), senders[0])
            self.machine.end_sender()

    def is_gone(self, process: str) -> bool:
        """Whether there is no such process."""
        return not Path("/proc", process).exists()


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """The values of a unit of systemd by section and key."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in (FOLDER / name).read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


class ExampleTests(SynchronousTestCase):
    """The examples beside it."""

    def test_units(self) -> None:
        """The service reports as systemd runs it, and the timers start services that exist."""
        machine = Reporter(Path(self.mktemp()).absolute())
        service = unit("restic-check.service")
        for name in ("restic-check", "report-result"):
            self.assertIn("Timer", unit(f"{name}.timer"))
            self.assertEqual(unit(f"{name}.service")["Service"]["Type"], ["oneshot"])
        settings = dict(one.split("=", 1) for one in service["Service"]["Environment"])
        self.assertEqual(settings["REPORT_RESULT_PAUSE"], "0")
        (command,) = service["Service"]["ExecStopPost"]
        command = Template(command).substitute(settings)
        program, *arguments = command.split()
        self.assertEqual(program, "/usr/local/bin/report-result")
        done = machine.run(*arguments, SERVICE_RESULT="signal", EXIT_STATUS="KILL")
        self.assertEqual(done.returncode, 0, done.stderr)
        (kept,) = machine.kept()
        self.assertIn(f'"url={settings["RESTIC_REPOSITORY"]}"', kept)

    def test_crontab(self) -> None:
        """Each line of the crontab runs the script with options that it knows."""
        machine = Reporter(Path(self.mktemp()).absolute())
        lines = (FOLDER / "crontab").read_text().splitlines()
        jobs = [one for one in lines if re.match(r"[0-9@]", one)]
        for job in jobs:
            command = job.split("  ")[-1].split("root  ")[-1].replace(r"\%", "%")
            command = command.replace("report-result", f"sh {SCRIPT}", 1)
            command = re.sub(" -- .*", " -- true", command)
            done = machine.run_program("sh", "-c", command, RESTIC_REPOSITORY="/p")
            self.assertIn(done.returncode, (0, 1), done.stderr)
        kinds = [re.findall('"kind=(.*)"', one)[0] for one in machine.kept()]
        self.assertEqual(sorted(kinds), ["backup", "check", "prune", "restore"])

    def test_executable(self) -> None:
        """The scripts can be run."""
        for name in ("report-result", "restore-drill"):
            self.assertTrue(os.access(FOLDER / name, os.X_OK), name)
