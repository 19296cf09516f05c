"""The package sources of this machine, as apt's configuration lists them."""

import re
import sys
from pathlib import Path

# Suite names of the distribution itself in a machine's own sources, besides its codename.
MOVING_SUITES = {"stable", "oldstable", "testing", "unstable", "sid"}

Stanza = dict[str, str]


def one_line_stanza(line: str) -> Stanza | None:
    """The deb822 form of a line of sources.list; None if it is no binary source."""
    match = re.match(r"deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s", line)
    if match is None:
        return None
    stanza = {"types": "deb", "uris": match["uri"], "suites": match["suite"]}
    for option in (match["options"] or "").split():
        key, _, value = option.partition("=")
        stanza[key.lower()] = value.replace(",", " ")
    return stanza


def deb822_stanzas(text: str) -> list[Stanza]:
    """The stanzas of a .sources file, keys in lower case, continuation lines kept as written."""
    stanzas = []
    without_comments = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", without_comments):
        fields = re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        stanzas.append({key.lower(): value.rstrip() for key, value in fields})
    return stanzas


def machine_stanzas(etc_apt: Path) -> list[Stanza]:
    """All enabled binary sources configured below etc_apt."""
    stanzas = []
    for path in [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            stanzas += [stanza for line in lines if (stanza := one_line_stanza(line.strip() + " "))]
        elif path.suffix == ".sources" and path.is_file():
            stanzas += deb822_stanzas(path.read_text(encoding="utf-8"))
    return [
        stanza
        for stanza in stanzas
        if "deb" in stanza.get("types", "").split() and stanza.get("enabled", "yes") != "no"
    ]


def own_mirror(stanzas: list[Stanza], codename: str) -> Stanza:
    """The source that this machine itself was installed from."""
    for stanza in stanzas:
        suites = set(stanza.get("suites", "").split())
        on_disc = stanza.get("uris", "").startswith("cdrom:")
        if not on_disc and suites & (MOVING_SUITES | {codename}):
            return stanza
    sys.exit(f"no mirror is known: /etc/apt lists no source for {codename}")
