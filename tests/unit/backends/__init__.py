"""Tests of `restic_reporter.backends`."""
