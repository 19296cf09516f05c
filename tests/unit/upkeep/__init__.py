"""Tests of `restic_reporter.schedule`."""
