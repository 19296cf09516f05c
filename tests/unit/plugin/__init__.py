"""Tests of `restic_reporter.plugin`."""
