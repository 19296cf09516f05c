"""Tests of `restic_reporter.readers`."""
