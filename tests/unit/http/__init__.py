"""Tests of `restic_reporter.http`."""
