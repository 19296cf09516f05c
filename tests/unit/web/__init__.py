"""Tests of `restic_reporter.web`."""
