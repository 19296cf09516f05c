"""``examples/report-result`` and the whole daemon, with jobs of a real restic."""

import time
from pathlib import Path

import bcrypt
import yaml

from tests.doubles.certificates import Authority
from tests.doubles.daemons import Daemon
from tests.doubles.programs import wait_until
from tests.doubles.report_result import SCRIPT, SHELLS, Reporter
from tests.doubles.results_case import ResultsCase
from tests.doubles.servers import EXAMPLE_PASSWORD

CHECK = ("-u", "repo", "-k", "check")


class ReportCase(ResultsCase):
    """A machine with jobs, and a daemon that can be away."""

    def setUp(self) -> None:
        super().setUp()
        self.machine = Reporter(self.folder.path / "machine")
        self.addCleanup(self.machine.end_sender)

    def start(self, *options: str, **arguments: object) -> Daemon:
        """Start the daemon, at the same address as before."""
        if hasattr(self, "daemon"):
            options = (*options, f"--bind={self.daemon.address}")
        daemon = super().start(*options, **arguments)  # type: ignore[arg-type]
        self.machine.environment["REPORT_RESULT_TO"] = f"http://{daemon.address}"
        return daemon

    def stop(self) -> None:
        """Stop the daemon, once it has nothing else to do."""
        self.daemon.collect()
        self.daemon.stop()


class AwayTests(ReportCase):
    """The daemon is away while jobs end."""

    def test_kept(self) -> None:
        """What ended meanwhile is sent with the next result, with the times of the ends."""
        self.start()
        for self.machine.shell in SHELLS:
            self.stop()
            before = int(time.time())
            self.machine.run(*CHECK, "-t", "1700000000", "--", "true")
            self.machine.run("-u", "repo", "-k", "copy", "--", "false")
            after = time.time()
            self.assertEqual(len(self.machine.kept()), 2)
            self.start()
            done = self.machine.run("-u", "repo", "-k", "prune", "--", "true")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            found = self.results()
            self.assertEqual(found["check"], (1, 1700000000))
            success, when = found["copy"]
            self.assertEqual((success, found["prune"][0]), (0, 1))
            self.assertTrue(before <= when <= after)
            self.assertEqual(self.machine.kept(), [])

    def test_background(self) -> None:
        """A process in the background sends it when the daemon is back, and ends then."""
        self.start()
        for self.machine.shell in SHELLS:
            self.stop()
            self.machine.run(*CHECK, "--", "false", REPORT_RESULT_PAUSE="1")
            sender = self.machine.spool / "sender"
            self.assertTrue(sender.exists())
            self.start().program.wait_for(r"result of check for repo \(exit status 1\)")
            wait_until(lambda: not sender.exists())  # noqa: B023
            self.assertEqual(self.machine.kept(), [])

    def test_after_restart(self) -> None:
        """After a restart of the machine it is sent on order."""
        self.start()
        for self.machine.shell in SHELLS:
            self.stop()
            now = str(int(time.time()))
            self.machine.run(*CHECK, "-t", now, "--", "true", REPORT_RESULT_PAUSE="30")
            self.machine.end_sender()
            self.assertEqual(self.machine.run("-f").returncode, 1)
            self.start()
            self.assertEqual(self.machine.run("-f").returncode, 0)
            self.assertEqual(self.results()["check"], (1, int(now)))

    def test_refused(self) -> None:
        """A wrong one is dropped; one of a label that may come is kept, and delays no other."""
        self.start()
        for self.machine.shell in SHELLS:
            done = self.machine.run("-u", "other", "-k", "copy", "-s", "0")
            self.assertIn("not sent: 404 Not Found: no repository has this url", done.stderr)
            done = self.machine.run(*CHECK, "-s", "0", "-t", "17000000000")
            self.assertIn("dropped: 400 Bad Request: time 17000000000 is more than", done.stderr)
            now = int(time.time())
            self.machine.run(*CHECK, "-s", "0", "-t", str(now))
            self.assertEqual(self.results()["check"], (1, now))
            (kept,) = self.machine.kept()
            self.assertIn("url=other", kept)
            self.daemon.configure(self.entries)
            self.daemon.reload()
            self.assertEqual(self.machine.run("-f").returncode, 0)
            self.daemon.configure(self.entries[:1])
            self.daemon.reload()

    def test_secrets(self) -> None:
        """TLS and a password come from curl's config file, and show in no argument."""
        authority = Authority.make()
        self.folder.write("server.pem", authority.issue().decode(), 0o600)
        trusted = self.folder.write("ca.pem", authority.pem.decode())
        users = {"prom": bcrypt.hashpw(b"hunter2", bcrypt.gensalt(4)).decode()}
        tls = {"cert_file": "server.pem", "key_file": "server.pem"}
        web = {"tls_server_config": tls, "basic_auth_users": users}
        self.folder.write("web.yml", yaml.dump(web), 0o600)
        config = self.folder.write("curl.conf", f'user = "prom:hunter2"\ncacert = "{trusted}"\n')
        lines = 'for one in "$@"; do echo "$one"; done >>"$HOME/arguments"\n'
        shadow = self.machine.home / "bin" / "curl"
        shadow.write_text(f'#!/bin/sh\n{lines}PATH=${{PATH#*:}} exec curl "$@"\n')
        shadow.chmod(0o755)
        address = self.start("--web-config=web.yml").address
        for self.machine.shell in SHELLS:
            for environment in (
                {"REPORT_RESULT_TO": f"https://{address}/", "REPORT_RESULT_CURL": str(config)},
                {
                    "REPORT_RESULT_TO": f"https://prom:hunter2@{address}",
                    "CURL_CA_BUNDLE": str(trusted),
                },
            ):
                self.machine.run(*CHECK, "-s", "0", **environment)
                self.daemon.program.wait_for("result of check for repo")
                self.assertEqual(self.machine.kept(), [])
        done = self.machine.run(
            *CHECK, "-s", "0", REPORT_RESULT_TO=f"https://{address}", CURL_CA_BUNDLE=str(trusted)
        )
        self.assertIn("not sent: 401", done.stderr)
        arguments = (self.machine.home / "arguments").read_text()
        self.assertNotIn("hunter2", arguments + "".join(self.machine.kept()))
        self.assertIn("--write-out", arguments)


class ResticTests(ReportCase):
    """Jobs of a real restic."""

    def job(self, kind: str, *command: str) -> int:
        """Run a job that reports its outcome; the exit status, which is what the daemon has."""
        self.machine.environment.update(
            RESTIC_REPOSITORY=str(self.folder.path / "repo"), RESTIC_PASSWORD=EXAMPLE_PASSWORD
        )
        done = self.machine.run("-u", "repo", "-k", kind, "--", *command)
        pattern = rf"result of {kind} for repo \(exit status {done.returncode}\) reported"
        self.daemon.program.wait_for(pattern)
        success, when = self.results()[kind]
        self.assertEqual(success == 1, done.returncode == 0, done.stderr)
        self.assertLess(abs(when - time.time()), 60)
        return done.returncode

    def test_incomplete_backup(self) -> None:
        """A backup that lacks an unreadable file ends with 3; the snapshot does not tell."""
        self.start()
        source = self.folder.write("source", "text")
        # Not even root can read the first page of memory.
        self.assertEqual(self.job("backup", "restic", "backup", str(source), "/proc/self/mem"), 3)
        self.daemon.collect()
        metrics = self.daemon.metrics()
        self.assertEqual(metrics.value("backup_snapshot_count", url="repo"), 63)
        self.assertEqual(metrics.value("backup_read_success", url="repo"), 1)
        self.assertEqual(self.results()["backup"][0], 0)
        self.assertEqual(self.job("backup", "restic", "backup", str(source)), 0)

    def test_jobs(self) -> None:
        """A check, a copy, a prune and a restore drill, good ones and failed ones."""
        self.start()
        self.assertEqual(self.job("check", "restic", "check", "--read-data"), 0)
        self.assertEqual(self.job("prune", "restic", "forget", "--keep-last=1", "--prune"), 0)
        source = self.folder.write("source", "text")
        self.assertEqual(self.job("backup", "restic", "backup", "--host=me", str(source)), 0)
        drill = str(SCRIPT.parent / "restore-drill")
        self.assertEqual(self.job("restore", drill, str(source), str(source)), 0)
        self.assertEqual(self.job("restore", drill, str(source), "/missing"), 1)
        copy = ("restic", "-r", str(self.folder.path / "copy"))
        again = ("--from-repo", str(self.folder.path / "repo"))
        self.machine.environment["RESTIC_FROM_PASSWORD"] = EXAMPLE_PASSWORD
        self.assertNotEqual(self.job("copy", *copy, "copy", *again), 0)
        self.job("check", *copy, "init")
        self.assertEqual(self.job("copy", *copy, "copy", *again), 0)
        for pack in Path(self.folder.path, "repo", "data").glob("*/*"):
            pack.unlink()
        self.assertEqual(self.job("check", "restic", "check"), 1)
