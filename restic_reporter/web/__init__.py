"""The web server of the daemon: its pages, and limits on what clients may cost."""
