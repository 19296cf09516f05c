"""Checks of repositories, and their sizes, by schedules of their own."""
