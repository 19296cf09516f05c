"""The words of the command that logs in, as restic runs it. Pure."""

from collections.abc import Mapping

from .location import SFTPLocation

# ssh takes the first value that it meets, so the user's own words go before these. It must not be
# the master of other sessions, which would end with it; it may use one that runs.
_OWN_WORDS = (
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2", "-o", "ControlMaster=no"),
)

# White space for Go's unicode.IsSpace; Python's str.isspace() has four more.
_SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)


class OptionError(ValueError):
    """One of restic's extended options is invalid."""


def login_words(place: SFTPLocation, options: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return the program and arguments that log in and then speak SFTP.

    ``options`` are restic's extended ones: ``sftp.command`` or ``sftp.args``.

    :raises OptionError: they are invalid.
    :raises ValueError: ssh cannot take the host.
    """
    command, arguments = options.get("sftp.command", ""), options.get("sftp.args", "")
    if command and arguments:
        raise OptionError("'sftp.command' and 'sftp.args' exclude each other")
    if command:
        return tuple(_split("sftp.command", command))
    if not place.host:
        raise ValueError("the host is missing")
    if place.host.startswith("-"):
        raise ValueError(f"ssh takes the host {place.host!r} for an option")
    words = ["ssh", place.host]
    for option, value in (("-p", place.port), ("-l", place.user)):
        words += [option, value] if value else []
    words += _split("sftp.args", arguments) if arguments else []
    return (*words, *_OWN_WORDS, "-s", "sftp")


def _split(name: str, text: str) -> list[str]:
    try:
        return split_words(text)
    except ValueError as error:
        raise OptionError(f"{name!r} {error}") from None


def split_words(text: str) -> list[str]:
    """
    Split ``text`` as restic does, which differs from a shell: a quote always ends a word.

    :raises ValueError: a quote is not closed, or there is no word.
    """
    words, word, quote, last = [], "", "", ""
    for character in text:
        if last != "\\" and character in ("'", '"') and quote in ("", character):
            quote = "" if quote else character
            splits = True
        else:
            last = character
            splits = not quote and (character == "\\" or character in _SPACE)
        if not splits:
            word += character
        elif word:
            words.append(word)
            word = ""
    if quote:
        raise ValueError(f"has an unclosed quote: {quote}")
    if word:
        words.append(word)
    if not words:
        raise ValueError("has no words")
    return words
