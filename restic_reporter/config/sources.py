"""Where passwords come from: files and commands, read as restic reads its own."""

import shlex

from .settings import PasswordCommand

# What restic, by Go's unicode.IsSpace, trims; Python's own notion has four more.
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def read_file(path: str, limit: int) -> bytes:
    """
    The content of a file.

    :raises OSError: it cannot be read.
    :raises ValueError: it has more than ``limit`` bytes.
    """
    with open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"has more than {limit} bytes")
    return content


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
