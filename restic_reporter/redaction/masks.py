"""Shows texts without the secrets in them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from urllib.parse import quote, quote_plus

from attrs import define, field

from .secret import MASK, Secret, redact_url

# Masking each ``a`` would make a text unreadable, and show the secret by where the masks are.
SHORTEST = 4

# What stands as it is in a URL, in JSON and between quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")

# What can be a word, or a part of one, by accident: short, or like a word of a dictionary.
# Nothing that is escaped somehow.
_LIKE_A_WORD = re.compile(r"[ -$&-\[\]-~]{1,7}|[A-Za-z]{1,19}")

# What ends in a letter or digit that belongs to no word: escaped characters, colours.
_ESCAPE = re.compile(
    r"(?:\\(?:[a-z]|x\w\w|u\w{4}|U\w{8}|[0-7]{3})|%(?:25)*[0-9A-Fa-f]{2}|(?:\x1b|\\\w+)\[[0-9;]*m)\Z"
)
_LONGEST_ESCAPE = 20


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """
    ``text`` as it may be printed: URL passwords and every one of ``secrets`` masked.

    Where there are many secrets or texts, make `Masks` once.
    """
    return Masks.of(secrets).redact(text)


def _forms(value: str) -> Iterable[str]:
    """
    ``value`` as it stands, and as it looks in a URL, in JSON and in Python's own quotes.

    The latter without backslashes too, see `Masks.redact`.
    """
    if _PLAIN.fullmatch(value):
        return (value,)
    raw = value.encode("utf-8", "surrogatepass")
    quoted = (
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(raw)[2:-1],
        # The one in the other: each leaves some characters alone.
        json.dumps(repr(value)[1:-1])[1:-1],
        repr(json.dumps(value, ensure_ascii=False)[1:-1])[1:-1],
    )
    return {
        *quoted,
        quote(raw),
        quote(raw, safe=""),
        quote_plus(raw),
        *map(_unquoted, quoted),
    }


def _unquoted(text: str) -> str:
    """``text`` without what quotes within quotes differ by."""
    return text.replace("\\", "")


def is_like_a_word(value: str) -> bool:
    """
    Whether ``value`` may be in texts by accident, so that masks within words would tell it.

    Such a secret is masked as a whole word only.
    """
    return _LIKE_A_WORD.fullmatch(value) is not None


def _is_in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_whole_word(text: str, start: int, end: int) -> bool:
    """Whether what is there in ``text`` is no part of a longer word."""
    if end < len(text) and _is_in_word(text[end - 1]) and _is_in_word(text[end]):
        return False
    if start == 0 or not (_is_in_word(text[start - 1]) and _is_in_word(text[start])):
        return True
    return _ESCAPE.search(text, max(0, start - _LONGEST_ESCAPE), start) is not None


@define
class Masks:
    """
    Finds secrets in texts, each secret as it stands and in the forms in which it gets printed.

    However many they are, a text takes time by its length only: each position is looked up by
    the characters that begin there. A secret takes some microseconds to add. Secrets of fewer
    than `SHORTEST` characters are left out; those that are like a word are found as whole
    words only.
    """

    # By their first characters: how long the secrets are that begin so, the longest first.
    _lengths: dict[str, tuple[int, ...]] = field(factory=dict, repr=False)
    _known: set[str] = field(factory=set, repr=False)
    # Those of them that are found as whole words only.
    _words: set[str] = field(factory=set, repr=False)
    _public: str = field(default="", repr=False)

    @classmethod
    def of(cls, secrets: Iterable[Secret], public: Iterable[str] = ()) -> "Masks":
        """
        Those for ``secrets``, but for what can be read in one of the ``public`` texts.

        Masks in these would tell what the secret is.
        """
        masks = cls()
        for secret in secrets:
            masks._add(secret.reveal())
        # One text, in which a later one can be looked for: a label has no line ends.
        masks._public = "\n".join(form for text in public for form in {text, _unquoted(text)})
        while found := {masks._public[start:end] for start, end in masks._scan(masks._public)}:
            masks._known -= found
        return masks

    def add(self, secret: Secret) -> None:
        """Find this one too, unless it can be read in a public text."""
        # The first is quick, and nearly always enough.
        found = any(form in self._public for form in _forms(secret.reveal()))
        if not (found and any(Masks.of([secret])._scan(self._public))):
            self._add(secret.reveal())

    def _add(self, value: str) -> None:
        if len(value) < SHORTEST or (value in self._known and value not in self._words):
            return
        for form in _forms(value):
            if len(form) >= SHORTEST:
                if not (is_like_a_word(value) and is_like_a_word(form)):
                    self._words.discard(form)
                elif form not in self._known:
                    self._words.add(form)
                self._known.add(form)
                head = form[:SHORTEST]
                lengths = {*self._lengths.get(head, ()), len(form)}
                self._lengths[head] = tuple(sorted(lengths, reverse=True))

    def _scan(
        self, text: str, is_whole_word: Callable[[int, int], bool] | None = None
    ) -> Iterator[tuple[int, int]]:
        """
        Where secrets begin and end, the longest one at each position.

        ``is_whole_word`` says whether one is a whole word, by default in ``text``.
        """
        is_whole_word = is_whole_word or partial(_is_whole_word, text)
        lengths = self._lengths
        positions = range(len(text) - SHORTEST + 1 if lengths else 0)
        # A comprehension is quick at passing over nearly all of them; every line comes here.
        for start in [one for one in positions if text[one : one + SHORTEST] in lengths]:
            for length in lengths[text[start : start + SHORTEST]]:
                end = start + length
                found = text[start:end]
                if end > len(text) or found not in self._known:
                    continue
                if found not in self._words or is_whole_word(start, end):
                    yield start, end
                    break

    def _find(self, text: str) -> Iterable[tuple[int, int]]:
        """Likewise, in the order of their beginnings, and whatever backslashes are in them."""
        found = list(self._scan(text))
        if "\\" in text:
            positions = [place for place, one in enumerate(text) if one != "\\"]

            def is_whole_word(start: int, end: int) -> bool:
                return _is_whole_word(text, positions[start], positions[end - 1] + 1)

            for start, end in self._scan(_unquoted(text), is_whole_word):
                found.append((positions[start], positions[end - 1] + 1))
        return sorted(found)

    def redact(self, text: str) -> str:
        """
        ``text`` with these secrets and all URL passwords masked.

        A secret is found in quotes within quotes too, as these add nothing but backslashes.
        """
        parts = []
        shown = 0
        for start, end in self._find(text):
            # Of two that overlap nothing may be left.
            if start >= shown:
                parts += [text[shown:start], MASK]
            shown = max(shown, end)
        return redact_url("".join([*parts, text[shown:]]))


@define
class Redactor:
    """
    Masks, for as long as the daemon lives, what must not be printed now.

    ``live`` gives the few secrets that come and go, such as the token of a secret store; it is
    called for each text.
    """

    live: Callable[[], Iterable[Secret]] = tuple
    _masks: Masks = field(factory=Masks)
    _before: Masks | None = None
    _live_secrets: tuple[Secret, ...] = ()
    _live_masks: Masks = field(factory=Masks)

    def replace(self, masks: Masks) -> None:
        """
        From now on use ``masks``, those of the config that is swapped in.

        Those before them stay until the next change, as a collection may still run with them.
        """
        if masks != self._masks:
            self._before, self._masks = self._masks, masks

    def add(self, secrets: Iterable[Secret]) -> None:
        """Mask these too, which have been looked up for the config that is in use."""
        for secret in secrets:
            self._masks.add(secret)

    def redact(self, text: str) -> str:
        """``text`` as it may be printed."""
        try:
            live = tuple(self.live())
        except Exception:
            # A bug of a plugin; a log that breaks over it would hide that very bug.
            live = self._live_secrets
        if live != self._live_secrets:
            self._live_secrets, self._live_masks = live, Masks.of(live)
        for masks in (self._masks, self._before, self._live_masks):
            if masks is not None:
                text = masks.redact(text)
        return text
