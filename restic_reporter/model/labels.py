"""Label values that no repository's content can break."""

import hashlib
import re

MAX_LENGTH = 255
_HASH_DIGITS = 8

# Control characters (C0, DEL, C1) and lone surrogates, which UTF-8 cannot carry.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def sanitise(text: str) -> str:
    """
    Return ``text`` as a label value: no control character, no surrogate, at most 255 characters.

    Unprintable characters become U+FFFD. A longer text is cut, with a hash of the whole at
    its end, so that long texts stay distinct.
    """
    # One character more than the limit shows that the text is too long.
    shown = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: MAX_LENGTH + 1])
    return shown if len(shown) <= MAX_LENGTH else with_hash(shown, text)


def with_hash(shown: str, identity: str) -> str:
    """Return ``shown``, cut if needed, with ``~`` and a short hash of ``identity``."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{shown[: MAX_LENGTH - 1 - _HASH_DIGITS]}~{digest[:_HASH_DIGITS]}"
