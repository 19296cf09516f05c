"""Names shared by the config and the plugins: schemes of repositories, readers."""

import re

# The text before the first colon of a repository.
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")

# The schemes that restic supports.
RESTIC_SCHEMES = ("rest", "b2", "local", "s3", "sftp", "azure", "gs", "swift", "rclone")

# The names of the readers; ``auto`` lets the program choose.
READERS = ("auto", "restic", "native")
