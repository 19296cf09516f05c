"""The one place that knows how to hold a secret."""

import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import unquote

from attrs import field, frozen

MASK = "***"

# The user information of a URL: everything up to the last "@" before the path begins. The
# password may itself hold "@" or ":"; restic, like Go's net/url, splits the name off at
# the first colon, so the name may hold "@" too.
_USERINFO = re.compile(r"(?P<before>://[^/:]*):(?P<password>[^/]*)@")

_PRIVATE_KEY = re.compile(
    r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)-----END \1PRIVATE KEY-----", re.DOTALL
)


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


def url_passwords(text: str) -> Iterator[Secret]:
    """The passwords that `redact_url` would mask in ``text``, as written and decoded."""
    for match in _USERINFO.finditer(text):
        for form in {match["password"], unquote(match["password"])}:
            yield Secret(form)


def basic_auth_secret(username: str, password: Secret) -> Secret:
    """What stands behind ``Basic`` in the header that carries ``password``."""
    pair = f"{username}:{password.reveal()}".encode("utf-8", "surrogatepass")
    return Secret(b64encode(pair).decode())


def private_key_secrets(pem: bytes) -> Iterator[Secret]:
    """The private keys in ``pem``, line by line, as no text that shows one need show it whole."""
    for _, body in _PRIVATE_KEY.findall(pem.decode("latin-1")):
        yield from map(Secret, body.split())
