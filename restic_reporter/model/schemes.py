"""Words that the config and the plugins share: schemes of repositories, names of readers."""

import re

# What may stand before the first colon of a repository.
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")

# Those that restic knows.
RESTIC_SCHEMES = ("rest", "b2", "local", "s3", "sftp", "azure", "gs", "swift", "rclone")

# By which users choose a reader; the first leaves the choice to us.
READERS = ("auto", "restic", "native")
