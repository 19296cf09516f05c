"""Deadlines, threads, and long work in turns with all else."""
