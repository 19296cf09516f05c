"""Where the real programs are that tests run."""

import os
from pathlib import Path

_FOLDER = Path(
    os.environ.get("RESTIC_REPORTER_TOOLS")
    or Path(__file__).resolve().parents[2] / ".tools" / "bin"
)


def tool(name: str) -> str:
    """The absolute path of one of them, like ``restic-0.18``."""
    path = _FOLDER / name
    if not path.exists():
        raise RuntimeError(f"{path} is missing: run scripts/fetch-test-tools")
    return str(path)
