"""Tests against real programs: restic, rest-server and what the documentation tells to run."""
