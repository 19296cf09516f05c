"""Tests without servers of other people: one folder for each room of `restic_reporter`."""
