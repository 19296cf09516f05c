"""Tests of `restic_reporter.redaction.masks`."""

import json
import random
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.redaction.masks import Masks, Redactor, is_like_a_word, redact
from restic_reporter.redaction.secret import (
    MASK,
    Secret,
    basic_auth_secret,
    private_key_secrets,
    url_passwords,
)
from tests.doubles.certificates import Authority

# A mask could be part of a secret with a star, and what is around it the rest.
SECRETS = st.lists(
    st.text(st.characters(exclude_categories=(), exclude_characters="*"), min_size=4), max_size=8
)
PIECES = st.lists(st.text(st.characters(exclude_categories=(), exclude_characters="*:")))

FORMS: dict[str, Callable[[str], str]] = {
    "as it stands": str,
    "in a URL": lambda value: quote(value.encode("utf-8", "surrogatepass"), safe=""),
    "in a path": lambda value: quote(value.encode("utf-8", "surrogatepass")),
    "in a form": lambda value: quote_plus(value.encode("utf-8", "surrogatepass")),
    "in JSON": json.dumps,
    "in JSON, not ASCII": lambda value: json.dumps({"key": value}, ensure_ascii=False),
    "repr": repr,
    "repr in words": lambda value: repr(f"the 'one' and \"{value}\""),
    "repr in double quotes": lambda value: repr(f"it's {value}"),
    "bytes": lambda value: repr(value.encode("utf-8", "surrogatepass")),
    "nested": lambda value: f"{[value]} {{'key': {value!r}}}",
}

NESTED: dict[str, Callable[[str], str]] = {
    "repr of a repr": lambda value: repr([repr(f"it's {[value]}"), "'"]),
    "bytes in JSON": lambda value: json.dumps(repr(value.encode("utf-8", "surrogatepass"))),
    "JSON in JSON": lambda value: json.dumps([json.dumps({"key": repr(value)})]),
    "thrice": lambda value: json.dumps(json.dumps(json.dumps([value, "'"]))),
}

# What may stand before a secret in a text, and ends in a letter or digit.
ESCAPES = ("\n", "\t", "\x01", "\u2713 ", "\udc80", "\U0001f600", "%2F", "%0a")


class RedactTests(SynchronousTestCase):
    """`redact`."""

    def test_secrets(self) -> None:
        """Every secret is masked, wherever it stands, the longest first."""
        secrets = [Secret("sesame"), Secret("sesame-open")]
        self.assertEqual(redact("a sesame-open, b=sesame", secrets), "a ***, b=***")

    def test_short(self) -> None:
        """A secret of a few letters is not masked, which would show it by where the masks are."""
        self.assertEqual(redact("an aim", [Secret("a"), Secret("")]), "an aim")

    def test_urls(self) -> None:
        """URL passwords are masked too."""
        self.assertEqual(redact("http://u:p@h/"), "http://u:***@h/")


class MasksTests(SynchronousTestCase):
    """`Masks`."""

    @settings(deadline=None)
    @given(SECRETS, st.data())
    def test_none_survives(self, values: list[str], data: st.DataObject) -> None:
        """Wherever secrets stand in a text, and however they overlap, none is left in it."""
        parts = st.one_of(st.text(), st.sampled_from(values)) if values else st.text()
        # Halves of secrets too, which next to others make up a whole one.
        parts = parts.flatmap(lambda part: st.sampled_from([part, part[:3], part[3:]]))
        text = "".join(data.draw(st.lists(parts, max_size=8)))
        shown = Masks.of(map(Secret, values)).redact(text)
        left = [value for value in values if value in shown and not is_like_a_word(value)]
        self.assertEqual(left, [])

    @settings(deadline=None)
    @given(st.from_regex(r"[A-Za-z]{4,12}", fullmatch=True), st.sampled_from(sorted(ESCAPES)))
    def test_word(self, value: str, before: str) -> None:
        """One that is like a word is masked wherever it is a whole word, whatever letters belong
        to something else before it; and never within a word."""
        masks = Masks.of([Secret(value)])
        for name, form in {**FORMS, **NESTED}.items():
            for text in (form(f"a {value}, b"), form(f"{before}{value}=1"), form(value)):
                self.assertNotIn(value, masks.redact(text), name)
        for text in (f"1{value}", f"x{value}\n{value}y", f"_{value}", f"{value}_1", f"{value}é"):
            for form in (str, repr):
                self.assertEqual(masks.redact(form(text)), form(text))

    def test_own_words(self) -> None:
        """Weak passwords show in no longer word; strong ones are masked there too."""
        weak = Masks.of(map(Secret, ["repo", "read", "pass1", "backupserver", "a-b.c"]))
        text = "already repositories, /srv/read_only, pass10, backupservers, data-b.comma"
        self.assertEqual(weak.redact(text), text)
        text = "'repo' read/repo (pass1) \\nread %2Fread \x1b[1mread backupserver; a-b.c"
        self.assertEqual(weak.redact(text), "'***' ***/*** (***) \\n*** %2F*** \x1b[1m*** ***; ***")
        quoted = Masks.of([Secret("it's")])
        self.assertEqual(quoted.redact(r"a\\\\nit\\\\\'s b"), r"a\\\\n*** b")
        strong = Masks.of(map(Secret, ["backup-1", "sésame", "q" * 20, "per%t"]))
        text = f"xbackup-12 xsésames x{'q' * 20}x per%ts"
        self.assertEqual(strong.redact(text), "x***2 x***s x***x ***s")

    def test_same_form(self) -> None:
        """What one secret looks like that is like no word is masked everywhere, though another
        one, that is like a word, looks the same."""
        # The first without its backslashes is the second.
        values = [Secret("re\\\\\\\\ad"), Secret("read")]
        for secrets in (values, values[::-1]):
            self.assertEqual(Masks.of(secrets).redact("xread"), "x***")

    @settings(deadline=None)
    @given(st.data())
    def test_no_secret_no_change(self, data: st.DataObject) -> None:
        """A text without a secret is as it was, though it has all but an end of one."""
        # Letters have no other forms.
        values = data.draw(st.lists(st.text("abc", min_size=4, max_size=9), min_size=1))
        parts = [part for value in values for part in (value[:-1], value[1:])]
        pieces = data.draw(st.lists(st.sampled_from([*parts, " ", "/", "\\", "%", "\n", "z"])))
        text = "".join(pieces)
        assume(not any(value in text.replace("\\", "") for value in values))
        self.assertEqual(Masks.of(map(Secret, values)).redact(text), text)

    @settings(deadline=None)
    @given(st.text(st.characters(exclude_categories=(), exclude_characters="*"), min_size=4))
    def test_forms(self, value: str) -> None:
        """A secret is found in the forms in which libraries and servers repeat it."""
        masks = Masks.of([Secret(value)])
        # Where there is little but backslashes, not in quotes within quotes.
        nested = NESTED if len(value.replace("\\", "")) >= 4 else {}
        for name, form in {**FORMS, **nested}.items():
            shown = masks.redact(f"<{form(value)}>")
            self.assertIn(MASK, shown, name)
            self.assertNotIn(form(value).strip("\"'"), shown, name)

    def test_overlapping(self) -> None:
        """Where two secrets overlap, nothing of either is left."""
        masks = Masks.of([Secret("abcdef12"), Secret("def12ghi"), Secret("c%def12")])
        self.assertEqual(masks.redact("1abcdef12ghi2"), "1***2")
        self.assertEqual(masks.redact("abcdef12def12ghi"), "******")
        masks = Masks.of([Secret("ab%cdefgh"), Secret("%cdef")])
        self.assertEqual(masks.redact("1ab%cdefgh2"), "1***2")
        masks = Masks.of([Secret("abc-def"), Secret("def ghi")])
        self.assertEqual(masks.redact("1 abc-def ghi 2"), "1 *** 2")

    def test_public(self) -> None:
        """What can be read in a label is no secret: a mask in it would tell the secret."""
        secrets = [Secret("eu-central-1"), Secret("central"), Secret("sesame"), Secret("sesam")]
        masks = Masks.of(secrets, ["s3:s3.eu-central-1.amazonaws.com/b", "/srv/sesam"])
        self.assertEqual(masks.redact("eu-central-1 /srv/sesam"), "eu-central-1 /srv/sesam")
        self.assertEqual(masks.redact("sesame"), "***")
        masks = Masks.of([Secret("do\\main")], ["/srv/do\\main", "/srv/do\\\\main", "domain"])
        self.assertEqual(masks.redact("do\\main"), "do\\main")

    def test_public_later(self) -> None:
        """So it is with a secret that comes later."""
        masks = Masks.of([], ["/srv/sesame/a", "/srv/b"])
        for value in ("sesame", "open", "a/srv"):
            masks.add(Secret(value))
        self.assertEqual(masks.redact("sesame open a/srv"), "sesame *** ***")

    def test_public_word(self) -> None:
        """A secret that is like a word and only a part of one in a label is masked all the same."""
        for later in (False, True):
            masks = Masks.of([] if later else [Secret("repo")], ["/srv/repository"])
            if later:
                masks.add(Secret("repo"))
            self.assertEqual(masks.redact("/srv/repository: repo"), "/srv/repository: ***")

    def test_empty(self) -> None:
        """A text of any length, and no secrets at all, are no special case."""
        for text in ("", "a", "abc", "abcd"):
            self.assertEqual(Masks.of([Secret("abcd")]).redact(text), text.replace("abcd", MASK))
            self.assertEqual(Masks().redact(text), text)

    def test_many(self) -> None:
        """The time for a text does not grow with the number of secrets, alike as they may be."""
        source = random.Random(7)
        values = [f"password-{source.randrange(10**12)}" for _ in range(30_000)]
        masks = Masks.of(map(Secret, values))
        looks = 0

        class Counting(str):
            __slots__ = ()

            def __getitem__(self, key: Any) -> str:
                nonlocal looks
                looks += 1
                return super().__getitem__(key)

            def __contains__(self, key: Any) -> bool:
                nonlocal looks
                looks += 1
                return super().__contains__(key)

        text = Counting(f"a password-1 and {values[-1]}")
        self.assertEqual(masks.redact(text), "a password-1 and ***")
        # One for each character, and one for each length of a secret that may begin there.
        self.assertLess(looks, 100)

    def test_hidden(self) -> None:
        """It does not show what it knows."""
        self.assertNotIn("sesame", repr(Masks.of([Secret("sesame")])))

    def test_url_passwords(self) -> None:
        """A password in a URL is taken as it is written there, and decoded."""
        found = set(url_passwords("rest:https://me:p%2fw@h/ and /a:b@c and http://u@h/"))
        self.assertEqual(found, {Secret("p%2fw"), Secret("p/w")})

    def test_basic_auth(self) -> None:
        """The header that carries a password is a secret too."""
        header = f"Authorization: Basic {b64encode('me:sésame'.encode()).decode()}"
        masks = Masks.of([basic_auth_secret("me", Secret("sésame"))])
        self.assertEqual(masks.redact(header), "Authorization: Basic ***")

    def test_private_key(self) -> None:
        """Of a private key every line is masked, in a text or in bytes; certificates are not."""
        pem = Authority.make().issue()
        key = pem.decode().split("-----")[2].split()
        self.assertGreater(len(key), 1)
        masks = Masks.of(private_key_secrets(pem))
        for shown in (masks.redact(pem.decode()), masks.redact(repr(pem)), masks.redact(key[1])):
            self.assertEqual([line for line in key if line in shown], [])
        self.assertIn(
            pem.decode().split("-----BEGIN CERTIFICATE-----")[1], masks.redact(pem.decode())
        )


class RedactorTests(SynchronousTestCase):
    """`Redactor`."""

    def test_replace(self) -> None:
        """The secrets of the config before the last change are masked still, older ones not."""
        redactor = Redactor()
        self.assertEqual(redactor.redact("first"), "first")
        redactor.replace(Masks.of([Secret("first")]))
        redactor.replace(Masks.of([Secret("second")]))
        redactor.replace(Masks.of([Secret("second")]))
        self.assertEqual(redactor.redact("first second third"), "*** *** third")
        redactor.replace(Masks.of([Secret("third")]))
        self.assertEqual(redactor.redact("first second third"), "first *** ***")

    def test_add(self) -> None:
        """What is looked up for a config while it is in use is masked as long as that is."""
        redactor = Redactor()
        redactor.replace(Masks.of([Secret("first")]))
        redactor.add([Secret("later")])
        self.assertEqual(redactor.redact("first later"), "*** ***")
        for name in ("second", "third"):
            redactor.replace(Masks.of([Secret(name)]))
        self.assertEqual(redactor.redact("first later"), "first later")

    def test_live(self) -> None:
        """Secrets that come and go are masked as long as they are there."""
        now = [Secret("token-1")]
        redactor = Redactor(lambda: now)
        self.assertEqual(redactor.redact("token-1 token-2"), "*** token-2")
        now[:] = [Secret("token-2")]
        self.assertEqual(redactor.redact("token-1 token-2"), "token-1 ***")

    def test_live_broken(self) -> None:
        """Where they cannot be had any more, those that were there are masked still."""
        now = [[Secret("token-1")]]
        redactor = Redactor(lambda: now.pop())
        for _ in range(2):
            self.assertEqual(redactor.redact("token-1"), "***")

    def test_url(self) -> None:
        """Without any secret known, URL passwords are masked."""
        self.assertEqual(Redactor().redact("http://u:p@h/"), "http://u:***@h/")
