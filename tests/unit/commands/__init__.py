"""Tests of `restic_reporter.commands`."""
