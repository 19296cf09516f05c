"""Tests of `restic_reporter.secret_stores`."""
