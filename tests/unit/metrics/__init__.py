"""Tests of `restic_reporter.metrics`."""
