"""Label values that no repository's content can break."""

import hashlib
import re

MAX_LENGTH = 255
_HASH_DIGITS = 8

# Control characters (C0, DEL, C1) and lone surrogates, which UTF-8 cannot carry.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def sanitise(text: str) -> str:
    """
    ``text`` as a label value: no control character, no surrogate, at most 255 characters.

    Unprintable characters become U+FFFD; a text that is too long is cut and ends in a
    hash of the whole, so that two long ones stay two.
    """
    # No more than what will be shown, and one character that tells that there are more.
    shown = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: MAX_LENGTH + 1])
    return shown if len(shown) <= MAX_LENGTH else with_hash(shown, text)


def with_hash(shown: str, identity: str) -> str:
    """``shown``, cut where needed, with ``~`` and a short hash of ``identity`` at its end."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{shown[: MAX_LENGTH - 1 - _HASH_DIGITS]}~{digest[:_HASH_DIGITS]}"
