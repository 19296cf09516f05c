"""Tests of `restic_reporter.collection`."""
