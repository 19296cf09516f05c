"""Tests of `restic_reporter.daemon.web_config_watch`."""

from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.web_config_file import WebConfigFile
from restic_reporter.daemon import web_config_watch
from restic_reporter.daemon.web_config_watch import INTERVAL, WebConfigWatch
from restic_reporter.web.security.gate import Security
from restic_reporter.web.security.web_config import RateLimit

GOOD = "rate_limit: {interval: 1s, burst: 2}"
HASH = "$2b$10$" + "." * 53


class WebConfigWatchTests(SynchronousTestCase):
    """`WebConfigWatch`, with looks that do not wait for a thread."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_text(GOOD)
        self.path.chmod(0o600)
        self.clock = cast(Any, Clock())
        self.security = Security(self.clock)
        self.file = WebConfigFile(str(self.path), "")
        self.security.use(self.file.load())
        self.lines: list[str] = []
        note: Any = self.note
        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        self.hung: list[Deferred[Any]] = []
        self.hangs = False
        self.patch(web_config_watch, "in_daemon_thread", self.in_thread)
        self.watch = WebConfigWatch(self.clock, self.file, self.security)
        self.watch.startService()

    def note(self, event: Any) -> None:
        """Keep our own lines."""
        if "log_format" in event and event["log_namespace"].startswith("restic_reporter"):
            self.lines.append(event["log_format"].format(**event).replace(str(self.path), "FILE"))

    def in_thread(self, reactor: Any, look: Any) -> Deferred[Any]:
        """Look at once, or never."""
        result: Deferred[Any] = Deferred()
        if self.hangs:
            self.hung.append(result)
        else:
            result.callback(look())
        return result

    def write(self, text: str) -> None:
        """Change the file, and let it be seen."""
        self.path.write_text(text)
        self.clock.pump([INTERVAL] * 3)

    def test_changed(self) -> None:
        """A good change is used, and logged once."""
        self.write("rate_limit: {interval: 1s, burst: 30}")
        self.assertEqual(self.security.config.rate_limit, RateLimit(1.0, 30))
        self.clock.pump([INTERVAL] * 5)
        self.assertEqual(self.lines, ["web config reloaded: FILE"])

    def test_bad(self) -> None:
        """A bad change is logged once, and the last good config stays, until it is mended."""
        running = self.security.config
        self.write("rate_limi: {}")
        self.clock.pump([INTERVAL] * 5)
        self.assertIs(self.security.config, running)
        said = "web config not reloaded, keeping the running one: FILE: unknown key 'rate_limi'"
        self.assertEqual(self.lines, [f"{said}; did you mean 'rate_limit'?"])
        self.write("rate_limit: {interval: 1s, burst: 33}")
        self.assertEqual(self.lines[1:], ["web config reloaded: FILE"])

    def test_weaker(self) -> None:
        """A file that is cut short does not open the server."""
        self.write(f"basic_auth_users: {{a: {HASH}}}")
        self.assertEqual(list(self.security.config.users), ["a"])
        self.write("")
        self.assertEqual(list(self.security.config.users), ["a"])
        self.assertIn("basic_auth_users: restart to serve without a password", self.lines[-1])

    def test_gone(self) -> None:
        """A file that goes is a bad change."""
        self.path.unlink()
        self.clock.pump([INTERVAL] * 3)
        self.assertIn("FILE: cannot be read: No such file or directory", self.lines[-1])

    def test_warnings(self) -> None:
        """What is worth a look is logged at start and with each change."""
        self.write(f"basic_auth_users: {{a: {HASH}}}")
        self.path.chmod(0o644)
        self.clock.pump([INTERVAL] * 3)
        self.assertIn("is readable by every user", self.lines[-1])
        self.watch.stopService()
        self.lines.clear()
        WebConfigWatch(self.clock, self.file, self.security).startService()
        self.assertEqual(len(self.lines), 1)

    def test_hangs(self) -> None:
        """A look that hangs is waited for; no other one is begun."""
        self.hangs = True
        self.clock.pump([INTERVAL] * 5)
        self.assertEqual(len(self.hung), 1)
        self.hung[0].callback(None)
        self.clock.pump([INTERVAL] * 5)
        self.assertEqual(len(self.hung), 2)

    def test_bug(self) -> None:
        """A look that breaks down is logged, and others follow."""
        self.hangs = True
        self.clock.advance(INTERVAL)
        self.hung[0].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.hangs = False
        self.write("rate_limit: {interval: 1s, burst: 30}")
        self.assertEqual(self.security.config.rate_limit, RateLimit(1.0, 30))

    def test_stopped(self) -> None:
        """After the stop nothing is looked at, and nothing used."""
        self.hangs = True
        self.clock.advance(INTERVAL)
        self.watch.stopService()
        self.hung[0].callback(Security(self.clock).config)
        self.assertEqual(self.security.config.rate_limit, RateLimit(1.0, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])
