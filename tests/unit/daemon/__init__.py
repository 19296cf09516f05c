"""Tests of `restic_reporter.daemon`."""
