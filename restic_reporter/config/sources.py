"""Where passwords come from: files and commands, read as restic reads its own."""

import errno
import os
import shlex
import stat
from collections.abc import Mapping

from ..model.repository import PasswordCommand

# Stands for the folder of the service's credentials, as in systemd's own units.
_CREDENTIALS = "%d/"

_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")

# What restic, by Go's unicode.IsSpace, trims; Python's own notion has four more.
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def resolve(path: str, directory: str, environ: Mapping[str, str]) -> str:
    """
    Where the file is that an entry calls ``path``: in ``directory`` where that is relative, and
    with ``%d/`` at its beginning among the credentials that systemd has for the service.

    :raises ValueError: systemd has given none.
    """
    if not path.startswith(_CREDENTIALS):
        return os.path.join(directory, path)
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if not credentials:
        raise ValueError(
            "'%d/' stands for $CREDENTIALS_DIRECTORY, which is not set: systemd sets it for a"
            " service that has LoadCredential="
        )
    return os.path.join(directory, credentials, path.removeprefix(_CREDENTIALS))


def read_file(path: str, limit: int) -> bytes:
    """
    The content of a file.

    :raises OSError: it cannot be read.
    :raises ValueError: it has more than ``limit`` bytes.
    """
    return read_private_file(path, limit)[0]


def read_private_file(path: str, limit: int) -> tuple[bytes, bool]:
    """
    The content of a file, and whether all users of this machine may read it too.

    Anything but a regular file might be waited for without end. The exceptions are descriptors
    that were passed on, ``/dev/fd/63`` for instance: whoever passes them, fills them.

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
            raise ValueError(f"is {kind}: it must be a regular file, or /dev/fd/N or /dev/stdin")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"has more than {limit} bytes")
    return content, bool(stat.S_ISREG(mode) and mode & stat.S_IROTH)


def password_text(content: bytes) -> str:
    """
    The password in a file's content or a command's output, read as restic reads its own.

    restic drops white space around it, not just the newline at its end, and understands
    byte order marks.

    :raises ValueError: the content is no text, or there is nothing in it.
    """
    encoding = "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = content.decode(encoding).strip(_WHITE_SPACE)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not text:
        raise ValueError('is empty; an empty password must be written as "password": ""')
    return text


def split_command(text: str) -> PasswordCommand:
    """
    The program and arguments in ``text``, split like a shell would.

    :raises ValueError: there are none, or the quotes do not match.
    """
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    if not arguments:
        raise ValueError("names no program")
    return PasswordCommand(tuple(arguments))
