"""The whole daemon with a marker in every secret there is, and every kind of failure: no marker
comes out anywhere."""

import contextlib
import html
import os
import re
import shutil
import urllib.error
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from tests.doubles import leaky_plugin
from tests.doubles.daemons import Daemon
from tests.doubles.programs import ROOT
from tests.doubles.secrets_case import MARKER, SecretsCase, secret
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, example


def children_of(parent: int) -> Iterator[int]:
    """All processes that ``parent`` has started, and those that these have."""
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                status = Path("/proc", entry, "stat").read_text()
                if int(status.rpartition(")")[2].split()[1]) == parent:
                    yield int(entry)
                    yield from children_of(int(entry))


def is_quick(entry: dict[str, Any]) -> bool:
    """Whether it takes no time to fail, and the config is accepted with it at a reload."""
    slow = re.search("wait|flood", entry["repo"])
    return not slow and entry.get("vault_material") in (None, "repository")


class SecretsTests(SecretsCase):
    """Fault table, row 42."""

    def failing(self) -> dict[str, list[dict[str, Any]]]:
        """Entries that fail, by the reason."""
        file = {"password_file": "password"}
        password = {"password": secret("password")}
        quoted = secret("url").replace("%", "%25").replace("/", "%2F").replace('"', "%22")
        url = f"rest:http://me:{quoted}@{self.tattler}"
        rest = {"rest_username": "me", "rest_password": secret("rest")}
        client = {"tls_client_cert": "client.pem"}
        b2 = {"b2_account_id": "id", "b2_key": secret("b2")}
        api = {"b2_api_url": f"http://{self.tattler}"}
        bucket = f"s3:http://{self.tattler}"
        s3 = {
            "s3_access_key_id": "id",
            "s3_secret_access_key": secret("s3"),
            "s3_session_token": f"{MARKER}-token",
        }
        ours = self.server.url("me")
        command = (
            f"sh -c 'echo {MARKER}-output >&2; echo {MARKER}-output; exit 3' {MARKER}-argument"
        )
        return {
            "network": [{"repo": f"rest:http://me:{quoted}@127.0.0.1:1/a", **password}],
            "auth": [
                {"repo": ours, "rest_username": "me", "rest_password": secret("other"), **file},
                {"repo": f"{url}/forbidden/a", **password},
                {"repo": str(example()), **password},
                {"repo": f"local:{example()}", "password_command": f"echo {MARKER}-output"},
                {"repo": "b2:bucket-a", **b2, **api, **password},
                {"repo": f"{bucket}/forbidden/a", **s3, **password},
                {"repo": "b2:bucket-b", "b2_vault_material": "b2", **api, **file},
                {"repo": f"{ours}/", "rest_vault_material": "wrong-server", **password},
                {"repo": f"{example()}/", "vault_material": "repository"},
                {"repo": f"{example()}///", "reader": "native", **password},
            ],
            "parse": [{"repo": f"{url}/garbage/a", **password}],
            "redirect": [
                {"repo": f"{url}/redirect/a", **password},
                {"repo": f"{bucket}/redirect/a", **s3, **password},
            ],
            "not_found": [{"repo": f"{url}/none/a", **password}],
            "tls": [{"repo": f"rest:https://{self.tattler}/a", **rest, **client, **file}],
            "restic": [
                {"repo": self.server.url("echo-b"), **rest, **client, **password},
                {"repo": "s3:h/echo-c", "env": {"SOME_KEY": secret("env")}, **file},
                {"repo": f"swift://me:{quoted}@h/echo-d", **password},
                {"repo": "s3:h/wait-a", "env": {"SOME_KEY": secret("env")}, **password},
                {"repo": self.server.url("wait-b"), **rest, **password},
            ],
            "too_large": [{"repo": "s3:h/flood-a", "env": {"A": secret("env")}, **password}],
            "secret": [
                {"repo": f"{example()}/.", "password_command": command},
                {"repo": f"{example()}/./", "password_command": f"/no/program {MARKER}-argument"},
                {"repo": f"{example()}//", "vault_material": "no-field"},
                {"repo": f"{example()}/././", "vault_material": "no-text"},
                {"repo": f"{example()}/./.", "vault_material": "none"},
            ],
            "internal": [
                {"repo": "leaky:a", "env": {"A": secret("env")}, **client, **password},
                {"repo": "leaky:b", "vault_material": "repository"},
            ],
        }

    def test_no_secret_comes_out(self) -> None:
        """Nothing is in pages, the log, or the arguments and environments of children."""
        self.server = RestServer(self.folder, self.folder.path / "data", {"me": secret("rest")})
        for name in ("good", "me", "wait-b", "echo-b"):
            for part in ("keys", "snapshots"):
                shutil.copytree(example() / part, self.server.path / name / part)
            shutil.copy(example() / "config", self.server.path / name)
        failing = self.failing()
        good = {"repo": self.server.url("good"), "rest_vault_material": "server"}
        config = [{**good, "password": EXAMPLE_PASSWORD}, *chain(*failing.values())]
        for name in ("wait-a", "wait-b"):
            for suffix in ("fifo", "pid"):
                os.mkfifo(self.folder.path / f"{name}.{suffix}")
        daemon = Daemon(
            self.folder,
            config,
            "--log-level=debug",
            f"--concurrency={len(config)}",
            environment={
                "PYTHONPATH": f"{leaky_plugin.install(self.folder.path)}:{ROOT}",
                "B2_ACCOUNT_KEY": secret("environment"),
                **self.vault.environment(),
            },
            restic=self.restic,
        )
        self.look_at_children(daemon.program.process.pid)
        daemon.serving()
        metrics = daemon.metrics()
        reasons = {
            dict(labels)["url"]: dict(labels)["reason"]
            for labels in metrics.series("backup_read_failures_total")
        }
        expected = {
            re.sub("(://me):.*@", r"\1:***@", entry["repo"]): reason
            for reason, entries in failing.items()
            for entry in entries
        }
        self.assertEqual(reasons, expected)
        self.look_at_pages(daemon)
        self.reload(daemon, list(filter(is_quick, config)))
        self.assertEqual(daemon.stop(), -2)
        output = daemon.program.output
        self.assert_none(output, "log")
        for said in (
            *("a value: ", "a list: ", "Unable to format", "the older kind: ", "printed: "),
            *("an error: ", "a warning: ", "RuntimeError: ", "not with "),
        ):
            self.assertRegex(output, rf"{said}.*\*\*\*")
        for said in ("a failure", "bug in", "Exception in thread", "Unhandled error in Deferred"):
            self.assertIn(said, output)

    def look_at_children(self, daemon: int) -> None:
        """Look at what the daemon has started, while two of them wait for us."""
        paths = [self.folder.path / f"{name}.pid" for name in ("wait-a", "wait-b")]
        waiting = [int(path.read_text()) for path in paths]
        seen: dict[int, dict[str, str]] = {}
        for pid in children_of(daemon):
            with contextlib.suppress(OSError):
                arguments = Path("/proc", str(pid), "cmdline").read_text()
                environment = Path("/proc", str(pid), "environ").read_text()
                seen[pid] = dict(one.partition("=")[::2] for one in environment.split("\0") if one)
                # The arguments of a password_command are its own.
                if "-argument" not in arguments and "-output" not in arguments:
                    self.assert_none(arguments, "arguments")
        one, other = (seen[pid] for pid in waiting)
        self.assertEqual(one["SOME_KEY"], secret("env"))
        self.assertNotIn("SOME_KEY", other)
        for found in seen.values():
            rest = {name: value for name, value in found.items() if value != secret("env")}
            self.assert_none(str(rest), "environment")
        self.assertGreaterEqual(len(seen), 4, "two restics and their guards")
        for path in paths:
            descriptor = os.open(path.with_suffix(".fifo"), os.O_RDWR)
            self.addCleanup(os.close, descriptor)
            os.write(descriptor, b"go\n")

    def look_at_pages(self, daemon: Daemon) -> None:
        """Look at all pages."""
        links = re.findall(r'"(repository\?[^"]+)"', daemon.get("/repositories"))
        self.assertGreater(len(links), 1)
        repositories = [f"/{html.unescape(link)}" for link in links]
        for path in ("/metrics", "/", "/repositories", *repositories, "/-/healthy", "/-/ready"):
            self.assert_none(daemon.get(path), path)
        openmetrics = daemon.get("/metrics", {"Accept": "application/openmetrics-text"})
        self.assert_none(openmetrics, "OpenMetrics")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            daemon.get("/none")
        self.assert_none(caught.exception.read().decode(), "404")

    def reload(self, daemon: Daemon, good: Any) -> None:
        """Have the daemon read configs that it refuses, and then a good one."""
        for config in self.bad_configs():
            daemon.configure(config)
            daemon.reload()
        self.assertEqual(daemon.metrics().value("backup_config_last_reload_successful"), 0)
        daemon.configure(good)
        daemon.reload()
        self.assertEqual(daemon.metrics().value("backup_config_last_reload_successful"), 1)
        daemon.collect()
        self.look_at_pages(daemon)

    def test_log_file(self) -> None:
        """Nothing is in a log file either; without a restic, with a token that Vault refuses."""
        config = [
            {"repo": str(example()), "vault_material": "repository"},
            {"repo": "s3:h/bucket", "password_file": "password", "env": {"A": secret("env")}},
            {"repo": "leaky:a", "password": secret("password")},
        ]
        daemon = Daemon(
            self.folder,
            config,
            "--log-level=debug",
            twistd_options=("-n", "--logfile=daemon.log"),
            environment={
                "PYTHONPATH": f"{leaky_plugin.install(self.folder.path)}:{ROOT}",
                "VAULT_ADDR": self.vault.address,
                "VAULT_TOKEN": secret("token"),
            },
            restic="/no/restic",
        )
        log = self.folder.path / "daemon.log"
        self.folder.follow(log).wait_for("listening on")
        self.assertEqual(daemon.stop(), -2)
        self.assertEqual(self.vault.seen[0], secret("token"))
        for reason in ("secret", "exec", "internal"):
            self.assertIn(f"({reason})", log.read_text())
        self.assert_none(log.read_text(), "log file")
        self.assertEqual(daemon.program.output, "")

    def test_other_logger(self) -> None:
        """Nothing is in what an observer of --logger gets of events."""
        daemon = Daemon(
            self.folder,
            [{"repo": "leaky:a", "password": secret("password"), "tls_client_cert": "client.pem"}],
            twistd_options=("-n", "--logger=tests.doubles.leaky_plugin.make_observer"),
            environment={"PYTHONPATH": f"{leaky_plugin.install(self.folder.path)}:{ROOT}"},
        ).serving()
        self.assertEqual(daemon.stop(), -2)
        for said in ("a value: ", "printed: ", "a failure", "Exception in thread"):
            self.assertIn(said, daemon.program.output)
        self.assert_none(daemon.program.output, "other observer")

    def test_refused(self) -> None:
        """Nothing is in what is said of a config that the daemon does not start with."""
        configs = [one for one in self.bad_configs() if isinstance(one, list)]
        document = list(chain(*configs))
        for number, entry in enumerate(document):
            if entry["repo"] == "/p":
                entry["repo"] += str(number)
        daemon = Daemon(
            self.folder,
            document,
            environment={
                "PYTHONPATH": f"{leaky_plugin.install(self.folder.path)}:{ROOT}",
                **self.vault.environment(),
            },
        )
        self.assertEqual(daemon.program.end(), 1)
        self.assertGreaterEqual(daemon.program.output.count(": entry "), 10)
        self.assert_none(daemon.program.output, "refusal")
