"""A file for the textfile collector of node_exporter, replaced whole."""

import contextlib
import os
from pathlib import Path
from secrets import token_hex

# Others read it: node_exporter is another user. The umask takes away from that.
_MODE = 0o644


def check_textfile(path: Path) -> None:
    """
    See whether ``path`` can be written, before hours of work.

    :raises ValueError: it cannot; the message says why.
    """
    if path.suffix != ".prom":
        raise ValueError(f"invalid name {str(path)!r}; must end in .prom for node_exporter")
    if not path.parent.is_dir():
        raise ValueError(f"no such folder: {str(path.parent)!r}")
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; must name a file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"cannot write into the folder {str(path.parent)!r}")


def write_textfile(path: Path, content: bytes) -> None:
    """
    Put ``content`` at ``path``, so that at each moment the file there is whole.

    :raises OSError: that fails; what was there before still is.
    """
    # node_exporter reads whatever ends in .prom.
    fresh = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
