"""The web side of the daemon: pages, and a site that stays small whatever its clients do."""
