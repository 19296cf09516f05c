"""The one place that knows how to hold a secret, and how to show a text without its secrets."""

import re
from collections.abc import Iterable

from attrs import field, frozen

MASK = "***"

# The user information of a URL: everything up to the last "@" before the path begins. The
# password may itself hold "@" or ":"; restic, like Go's net/url, splits the name off at
# the first colon, so the name may hold "@" too.
_USERINFO = re.compile(r"(?P<before>://[^/:]*):(?P<password>[^/]*)@")


@frozen(repr=False, str=False)
class Secret:
    """
    A string that does not show itself: ``repr`` and ``str`` give ``***``.

    Two secrets are equal when their values are, so that a reload can see that a password
    has changed.
    """

    _value: str = field(converter=str)

    def reveal(self) -> str:
        """The value itself; call this only where it is handed to who needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


def redact_url(text: str) -> str:
    """``text`` with the password of every ``scheme://user:password@host`` replaced by ``***``."""
    return _USERINFO.sub(rf"\g<before>:{MASK}@", text)


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """
    ``text`` as it may be printed: URL passwords and every one of ``secrets`` masked.

    Values of fewer than four characters are left alone: masking each ``a`` would make the
    message unreadable, and show the secret by where the masks are.
    """
    for secret in sorted({s.reveal() for s in secrets}, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    return redact_url(text)
