"""Masks secrets in texts."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from urllib.parse import quote, quote_plus

from attrs import define, field

from .secret import MASK, Secret, redact_url

# Shorter secrets are not masked: masking each ``a`` would make a text unreadable, and the
# places of the masks would reveal the secret.
SHORTEST = 4

# Characters that URLs, JSON and quotes leave unchanged.
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")

# Texts that can occur in a word by accident: short ones, and those like a dictionary word.
# Without characters that are escaped somewhere.
_LIKE_A_WORD = re.compile(r"[ -$&-\[\]-~]{1,7}|[A-Za-z]{1,19}")

# Escapes and colours that end in a letter or digit which is not part of a word.
_ESCAPE = re.compile(
    r"(?:\\(?:[a-z]|x\w\w|u\w{4}|U\w{8}|[0-7]{3})|%(?:25)*[0-9A-Fa-f]{2}|(?:\x1b|\\\w+)\[[0-9;]*m)\Z"
)
_LONGEST_ESCAPE = 20


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """
    Return ``text`` with URL passwords and all ``secrets`` masked.

    For many secrets or texts, make `Masks` once.
    """
    return Masks.of(secrets).redact(text)


def _forms(value: str) -> Iterable[str]:
    """
    Return ``value`` as written, in a URL, in JSON and in Python's quotes.

    Quoted forms also come without backslashes, see `Masks.redact`.
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
        # One quoted in the other: each leaves some characters unquoted.
        json.dumps(repr(value)[1:-1])[1:-1],
        repr(json.dumps(value, ensure_ascii=False)[1:-1])[1:-1],
    )
    return {*quoted, quote(raw), quote(raw, safe=""), quote_plus(raw), *map(_unquoted, quoted)}


def _unquoted(text: str) -> str:
    """Return ``text`` without backslashes, the only difference of nested quotes."""
    return text.replace("\\", "")


def is_like_a_word(value: str) -> bool:
    """
    Return whether ``value`` may occur in words by accident; masks there would reveal it.

    Such a secret is masked only as a whole word.
    """
    return _LIKE_A_WORD.fullmatch(value) is not None


def _is_in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_whole_word(text: str, start: int, end: int) -> bool:
    """Return whether ``text[start:end]`` is not part of a longer word."""
    if end < len(text) and _is_in_word(text[end - 1]) and _is_in_word(text[end]):
        return False
    if start == 0 or not (_is_in_word(text[start - 1]) and _is_in_word(text[start])):
        return True
    return _ESCAPE.search(text, max(0, start - _LONGEST_ESCAPE), start) is not None


@define
class Masks:
    """
    Finds secrets in texts, as written and in their quoted and encoded forms.

    The time depends on the length of the text, not on the number of secrets: each position is
    looked up by its first characters. Adding a secret takes some microseconds. Ignores
    secrets of fewer than `SHORTEST` characters; finds those like a word as whole words only.
    """

    # The lengths of the secrets by their first characters, the longest first.
    _lengths: dict[str, tuple[int, ...]] = field(factory=dict, repr=False)
    _known: set[str] = field(factory=set, repr=False)
    # Secrets that are found only as whole words.
    _words: set[str] = field(factory=set, repr=False)
    _public: str = field(default="", repr=False)

    @classmethod
    def of(cls, secrets: Iterable[Secret], public: Iterable[str] = ()) -> "Masks":
        """
        Make masks for ``secrets``, except those that occur in one of the ``public`` texts.

        Masks in public texts would reveal the secret.
        """
        masks = cls()
        for secret in secrets:
            masks._add(secret.reveal())
        # Joined to one text, for later searches: a label has no line ends.
        masks._public = "\n".join(form for text in public for form in {text, _unquoted(text)})
        while found := {masks._public[start:end] for start, end in masks._scan(masks._public)}:
            masks._known -= found
        return masks

    def add(self, secret: Secret) -> None:
        """Add one secret, unless it occurs in a public text."""
        # The first test is quick, and nearly always enough.
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
        Yield start and end of each secret, the longest at each position.

        ``is_whole_word`` decides whether a match is a whole word, by default in ``text``.
        """
        is_whole_word = is_whole_word or partial(_is_whole_word, text)
        lengths = self._lengths
        positions = range(len(text) - SHORTEST + 1 if lengths else 0)
        # A comprehension skips most positions quickly; every log line passes here.
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
        """Find secrets, also with backslashes in them, ordered by their starts."""
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
        Return ``text`` with these secrets and all URL passwords masked.

        Finds secrets in nested quotes too, which add only backslashes.
        """
        parts = []
        shown = 0
        for start, end in self._find(text):
            # Mask overlapping secrets completely.
            if start >= shown:
                parts += [text[shown:start], MASK]
            shown = max(shown, end)
        return redact_url("".join([*parts, text[shown:]]))


@define
class Redactor:
    """
    Masks the current secrets of the daemon.

    ``live`` returns the few secrets that change, such as the token of a secret store; it is
    called for each text.
    """

    live: Callable[[], Iterable[Secret]] = tuple
    _masks: Masks = field(factory=Masks)
    _before: Masks | None = None
    _live_secrets: tuple[Secret, ...] = ()
    _live_masks: Masks = field(factory=Masks)

    def replace(self, masks: Masks) -> None:
        """
        Use the ``masks`` of a new config from now on.

        The previous ones stay until the next change, as a collection may still use them.
        """
        if masks != self._masks:
            self._before, self._masks = self._masks, masks

    def add(self, secrets: Iterable[Secret]) -> None:
        """Mask these too, which were looked up for the current config."""
        for secret in secrets:
            self._masks.add(secret)

    def redact(self, text: str) -> str:
        """Return ``text`` with all current secrets masked."""
        try:
            live = tuple(self.live())
        except Exception:
            # A bug in a plugin must not break the log, which reports that bug.
            live = self._live_secrets
        if live != self._live_secrets:
            self._live_secrets, self._live_masks = live, Masks.of(live)
        for masks in (self._masks, self._before, self._live_masks):
            if masks is not None:
                text = masks.redact(text)
        return text
