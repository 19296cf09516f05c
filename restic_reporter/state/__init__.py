"""Remembers across restarts what was last read well, and when each set was backed up."""
