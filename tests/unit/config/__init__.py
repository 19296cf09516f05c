"""Tests of `restic_reporter.config`."""
