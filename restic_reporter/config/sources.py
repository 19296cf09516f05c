"""Read passwords from files and commands as restic does, and other files that a config names."""

import errno
import os
import shlex
import stat
from collections.abc import Mapping

from ..model.repository import PasswordCommand

# The folder of the service's credentials, as in systemd's units.
_CREDENTIALS = "%d/"

_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")

# Trimmed by restic, after Go's unicode.IsSpace; Python's str.strip() trims four more.
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def resolve(path: str, directory: str, environ: Mapping[str, str]) -> str:
    """
    Return ``path`` with ``directory`` before a relative one, and ``%d/`` replaced by the folder of
    systemd's credentials.

    :raises ValueError: there is no such folder.
    """
    if not path.startswith(_CREDENTIALS):
        return os.path.join(directory, path)
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if not credentials:
        raise ValueError(
            "'%d/' means $CREDENTIALS_DIRECTORY, which is not set; add LoadCredential= to the"
            " systemd service"
        )
    return os.path.join(directory, credentials, path.removeprefix(_CREDENTIALS))


def read_private_file(path: str, limit: int) -> tuple[bytes, bool]:
    """
    Return the content of a file, and whether every user can read it.

    Only regular files are allowed, as others could block for ever, and inherited descriptors
    such as ``/dev/fd/63``, which the parent process fills.

    :raises OSError: it cannot be read.
    :raises ValueError: it is not a regular file, or has more than ``limit`` bytes.
    """
    passed_on = path.startswith(_DESCRIPTORS)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if passed_on else os.O_NONBLOCK))
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or passed_on):
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            kind = "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"
            raise ValueError(f"is {kind}; must be a regular file, /dev/fd/N or /dev/stdin")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"has more than {limit} bytes")
    return content, bool(stat.S_ISREG(mode) and mode & stat.S_IROTH)


def password_text(content: bytes) -> str:
    """
    Return the password in a file's content or a command's output.

    Like restic, strip all white space around it, and decode byte order marks.

    :raises ValueError: the content is empty, or not text.
    """
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding).strip(_WHITE_SPACE)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not text:
        raise ValueError('is empty; an empty password must be written as "password": ""')
    return text


def split_command(text: str) -> PasswordCommand:
    """Return the command in ``text``, split as a shell does; raise a ValueError if invalid."""
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    if not arguments:
        raise ValueError("names no program")
    return PasswordCommand(tuple(arguments))
