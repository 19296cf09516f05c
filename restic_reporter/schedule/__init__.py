"""The schedule of collections."""
