"""The daemon with no config but its environment."""

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon, Labels
from tests.doubles.environment_daemon import RUN, EnvironmentDaemon
from tests.doubles.programs import Folder
from tests.doubles.restic_exporter import (
    LABELS,
    OF_CLIENT,
    OF_REPOSITORY,
    documented,
    restic_metrics,
)
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example, example, restic, snapshots
from tests.doubles.tools import tool

TWISTD = (str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "restic-reporter")
MARKER = "hunter2"
COMPAT = "--compat=restic-exporter"

# Shows its environment in a file, and runs restic.
RESTIC = """\
#!/bin/sh
env > environment
exec {restic} "$@"
"""


class EnvironmentTests(SynchronousTestCase):
    """One repository."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.given = {
            "RESTIC_REPOSITORY": str(example()),
            "RESTIC_PASSWORD": EXAMPLE_PASSWORD,
        }

    def test_serves(self) -> None:
        """With the script and with twistd it collects, says where its config is from, reloads."""
        for command in (RUN, TWISTD):
            daemon = EnvironmentDaemon(self.folder, self.given, command=command)
            daemon.program.wait_for("no config.json, using the environment's RESTIC_REPOSITORY")
            daemon.serving()
            self.assertEqual(daemon.metrics().value("backup_job_error_count"), 0)
            self.assertEqual(restic_metrics(daemon.metrics()), {})
            daemon.reload()
            daemon.collect()
            daemon.stop()

    def test_interval(self) -> None:
        """It collects by itself every so many seconds."""
        daemon = EnvironmentDaemon(self.folder, {**self.given, "REFRESH_INTERVAL": "1"})
        for _ in range(3):
            daemon.program.wait_for("collected 1 repository")
        self.assertEqual(daemon.stop(), -2)

    def test_warnings(self) -> None:
        """Each variable that asks for what is not done is one line of the log."""
        ignored = {"NO_CHECK": "false", "INSECURE_TLS": "1", "INCLUDE_PATHS": "1"}
        daemon = EnvironmentDaemon(self.folder, {**self.given, **ignored}).serving()
        for name in ignored:
            lines = [line for line in daemon.program.lines if name in line]
            self.assertEqual(len(lines), 1, daemon.program.output)
            self.assertIn("[warn]", lines[0])

    def test_children(self) -> None:
        """restic gets no variable that it does not need, and no secret is logged."""
        program = self.folder.write("restic", RESTIC.format(restic=tool("restic-0.18")), 0o755)
        secrets = {
            name: f"{MARKER}-{name}"
            for name in ("B2_ACCOUNT_KEY", "AWS_SECRET_ACCESS_KEY", "RESTIC_REST_PASSWORD", "OTHER")
        }
        daemon = EnvironmentDaemon(
            self.folder,
            {**self.given, **secrets, "LOG_LEVEL": "DEBUG"},
            f"--restic={program}",
            "--reader=restic",
        ).serving()
        self.assertEqual(daemon.metrics().value("backup_job_error_count"), 0)
        text = (self.folder.path / "environment").read_text()
        self.assertNotIn(MARKER, text)
        self.assertNotIn(f"={EXAMPLE_PASSWORD}\n", text)
        self.assertNotIn(MARKER, daemon.program.output)

    def test_wrong(self) -> None:
        """Without a password it ends with 1 and one message."""
        daemon = EnvironmentDaemon(self.folder, {**self.given, "RESTIC_PASSWORD": ""})
        self.assertEqual(daemon.program.end(), 1)
        self.assertEqual(
            daemon.program.lines[-1],
            "environment: no password; set RESTIC_PASSWORD_COMMAND, RESTIC_PASSWORD_FILE or"
            " RESTIC_PASSWORD\n",
        )
        self.assertNotIn("Traceback", daemon.program.output)

    def test_vault_off(self) -> None:
        """With --no-vault the variables of Vault, which are incomplete, do not matter."""
        given = {**self.given, "VAULT_ADDR": "http://127.0.0.1:1"}
        refused = EnvironmentDaemon(self.folder, given)
        self.assertEqual(refused.program.end(), 1)
        daemon = EnvironmentDaemon(self.folder, given, "--no-vault").serving()
        self.assertEqual(daemon.metrics().value("backup_job_error_count"), 0)

    def test_other_commands(self) -> None:
        """A single run and a check of the config take it from the environment too."""
        script = RUN[:-1]
        checked = EnvironmentDaemon(self.folder, self.given, command=(*script, "check-config"))
        self.assertEqual(checked.program.end(), 0, checked.program.output)
        self.assertIn('"password": "***"', checked.program.output)
        collected = EnvironmentDaemon(self.folder, self.given, COMPAT, command=(*script, "collect"))
        self.assertEqual(collected.program.end(), 0, collected.program.output)
        self.assertIn("\nrestic_snapshots_total ", collected.program.output)


class CompatTests(SynchronousTestCase):
    """restic-exporter's metrics of real snapshots."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.repository = copy_example(self.folder.path / "repository")
        folder = self.folder.path / "files"
        folder.mkdir()
        for host, tags in (("café", ()), ("web", ("--tag=z", "--tag=a,b"))):
            (folder / host).write_text(host)
            for paths in ([str(folder)], [str(folder), str(folder / host)]):
                restic(self.repository, "backup", "--host", host, *tags, *paths)

    def check(self, found: dict[tuple[str, Labels], float]) -> None:
        """A page must have what is documented of each client."""
        expected = documented(snapshots(self.repository))
        self.assertEqual(expected.keys(), {one for one in found if one[0] in OF_CLIENT})
        for one, value in expected.items():
            self.assertAlmostEqual(found[one], value, places=5, msg=str(one))

    def test_changes(self) -> None:
        """A single new snapshot, a new client and a removed snapshot show in the next read."""
        given = {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": EXAMPLE_PASSWORD,
            "INCLUDE_PATHS": "true",
        }
        daemon = EnvironmentDaemon(self.folder, given, COMPAT, "--reader=native").serving()
        path = str(self.folder.write("new", "new"))
        newest = snapshots(self.repository)[-1]["id"]
        for command in (
            ("backup", "--host=web", "--tag=later", str(self.folder.path / "files")),
            ("backup", "--host=new", path),
            ("forget", newest),
        ):
            restic(self.repository, *command)
            daemon.collect()
            self.check(restic_metrics(daemon.metrics()))

    def test_readers(self) -> None:
        """Both readers give the same, and all that is documented; so does a restart."""
        given = {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": EXAMPLE_PASSWORD,
            "INCLUDE_PATHS": "true",
        }
        pages = []
        state = f"--state-dir={self.folder.path / 'state'}"
        restic_path = f"--restic={tool('restic-0.18')}"
        for options in (["--reader=native"], ["--reader=restic", restic_path, state], [state]):
            daemon = EnvironmentDaemon(self.folder, given, COMPAT, *options).serving()
            found = restic_metrics(daemon.metrics())
            daemon.stop()
            # A page that is restored has none yet.
            found.setdefault(("restic_scrape_duration_seconds", ()), 0.0)
            self.assertEqual({name for name, _ in found}, {*OF_REPOSITORY, *OF_CLIENT})
            for name, labels in found:
                self.assertEqual({key for key, _ in labels}, LABELS if name in OF_CLIENT else set())
            del found["restic_scrape_duration_seconds", ()]
            pages.append(found)
        self.check(pages[0])
        self.assertEqual(pages[0], pages[1])
        self.assertEqual(pages[0], pages[2])
        tags = {
            dict(labels)["snapshot_tags"]
            for (name, labels) in pages[0]
            if name == "restic_backup_timestamp" and dict(labels)["client_hostname"] == "web"
        }
        self.assertEqual(tags, {"z,a,b"})

    def test_switched_on(self) -> None:
        """With a state from before the option, one collection brings the metrics."""
        given = {"RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": EXAMPLE_PASSWORD}
        state = f"--state-dir={self.folder.path / 'state'}"
        for options in ([], [COMPAT], []):
            daemon = EnvironmentDaemon(self.folder, given, state, *options)
            address = None
            # A restored daemon listens before it collects, another one afterwards.
            for _ in range(2):
                found = daemon.program.wait_for(r"listening on (\S+)|collected 1 repository")
                address = address or found[1]
            daemon.address = str(address)
            names = {name for name, _ in restic_metrics(daemon.metrics())}
            self.assertEqual(names, {*OF_REPOSITORY, *OF_CLIENT} if options else set())
            daemon.stop()

    def test_config_file(self) -> None:
        """With a config file the repositories are told apart by their label."""
        config = [
            {"repo": str(one), "password": EXAMPLE_PASSWORD} for one in (self.repository, example())
        ]
        daemon = Daemon(self.folder, config, COMPAT).serving()
        counts = daemon.metrics().series("restic_snapshots_total")
        self.assertEqual(set(counts), {(("url", entry["repo"]),) for entry in config})
        (first, *_) = daemon.metrics().series("restic_backup_timestamp")
        self.assertEqual({key for key, _ in first}, {"url", *LABELS})
