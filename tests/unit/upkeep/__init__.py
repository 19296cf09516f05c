"""Tests of `restic_reporter.upkeep`."""
