"""The units of packaging/ under a real systemd, which is process 1 of the test's own namespaces."""

import json
import os
import re
import shlex
from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.certificates import Authority
from tests.doubles.private_systemd import InNetwork, PrivateSystemd, why_not
from tests.doubles.programs import Folder, wait_until
from tests.doubles.servers import EXAMPLE, EXAMPLE_PASSWORD, RestServer, copy_example
from tests.doubles.sshd import Sshd
from tests.real.test_docs import DOCS, code_blocks, section

SERVICE = "restic-reporter.service"

# Its password is a credential, which only root can read.
ENTRY = {"repo": "/srv/repository", "password_file": "%d/example"}

# The reactor of the daemon can be blocked by a signal.
BLOCKER = """
import signal, threading
signal.signal(signal.SIGUSR2, lambda *_: threading.Event().wait())
"""


class SystemdTests(SynchronousTestCase):
    """The service, installed as docs/systemd.md says."""

    def setUp(self) -> None:
        """A systemd with the service, its config and a repository."""
        reason = why_not()
        if reason:
            raise SkipTest(f"no private systemd: {reason}")
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.systemd = PrivateSystemd(self.folder)
        self.systemd.install(SERVICE)
        self.systemd.copy(EXAMPLE, "/srv/repository")
        self.systemd.write("/etc/credstore/example", f"{EXAMPLE_PASSWORD}\n", 0o600)
        self.systemd.drop_in(SERVICE, "LoadCredential=example:/etc/credstore/example")
        self.configure([ENTRY])

    def configure(self, config: Any, mode: int = 0o644) -> None:
        """Write the config."""
        self.systemd.write("/etc/restic-reporter/config.json", json.dumps(config), mode)

    def start(self) -> None:
        """Start the service; it is started when this returns."""
        self.systemd.call("systemctl", "start", SERVICE)

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.systemd.show(SERVICE, name)

    def metrics(self) -> str:
        """What a scrape gives; the port is in a network of its own."""
        return self.systemd.call("curl", "--silent", "--fail", "http://127.0.0.1:9121/metrics")

    def test_life(self) -> None:
        """Started after the collection, as a user of its own that can write only to its folders."""
        self.start()
        self.assertIn('backup_snapshot_count{url="/srv/repository"} 62\n', self.metrics())
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertRegex(self.show("StatusText"), r"^next collection at \d{4}-\d\d-\d\d \d\d:17$")
        pid = self.show("MainPID")
        self.assertNotIn("restic-reporter", (self.systemd.root / "etc/passwd").read_text())
        owner = self.systemd.call("stat", "--format=%u", f"/proc/{pid}").strip()
        self.assertGreater(int(owner), 60000)
        for path in ("/var/lib/restic-reporter/state.db", "/var/cache/restic-reporter"):
            stat = self.systemd.call("stat", "--dereference", "--format=%u %A", path)
            self.assertRegex(stat, rf"^{owner} .rw.------$")
        self.systemd.call("systemctl", "stop", SERVICE)
        self.assertEqual(self.show("Result"), "success")
        self.assertEqual(self.show("ExecMainStatus"), "0", self.systemd.log())

    def test_reload(self) -> None:
        """A reload has ended when systemctl returns; a bad config makes it fail, and stays out."""
        self.start()
        pid = self.show("MainPID")
        self.configure([ENTRY, {**ENTRY, "repo": "/srv/other"}])
        self.systemd.call("systemctl", "reload", SERVICE)
        self.assertIn("config reloaded: 2 repositories", self.systemd.log())
        self.configure([{**ENTRY, "pasword": "x"}])
        self.systemd.call("systemctl", "reload", SERVICE, status=1)
        self.assertIn("unknown key 'pasword'; did you mean", self.systemd.log())
        self.assertIn("backup_config_last_reload_successful 0\n", self.metrics())
        self.assertIn("config not reloaded", self.show("StatusText"))
        self.assertEqual([self.show("ActiveState"), self.show("MainPID")], ["active", pid])

    def test_restart(self) -> None:
        """After a restart the last good values are served at once, also of what cannot be read."""
        self.start()
        os.rename(self.systemd.root / "srv/repository", self.systemd.root / "srv/gone")
        self.systemd.call("systemctl", "restart", SERVICE)
        self.assertIn('backup_snapshot_count{url="/srv/repository"} 62\n', self.metrics())

    def test_state(self) -> None:
        """What docs/systemd.md shows for `restic-reporter state` reaches the service's folder."""
        self.start()
        text = (DOCS / "systemd.md").read_text()
        (block,) = code_blocks(section(text, "What is remembered"))
        words = shlex.split(block.replace("\\\n", " "))
        options = [after for word, after in pairwise(words) if word == "-p"]
        program = shlex.join(words[words.index(options[-1]) + 1 :])
        self.systemd.write("/etc/systemd/system/state.service", "[Service]\nType=oneshot\n")
        self.systemd.drop_in("state.service", "\n".join([*options, f"ExecStart={program}"]))
        # Where Python is in a home, as `PrivateSystemd.install` shows it to the service.
        if self.systemd.show(SERVICE, "ProtectHome") != "yes":
            shown = (self.systemd.root / f"etc/systemd/system/{SERVICE}.d/0.conf").read_text()
            self.systemd.drop_in("state.service", shown.partition("\n")[2])
        self.systemd.call("systemctl", "start", "state.service")
        log = self.systemd.call("journalctl", "--unit=state.service", "--output=cat")
        self.assertIn("/srv/repository", log)

    def test_switch(self) -> None:
        """restic-exporter's user and its file of variables, as docs/migrating.md says."""
        self.systemd.call("useradd", "--system", "restic-exporter")
        variables = f"RESTIC_REPOSITORY=/srv/repository\nRESTIC_PASSWORD={EXAMPLE_PASSWORD}\n"
        self.systemd.write("/etc/default/restic-exporter", variables, 0o600)
        page = (DOCS / "migrating.md").read_text()
        (lines,) = (one for one in code_blocks(page) if one.startswith("[Service]"))
        self.systemd.drop_in(SERVICE, lines)
        self.start()
        address = "http://127.0.0.1:8001/metrics"
        metrics = self.systemd.call("curl", "--silent", "--fail", address)
        self.assertIn("\nrestic_snapshots_total 62\n", metrics)
        owner = self.systemd.call("stat", "--format=%U", f"/proc/{self.show('MainPID')}")
        self.assertEqual(owner, "restic-exporter\n")
        self.systemd.call("systemctl", "reload", SERVICE)
        self.assertIn("config reloaded: 1 repository", self.systemd.log())

    def test_slow_start(self) -> None:
        """A first collection may take longer than a start, also without a watchdog."""
        self.systemd.drop_in(SERVICE, "TimeoutStartSec=8\nWatchdogSec=0")
        os.mkfifo(self.systemd.root / "srv/gate", 0o644)
        self.configure([{"repo": "/srv/repository", "password_command": "cat /srv/gate"}])
        self.systemd.call("systemctl", "start", "--no-block", SERVICE)
        journal = self.systemd.run("journalctl", "--follow", "--no-tail")
        journal.wait_for("still collecting: 1 of 1 repository left")
        wait_until(lambda: self.show("StatusText") == "collecting 0 of 1")
        self.assertEqual(self.show("ActiveState"), "activating")
        (self.systemd.root / "srv/gate").write_text(EXAMPLE_PASSWORD)
        wait_until(lambda: self.show("ActiveState") == "active")
        self.assertEqual(self.show("NRestarts"), "0")

    def test_watchdog(self) -> None:
        """A blocked reactor is ended and started again; the log shows where it was blocked."""
        self.systemd.write("/srv/blocker/sitecustomize.py", BLOCKER)
        self.systemd.drop_in(
            SERVICE, "WatchdogSec=2\nRestartSec=0\nEnvironment=PYTHONPATH=/srv/blocker"
        )
        self.start()
        self.systemd.call("systemctl", "kill", "--signal=USR2", "--kill-whom=main", SERVICE)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active")
        self.assertIn("Watchdog timeout", self.systemd.log())
        self.assertRegex(self.systemd.log(), r'File "/srv/blocker/sitecustomize.py", line 3 in ')

    def test_socket(self) -> None:
        """systemd's socket starts the daemon; clients wait for it, also while it restarts."""
        self.systemd.install("restic-reporter.socket")
        self.systemd.call("systemctl", "start", "restic-reporter.socket")
        self.systemd.call("systemctl", "start", SERVICE, status=1)
        self.assertIn("did you mean the socket of systemd", self.systemd.log())
        self.systemd.call("systemctl", "stop", SERVICE, "restic-reporter.socket")
        self.systemd.write(
            "/etc/default/restic-reporter",
            'RESTIC_REPORTER_OPTIONS="--bind systemd:domain=INET6:index=0"\n',
            0o600,
        )
        self.systemd.call("systemctl", "start", "restic-reporter.socket")
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertIn('backup_snapshot_count{url="/srv/repository"} 62\n', self.metrics())
        self.systemd.call("systemctl", "restart", "--no-block", SERVICE)
        self.assertIn('backup_snapshot_count{url="/srv/repository"} 62\n', self.metrics())
        self.assertIn("listening on [::]:9121", self.systemd.log())

    def test_user(self) -> None:
        """It runs as the user that docs/install.md makes, who alone can read the config."""
        config = [{"repo": "/srv/repository", "password": EXAMPLE_PASSWORD}]
        self.systemd.write("/srv/config.json", json.dumps(config))
        commands = code_blocks((DOCS / "install.md").read_text())[1]
        self.systemd.call("sh", "-ec", f"cd /srv\n{commands}")
        self.start()
        self.assertNotIn("[warn]", self.systemd.log())
        self.assertIn('backup_snapshot_count{url="/srv/repository"} 62\n', self.metrics())
        owner = self.systemd.call("stat", "--format=%U", f"/proc/{self.show('MainPID')}").strip()
        self.assertEqual(owner, "restic-reporter")
        passwd = (self.systemd.root / "etc/passwd").read_text()
        self.assertTrue(re.search("^restic-reporter:", passwd, re.MULTILINE))

    def test_all_kinds(self) -> None:
        """Under all restrictions: restic, TLS on both sides, a password's program, and ssh."""
        network = InNetwork(self.systemd)
        self.addCleanup(network.close)
        self.systemd.install_tools("restic-0.18=restic", "ssh")
        authority = Authority.make()
        pem = network.write("server.pem", authority.issue().decode())
        served = network.path / "served"
        copy_example(served / "rest")
        rest = RestServer(
            network, served, arguments=["--tls", "--tls-cert", str(pem), "--tls-key", str(pem)]
        )
        sshd = Sshd(network)
        copy_example(sshd.files / "sftp")
        sshd.adopt(sshd.files)
        etc = "/etc/restic-reporter"
        self.systemd.write(f"{etc}/ca.pem", authority.pem.decode())
        self.systemd.write(f"{etc}/known_hosts", sshd.known_hosts.read_text())
        self.systemd.write("/etc/credstore/ssh-key", sshd.key.read_text(), 0o600)
        self.systemd.write("/etc/credstore/web.pem", authority.issue().decode(), 0o600)
        self.systemd.drop_in(
            SERVICE,
            "LoadCredential=ssh-key:/etc/credstore/ssh-key\n"
            "LoadCredential=web.pem:/etc/credstore/web.pem\n"
            "Environment='RESTIC_REPORTER_OPTIONS=--web-config web.yml'",
        )
        credentials = "/run/credentials/restic-reporter.service"
        self.systemd.write(
            f"{etc}/web.yml",
            "tls_server_config:\n"
            f"  cert_file: {credentials}/web.pem\n  key_file: {credentials}/web.pem\n",
        )
        url = rest.url("rest").replace("http:", "https:")
        sftp = {
            "repo": sshd.url("sftp"),
            "password_command": "cat /srv/password",
            "options": {
                "sftp.args": f"-i {credentials}/ssh-key -o IdentitiesOnly=yes"
                f" -o UserKnownHostsFile={etc}/known_hosts"
            },
        }
        self.systemd.write("/srv/password", EXAMPLE_PASSWORD)
        self.configure(
            [
                {**ENTRY, "reader": "restic"},
                {**ENTRY, "repo": url, "cacert": "ca.pem", "reader": "native"},
                {**sftp, "reader": "native"},
                {**sftp, "repo": sshd.url("sftp") + "/", "reader": "restic"},
            ]
        )
        self.start()
        page = self.systemd.call(
            "curl",
            "--silent",
            "--fail",
            "--cacert",
            f"{etc}/ca.pem",
            "https://127.0.0.1:9121/metrics",
        )
        counts = re.findall("^backup_snapshot_count.* 62$", page, re.MULTILINE)
        self.assertEqual(len(counts), 4, self.systemd.log())
        self.assertEqual(self.systemd.call("pgrep", "-c", "ssh|restic$", status=1), "0\n")
        self.assertIn("process_start_time_seconds", page)
