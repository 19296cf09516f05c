"""Unit tests of `restic_reporter.state`."""
