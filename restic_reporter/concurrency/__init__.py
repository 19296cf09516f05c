"""Deadlines, threads, and long work in short turns on the reactor."""
