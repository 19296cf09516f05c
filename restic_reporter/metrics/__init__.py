"""Renders the state of all repositories as exposition text."""
