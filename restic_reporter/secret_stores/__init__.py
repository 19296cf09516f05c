"""The built-in secret stores, and the look-up of documents in any store."""
