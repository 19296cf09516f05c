"""What the console script does."""
