"""Tests of `restic_reporter.pings`."""
