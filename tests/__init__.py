"""The tests of restic_reporter: one test_*.py per module."""
