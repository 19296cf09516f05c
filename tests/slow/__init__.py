"""Tests that take too long for each run: ``tox -e servers`` runs them."""
