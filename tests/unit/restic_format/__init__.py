"""Tests of `restic_reporter.restic_format`."""
