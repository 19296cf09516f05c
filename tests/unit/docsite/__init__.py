"""Tests of `docsite`."""
