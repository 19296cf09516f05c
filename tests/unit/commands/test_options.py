"""Tests of `restic_reporter.commands.options`."""

import argparse
import os

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.commands.options import ALL, READING, add_options, daemon_options
from restic_reporter.config.sharding import Shard
from restic_reporter.tap import Options


class SharedOptionsTests(SynchronousTestCase):
    """The daemon's options in other commands."""

    def parse(self, *arguments: str, names: tuple[str, ...] = ALL) -> Options:
        """The values as the daemon has them."""
        parser = argparse.ArgumentParser()
        add_options(parser, names)
        return daemon_options(parser.parse_args(arguments))

    def test_same_values(self) -> None:
        """All have the daemon's defaults, and values are checked and converted as its own are."""
        for arguments in (
            (),
            ("-c", "x.yaml", "--shard=1/3", "--timeout=1.5", "--cache-dir=c", "--reader=native"),
        ):
            daemons = Options()
            daemons.parseOptions(arguments)
            self.assertEqual(dict(self.parse(*arguments)), dict(daemons))

    def test_some(self) -> None:
        """What a command does not have is the daemon's default."""
        options = self.parse("--shard=1/3", "--concurrency=2", names=READING)
        self.assertEqual((options["shard"], options["concurrency"]), (Shard(1, 3), 2))
        self.assertEqual(options["directory"], os.getcwd())
        self.assertIsNone(options["cache-dir"])

    def test_wrong(self) -> None:
        """A wrong value is refused with the daemon's words."""
        ended = self.assertRaises(SystemExit, self.parse, "--timeout=x")
        self.assertIn("restic-reporter: --timeout: invalid value 'x'", str(ended.code))
