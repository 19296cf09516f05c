"""The Debian package: built, installed, started, upgraded, removed and purged, under a systemd."""

import json
import os
import shutil
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.debian_root import build_package, debian, older, with_needs
from tests.doubles.private_systemd import PrivateSystemd, why_not
from tests.doubles.programs import Folder, wait_until
from tests.doubles.servers import EXAMPLE, EXAMPLE_PASSWORD

SERVICE = "restic-reporter.service"
SOCKET = "restic-reporter.socket"
CONFIG = "/etc/restic-reporter/config.json"
STATE = "/var/lib/private/restic-reporter/state.db"
SNAPSHOTS = 'backup_snapshot_count{url="/srv/repository"} 62\n'

SCRAPE = (
    "from urllib.request import urlopen;"
    "print(urlopen('http://127.0.0.1:9121/metrics').read().decode(), end='')"
)


class BookwormTests(SynchronousTestCase):
    """Debian 12."""

    suite = "bookworm"

    def setUp(self) -> None:
        """Build the package, and start a Debian that can install it without the network."""
        reason = why_not()
        if reason:
            raise SkipTest(f"no private systemd: {reason}")
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.package = build_package(self.suite, self.folder.path)
        fetched = with_needs(self.suite, self.package, self.folder.path)
        self.systemd = PrivateSystemd(
            self.folder,
            f"{fetched}:{debian(self.suite)}",
            "/etc/systemd/system:/lib/systemd/system",
        )
        for package in (self.package, older(self.package, "0.0.1")):
            shutil.copy(package, self.systemd.root / "srv" / package.name)
        self.systemd.copy(EXAMPLE, "/srv/repository")
        self.before = self.files()

    def apt(self, *words: str) -> None:
        """Change what is installed, and keep config files that were changed."""
        self.systemd.call(
            *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y"),
            *("--no-install-recommends", "-o", "APT::Sandbox::User=root"),
            *("-o", "Dpkg::Options::=--force-confold", *words),
        )

    def files(self) -> set[str]:
        """All paths that may be of the package, but not what apt and dpkg note of all packages."""
        found = self.systemd.call(
            *("find", "/etc", "/lib/systemd", "/usr", "/var", "-xdev"),
            *("(", "-path", "/var/log", "-o", "-path", "/var/cache/apt", ")", "-prune"),
            *("-o", "-name", "*restic*reporter*", "-print"),
        )
        return set(found.split())

    def stat(self, path: str) -> str:
        """Mode, owner and group."""
        return self.systemd.call("stat", "--format=%A %U %G", path).strip()

    def metrics(self) -> str:
        """What a scrape gives."""
        return self.systemd.call("/usr/bin/python3", "-c", SCRAPE)

    def check_config(self) -> str:
        """Check the config as a user that may read what the service may, as the docs do it."""
        user = "setpriv --reuid nobody --regid _restic-reporter --clear-groups"
        check = "restic-reporter check-config --connect"
        return self.systemd.call("sh", "-c", f"cd /etc/restic-reporter && {user} {check}")

    def active(self, unit: str = SERVICE) -> str:
        """What systemd says of a unit."""
        return self.systemd.show(unit, "ActiveState")

    def test_life(self) -> None:
        """Each step of a package's life, the later ones on what the earlier ones left."""
        begin = time.monotonic()
        self.apt("install", "/srv/0.0.1.deb")
        self.assertIn("backup_job_error_count 0\n", self.metrics())
        seconds = time.monotonic() - begin
        size = self.package.stat().st_size
        print(f"{self.package.name}: {size} bytes, {seconds:.1f} s from apt to metrics")

        with self.subTest("installed: it runs without a repository, as nobody's user"):
            self.assertEqual(self.active(), "active")
            self.assertEqual(self.stat("/etc/restic-reporter"), "drwxr-s--- root _restic-reporter")
            self.assertEqual(self.stat(CONFIG), "-rw-r----- root _restic-reporter")
            self.assertEqual(self.stat("/etc/default/restic-reporter"), "-rw-r----- root root")
            self.assertNotIn("restic-reporter", (self.systemd.root / "etc/passwd").read_text())
            shown = self.systemd.call("systemctl", "is-enabled", SERVICE)
            self.assertEqual(shown, "enabled\n")

        with self.subTest("configured: a reload reads the config, which only its group can read"):
            entry = {"repo": "/srv/repository", "password": EXAMPLE_PASSWORD}
            config = json.dumps({"repositories": [entry]})
            (self.systemd.root / CONFIG[1:]).write_text(config)
            self.assertIn("ok", self.check_config())
            self.systemd.call("systemctl", "reload", SERVICE)
            self.systemd.call("systemctl", "kill", "--signal=USR1", "--kill-whom=main", SERVICE)
            wait_until(lambda: SNAPSHOTS in self.metrics())

        with self.subTest("upgraded: config and state are as before, and it runs"):
            pid = self.systemd.show(SERVICE, "MainPID")
            # What is shown now is known from before.
            os.rename(self.systemd.root / "srv/repository", self.systemd.root / "srv/gone")
            self.apt("install", f"/srv/{self.package.name}")
            self.assertNotEqual(self.systemd.show(SERVICE, "MainPID"), pid)
            self.assertIn(SNAPSHOTS, self.metrics())
            self.assertEqual((self.systemd.root / CONFIG[1:]).read_text(), config)
            self.assertEqual(self.stat(CONFIG), "-rw-r----- root _restic-reporter")

        with self.subTest("upgraded with the socket, which stays open"):
            self.systemd.call("systemctl", "stop", SERVICE)
            options = self.systemd.root / "etc/default/restic-reporter"
            options.write_text('RESTIC_REPORTER_OPTIONS="--bind systemd:domain=INET6:index=0"\n')
            self.systemd.call("systemctl", "start", SOCKET)
            self.assertIn(SNAPSHOTS, self.metrics())
            self.apt("install", "--reinstall", f"/srv/{self.package.name}")
            self.assertEqual([self.active(), self.active(SOCKET)], ["active", "active"])
            self.assertIn(SNAPSHOTS, self.metrics())

        with self.subTest("removed: it has ended, and config and state are kept"):
            # systemd's socket would start the service again.
            self.apt("remove", "restic-reporter")
            self.assertEqual([self.active(), self.active(SOCKET)], ["inactive", "inactive"])
            kept = self.files()
            self.assertIn("/etc/default/restic-reporter", kept)
            self.assertEqual((self.systemd.root / CONFIG[1:]).read_text(), config)
            self.assertTrue((self.systemd.root / STATE[1:]).exists())
            self.assertNotIn("/usr/bin/restic-reporter", kept)
            self.assertFalse((self.systemd.root / "usr/lib/restic-reporter").exists())

        with self.subTest("purged: nothing is left"):
            self.apt("purge", "restic-reporter")
            self.assertEqual(self.files(), self.before)
            self.assertNotIn("restic-reporter", (self.systemd.root / "etc/group").read_text())


class TrixieTests(BookwormTests):
    """Debian 13."""

    suite = "trixie"
