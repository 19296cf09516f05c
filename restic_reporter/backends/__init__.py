"""Ways to see which files a repository has: one `IBackend` a module."""
