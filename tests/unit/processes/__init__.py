"""Tests of `restic_reporter.processes`."""
