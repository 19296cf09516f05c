"""Programs that measure what restic-reporter costs."""
