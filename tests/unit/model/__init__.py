"""Tests of `restic_reporter.model`."""
