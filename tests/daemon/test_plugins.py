"""Backends of other people: real packages, installed in an environment of their own."""

import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon.test_values import instant
from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.environments import SNAPDIR, Environment, table
from tests.doubles.programs import Folder
from tests.doubles.servers import (
    EXAMPLE_PASSWORD,
    RestServer,
    copy_example,
    example,
    restic,
    snapshots,
)
from tests.doubles.tools import tool

SECRET = "hunter2"

# Its dropin cannot be imported; its scheme would be ``lost``.
BAD_DROPIN = "import no_such_module\nlost = BackendMaker('lost', ['lost'], 'bad_dropin.make')"

# Their backends cannot be made, each for another cause.
BAD_BACKENDS = """
torn = BackendMaker('torn', ['torn'], 'no_such_package.Backend.make', locates=True)
sick = BackendMaker('sick', ['sick'], 'bad_backends.fail', locates=True)
none = BackendMaker('none', ['none'], 'bad_backends.give_nothing', locates=True)
mute = BackendMaker('mute', ['mute'], 'bad_backends.give_nothing')
"""
BAD_BACKENDS_MODULE = """
def fail(repository, tools):
    raise RuntimeError('no way to ' + repository.location.reveal())

def give_nothing(repository, tools):
    pass
"""


# More than `BackendMaker` can do, so a class of its own, within the dropin.
OWN_MAKER = """
from restic_reporter.interfaces import IBackendMaker
from twisted.plugin import IPlugin
from zope.interface import implementer

@implementer(IPlugin, IBackendMaker)
class OwnMaker:
    name, schemes, locates, keys = 'own', ('own',), False, ()

    def configure(self, own):
        pass

    def make(self, repository, tools):
        pass

own = OwnMaker()
"""


class PluginsTests(SynchronousTestCase):
    """The daemon and the console script beside plugins."""

    def setUp(self) -> None:
        """An environment with restic-reporter in it."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.environment = Environment(self.folder)

    def daemon(self, config: list[dict[str, str]], restic: str = "restic-0.18") -> Daemon:
        """The daemon of the environment."""
        return Daemon(
            self.folder,
            [{"password": EXAMPLE_PASSWORD, **entry} for entry in config],
            environment={"PYTHONPATH": ""},
            restic=restic,
            twistd=self.environment.twistd,
        )

    def assert_equal_to_restic(self, metrics: Metrics, url: str, repository: Path) -> None:
        """Counts, sets and newest times are those that restic itself prints."""
        listed = snapshots(repository)
        newest: dict[tuple[str, str], float] = {}
        for one in listed:
            name = (one["hostname"], one["username"])
            newest[name] = max(newest.get(name, 0.0), float(int(instant(one["time"]))))
        self.assertEqual(metrics.value("backup_snapshot_count", url=url), len(listed))
        shown = {
            (dict(labels)["host"], dict(labels)["user"]): float(int(value))
            for labels, value in metrics.series("backup_newest_timestamp", url=url).items()
        }
        self.assertEqual(shown, newest)

    def test_example(self) -> None:
        """The worked example is found, passes its own tests, and serves beside ours."""
        environment = self.environment
        environment.install(environment.ours(), environment.source(SNAPDIR))
        done = environment.run(environment.command, "backends")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = table(done.stdout)
        self.assertEqual(rows["snapdir"], ("restic-reporter-snapdir 1.0", "restic, native"))
        self.assertRegex(rows["rest"][0], r"^restic-reporter \d+\.\d+")
        self.assertEqual(rows["azure"], ("-", "restic alone"))

        shutil.copy(SNAPDIR / "test_snapdir.py", self.folder.path)
        done = environment.run(environment.python, "-m", "twisted.trial", "test_snapdir")
        self.assertIn("PASSED", done.stdout, done.stdout + done.stderr)

        server = RestServer(self.folder, self.folder.path / "data")
        ours = copy_example(server.path / "web-2")
        copies = self.folder.path / "copies"
        old = copy_example(copies / "2026-11-21" / "web-1")
        new = copy_example(copies / "2026-11-22" / "web-1")
        restic(new, "backup", "--quiet", "--host", "far", str(self.folder.path / "test_snapdir.py"))
        self.assertEqual(len(snapshots(new)), len(snapshots(old)) + 1)
        calls = self.folder.path / "calls"
        wrapper = self.folder.write(
            "counting-restic",
            f'#!/bin/sh\necho x >> {calls}\nexec {tool("restic-0.18")} "$@"\n',
            0o755,
        )
        url = f"snapdir:{copies}:web-1"
        config = [{"repo": url}, {"repo": server.url("web-2")}]
        daemon = self.daemon(config, restic=str(wrapper)).serving()
        metrics = daemon.metrics()
        self.assert_equal_to_restic(metrics, url, new)
        self.assert_equal_to_restic(metrics, server.url("web-2"), ours)
        self.assertEqual(
            metrics.value("backup_storage_requests_total", url=url, operation="list"), 1
        )
        daemon.collect()
        self.assertEqual(len(calls.read_text().splitlines()), 2)

        newest = copies / "2026-11-23" / "web-1"
        shutil.copytree(new, newest)
        shutil.rmtree(copies / "2026-11-22")
        restic(newest, "forget", snapshots(newest)[0]["id"])
        daemon.collect()
        self.assert_equal_to_restic(daemon.metrics(), url, newest)
        shutil.rmtree(copies)
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_read_error_count", url=url), 1)
        self.assertEqual(metrics.value("backup_read_error_count", url=server.url("web-2")), 0)
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=url, reason="not_found"), 1
        )
        self.assertEqual(daemon.stop(), -2)
        self.assertNotIn("Traceback", daemon.program.output)

    def test_kinds_of_install(self) -> None:
        """
        An editable install is found too, and so is a maker that a dropin defines itself.

        Two plugins for one scheme, an unknown scheme and a bad location end the start.
        """
        environment = self.environment
        own = environment.plugin("own", OWN_MAKER)
        environment.install(environment.ours(), own, "-e", environment.source(SNAPDIR))
        done = environment.run(environment.command, "backends")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = table(done.stdout)
        self.assertEqual(rows["snapdir"], ("restic-reporter-snapdir 1.0", "restic, native"))
        self.assertEqual(rows["own"], ("own 2.0", "native"))

        for repo, problem in (
            ("snapdri:/copies:web-1", "unknown scheme 'snapdri'; did you mean 'snapdir:…'?"),
            ("snapdir:/copies", "must look like snapdir:/folder/of/copies:path/of/repository"),
        ):
            daemon = self.daemon([{"repo": repo}])
            self.assertEqual(daemon.program.end(), 1)
            self.assertIn(f"config.json: entry 1: repo: {problem}", daemon.program.output)
            self.assertNotIn("Traceback", daemon.program.output)

        rival = "other = BackendMaker('other', ['other', 'snapdir'], 'rival.make')"
        environment.install(environment.plugin("rival", rival, "def make(r, t): pass"))
        conflict = (
            "two plugins serve the scheme 'snapdir': 'other' (rival 2.0) and"
            " 'snapdir' (restic-reporter-snapdir 1.0)"
        )
        daemon = self.daemon([{"repo": str(example())}])
        self.assertEqual(daemon.program.end(), 1)
        self.assertIn(conflict, daemon.program.output)
        self.assertEqual(daemon.program.output.count("\n"), 1, daemon.program.output)
        done = environment.run(environment.command, "backends")
        self.assertEqual(done.returncode, 1)
        self.assertIn(conflict, done.stderr)
        self.assertEqual(done.stdout.count("\nsnapdir "), 2)

    def test_broken(self) -> None:
        """What is broken in a plugin breaks its own entries, says why, and shows no secret."""
        environment = self.environment
        environment.install(
            environment.ours(),
            environment.plugin("bad_dropin", BAD_DROPIN),
            environment.plugin("bad_backends", BAD_BACKENDS, BAD_BACKENDS_MODULE),
        )
        expected = {
            "lost": "unknown scheme 'lost', or its plugin is broken:"
            " twisted.plugins.bad_dropin_dropin cannot be used:"
            " ModuleNotFoundError: No module named 'no_such_module'",
            "torn": "cannot create the backend 'torn': ImportError:"
            " cannot import no_such_package.Backend.make: ",
            "sick": "cannot create the backend 'sick': RuntimeError: no way to ***",
            "none": "cannot create the backend 'none': 'NoneType' is not an IBackend",
            "mute": "cannot create the backend 'mute': 'NoneType' is not an IBackend",
        }
        good = str(example())
        bad = {scheme: f"{scheme}://user:{SECRET}@host/" for scheme in expected}
        daemon = self.daemon([{"repo": url} for url in (*bad.values(), good)]).serving()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_snapshot_count", url=good), 62)
        self.assertEqual(metrics.value("backup_job_error_count"), len(bad))
        for scheme, message in expected.items():
            label = f"{scheme}://user:***@host/"
            self.assertEqual(
                metrics.value("backup_read_failures_total", url=label, reason="internal"), 1
            )
            line = next(
                line
                for line in daemon.program.lines
                if f"cannot read {label}: " in line and "(internal)" in line
            )
            self.assertIn(message, line)
        self.assertIn("the plugin twisted.plugins.bad_dropin_dropin cannot", daemon.program.output)
        daemon.reload()
        self.assertEqual(daemon.metrics().value("backup_config_last_reload_successful"), 1)
        self.assertEqual(daemon.stop(), -2)
        self.assertNotIn(SECRET, daemon.program.output + metrics.page)

        done = environment.run(environment.command, "backends")
        self.assertEqual(done.returncode, 1)
        rows = table(done.stdout)
        self.assertEqual(rows["torn"], ("no_such_package.Backend", "nothing: broken"))
        self.assertEqual(rows["sick"], ("bad_backends 2.0", "restic, native"))
        self.assertEqual(rows["mute"], ("bad_backends 2.0", "native"))
        self.assertNotIn("lost", rows)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(
            [line.partition(": ")[2].partition(": ")[0] for line in done.stderr.splitlines()],
            [
                "the plugin twisted.plugins.bad_dropin_dropin cannot be used",
                "cannot create the backend 'torn'",
            ],
        )
