"""Tests of `restic_reporter.concurrency`."""
