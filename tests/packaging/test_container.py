"""The container image: built, and run without a user's rights on a read-only root."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import yaml
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from restic_reporter.config.sharding import shard_of
from tests.doubles.containers import VERSION, Container, build_image, why_not
from tests.doubles.programs import ROOT, Folder, wait_until
from tests.doubles.servers import EXAMPLE, EXAMPLE_PASSWORD
from tests.real.test_docs import DOCS, code_blocks

HEALTHCHECK = "/usr/lib/restic-reporter/bin/healthcheck"
REPOSITORY = "/srv/repository"
SNAPSHOTS = f'backup_snapshot_count{{url="{REPOSITORY}"}} 62\n'


class ContainerTests(SynchronousTestCase):
    """The image as docs/container.md runs it."""

    def setUp(self) -> None:
        """Build the image; only what changed is built again."""
        reason = why_not()
        if reason:
            raise SkipTest(f"no containers: {reason}")
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.sizes = build_image(self.folder.path)
        self.volumes = {EXAMPLE: f"{REPOSITORY}:ro"}
        self.folder.path.chmod(0o755)

    def configure(self, *entries: dict[str, object]) -> None:
        """Write the config, and mount it."""
        path = self.folder.write("config.json", json.dumps(list(entries)))
        self.volumes[path] = "/etc/restic-reporter/config.json:ro"

    def mount(self, target: str, group: int = 65532) -> Path:
        """Mount a folder as Kubernetes does with ``fsGroup``: root's, for the group."""
        path = self.folder.path / Path(target).parts[2]
        path.mkdir()
        os.chown(path, 0, group)
        path.chmod(0o2770)
        self.volumes[path] = target
        return path

    def test_life(self) -> None:
        """It starts, is healthy, reloads, takes over lost processes, and stops by a signal."""
        begin = time.monotonic()
        self.configure({"repo": REPOSITORY, "password_command": "sh -c 'sleep 0.1 & echo example'"})
        container = Container(self.folder, self.volumes)
        container.program.wait_for("listening on")
        page = container.metrics()
        self.assertIn(SNAPSHOTS, page)
        self.assertIn(f'version="{VERSION}"', page)
        seconds = time.monotonic() - begin
        print(
            f"image of {self.sizes[1]} bytes, its base {self.sizes[0]}: metrics in {seconds:.1f} s"
        )

        status = Path(f"/proc/{container.pid}/status").read_text()
        self.assertIn("Uid:\t65532\t65532\t65532\t65532\n", status)
        self.assertRegex(status, r"CapBnd:\t0+\n")
        self.assertNotIn("[error]", container.program.output)

        container.call(HEALTHCHECK)
        container.call(HEALTHCHECK, "127.0.0.1:9", status=1)

        # What the password's program has left is taken over and waited for by the daemon's guard.
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
        wait_until(lambda: not children.read_text())

        container.program.signal(signal.SIGHUP)
        container.program.wait_for("config reloaded: 1 repository")
        container.program.signal(signal.SIGTERM)
        container.program.wait_for("stopped")
        self.assertEqual(container.program.end(), 0)

    def test_unhealthy(self) -> None:
        """A daemon whose reactor is held is unhealthy, though its port takes connections."""
        self.configure({"repo": REPOSITORY, "password": EXAMPLE_PASSWORD})
        container = Container(self.folder, self.volumes)
        container.program.wait_for("listening on")
        os.kill(container.pid, signal.SIGSTOP)
        self.assertIn("timed out", container.call(HEALTHCHECK, status=1))

    def test_environment_alone(self) -> None:
        """Variables are all that it needs, and the state outlives the container."""
        self.mount("/var/lib/restic-reporter")
        options = [f"--env=RESTIC_REPOSITORY={REPOSITORY}", "--env=RESTIC_PASSWORD=example"]
        first = Container(self.folder, self.volumes, options, ["--compat", "restic-exporter"])
        first.program.wait_for("listening on")
        self.assertIn(SNAPSHOTS, first.metrics())
        self.assertIn("restic_snapshots_total 62\n", first.metrics())
        self.assertIn("restic_reporter_state_write_success 1\n", first.metrics())
        first.program.signal(signal.SIGTERM)
        first.program.end()

        del self.volumes[EXAMPLE]
        second = Container(self.folder, self.volumes, options)
        second.program.wait_for("listening on")
        self.assertIn(SNAPSHOTS, second.metrics())

    def test_kubernetes(self) -> None:
        """The container of docs/kubernetes.md collects its shard, and reloads as the page says."""
        page = (DOCS / "kubernetes.md").read_text()
        spec = yaml.safe_load(code_blocks(page)[0])["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        secret = spec["volumes"][0]["secret"]
        group = spec["securityContext"]["fsGroup"]
        config, state, cache = (
            self.mount(one["mountPath"], group) for one in container["volumeMounts"]
        )
        entry = {"repo": REPOSITORY, "password": EXAMPLE_PASSWORD}
        # Kubernetes shows the files of a secret by links, so that all change at once.
        (config / "..data").mkdir()
        file = config / "..data" / "config.json"
        file.write_text(json.dumps([entry]))
        os.chown(file, 0, group)
        file.chmod(secret["defaultMode"])
        (config / "config.json").symlink_to("..data/config.json")
        self.volumes[config] += ":ro"
        count = int(container["args"][0].rpartition("/")[2])
        shard = str(shard_of(REPOSITORY, count))
        arguments = [one.replace("$(SHARD)", shard) for one in container["args"]]
        running = Container(self.folder, self.volumes, (), arguments)
        running.program.wait_for("listening on")
        self.assertIn(SNAPSHOTS, running.metrics())
        self.assertTrue((state / "state.db").exists())
        self.assertTrue([*cache.iterdir()])
        running.call("sh", "-c", "kill -HUP 1")
        running.program.wait_for("config reloaded: 1 repository")
        self.assertNotIn("[warn]", running.program.output)

    def test_other_user(self) -> None:
        """Any user will do; without a folder that it may write to, values are lost at its end."""
        self.configure({"repo": REPOSITORY, "password": EXAMPLE_PASSWORD})
        container = Container(self.folder, self.volumes, ["--user=12345:0"])
        container.program.wait_for("listening on")
        self.assertIn(SNAPSHOTS, container.metrics())
        self.assertIn("restic_reporter_state_write_success 0\n", container.metrics())


class LintTests(SynchronousTestCase):
    """The Containerfile, as hadolint sees it."""

    def test_hadolint(self) -> None:
        """There is nothing to complain about."""
        file = str(ROOT / "packaging" / "Containerfile")
        done = subprocess.run(["hadolint", file], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
