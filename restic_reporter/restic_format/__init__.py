"""restic's names, hashes and JSON; no input or output."""
