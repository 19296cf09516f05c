"""Reads what is due, and keeps the latest state."""
