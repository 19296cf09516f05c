"""``python -m restic_reporter`` is ``restic-reporter``."""

import sys

from .commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
