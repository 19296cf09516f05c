"""Tests of the doubles and contracts."""
