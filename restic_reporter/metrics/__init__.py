"""From the state of all repositories to exposition text."""
