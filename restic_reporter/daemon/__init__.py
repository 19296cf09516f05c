"""Wires, starts, reloads and stops the daemon."""
