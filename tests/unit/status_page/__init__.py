"""Tests of `restic_reporter.status_page`."""
