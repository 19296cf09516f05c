"""When a collection is due."""
