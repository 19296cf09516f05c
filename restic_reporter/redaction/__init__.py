"""Holds secrets and masks them in all output."""
