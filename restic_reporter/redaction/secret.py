"""Secret values, and the secrets in URLs, headers and PEM files."""

import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import unquote

from attrs import field, frozen

MASK = "***"

# The user information of a URL: everything up to the last "@" before the path. The password
# may contain "@" or ":". restic, like Go's net/url, splits at the first colon, so the name
# may contain "@" too.
_USERINFO = re.compile(r"(?P<before>://[^/:]*):(?P<password>[^/]*)@")

# Characters of a part of a URL that are more likely a token than a word.
_TELLING = 16

_PRIVATE_KEY = re.compile(
    r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)-----END \1PRIVATE KEY-----", re.DOTALL
)


@frozen(repr=False, str=False)
class Secret:
    """
    A string that hides itself: ``repr`` and ``str`` return ``***``.

    Two secrets are equal if their values are, so that a reload detects a changed password.
    """

    _value: str = field(converter=str)

    def reveal(self) -> str:
        """Return the value; call this only where it is used."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


def redact_url(text: str) -> str:
    """Replace the password of every ``scheme://user:password@host`` in ``text`` by ``***``."""
    return _USERINFO.sub(rf"\g<before>:{MASK}@", text)


def url_passwords(text: str) -> Iterator[Secret]:
    """Yield the passwords that `redact_url` would mask in ``text``, as written and decoded."""
    for match in _USERINFO.finditer(text):
        for form in {match["password"], unquote(match["password"])}:
            yield Secret(form)


def secret_url_forms(url: str) -> Iterator[Secret]:
    """Yield a URL that is a secret as a whole, and parts that reveal it without the host."""
    yield Secret(url)
    rest = re.sub(r"^[^/?]*//[^/?]*", "", url)
    if len(rest) >= _TELLING:
        yield Secret(rest)
    yield from (Secret(part) for part in re.split(r"[/?&=]", rest) if len(part) >= _TELLING)


def basic_auth_secret(username: str, password: Secret) -> Secret:
    """Return the value after ``Basic`` in an Authorization header with ``password``."""
    pair = f"{username}:{password.reveal()}".encode("utf-8", "surrogatepass")
    return Secret(b64encode(pair).decode())


def private_key_secrets(pem: bytes) -> Iterator[Secret]:
    """Yield the private keys in ``pem`` line by line: a text may contain only a part of one."""
    for _, body in _PRIVATE_KEY.findall(pem.decode("latin-1")):
        yield from map(Secret, body.split())
