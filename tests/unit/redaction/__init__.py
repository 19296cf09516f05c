"""Tests of `restic_reporter.redaction`."""
