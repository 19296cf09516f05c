"""
Sphinx extension: lets the pages of docs/ be read on a forge too.

- A comment that begins with a line ``<!-- site`` shows only on the site. A line ``include ../X.md``
  in it is that file, without its title.
- The lists of docs/index.md become the navigation.
- Links to a former section of a page that was divided lead to the page that has it now.
- A line that ends with ``<!-- forge -->`` shows only on a forge.
- Links to README.md and others above docs/ lead to their page here; those to folders become text.
- Blocks of code get the colours of their language, which the pages do not name.
- Short code in a line is not broken; names of tests are, behind the class.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_SITE_ONLY = re.compile(r"^<!-- site\n(.*?)^-->\n", re.DOTALL | re.MULTILINE)
_INCLUDE = re.compile(r"^include \.\./(\S+)\n", re.MULTILINE)
_LINK_OF_ROOT = re.compile(r"\]\((?!https?:|#)(docs/)?")
_LINK_ABOVE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(#[^)]*)?\)")
# These pages were divided: they name the pages that have their former sections now.
_DIVIDED = ("howto", "insight", "reference")
_FORMER = re.compile(rf"\]\(({'|'.join(_DIVIDED)})\.md#([^)]+)\)")
_FORGE_ONLY = re.compile(r"^.*<!-- forge -->\n\n?", re.MULTILINE)
_MOVED = re.compile(r'<a id="([^"]+)"></a>\[[^\]]+\]\(([^)]+)\)')
_NAME_OF_TEST = re.compile(r"\[(\w+Tests)\.(test_\w+)\]")
_CHAPTER = re.compile(r"^## (.+)\n+((?:- .*\n)+)", re.MULTILINE)
_ITEM = re.compile(r"^- \[([^\]]+)\]\((\S+)\.md\)", re.MULTILINE)

_COMMANDS = (
    r"amtool|apt|b2|backup|cat|chgrp|chmod|cp|curl|echo|install|kill|kubectl|mkdir|openssl|pip"
    r"|pipx|podman|prometheus|promtool|python3?|report-result|restic|restic-reporter|runuser|sed"
    r"|setfacl|setpriv|ssh|sudo|systemctl|systemd-run|tox|twistd|useradd|vault"
    r"|\.?[\w./-]*/[\w./-]+"
)
_LANGUAGES = (
    ("json", r'\[\n|\{\s*"'),
    ("ini", r"(# \S+\n)?\[[A-Z]\w+\]\n"),
    ("python", r'"""|@|from |import |class |def |[A-Z_]{2,} = '),
    ("yaml", r"(#.*\n)?(- )?\w+:(\s|$)"),
    ("console", r"\$ "),
    ("bash", rf"(cd \S+\n|[A-Z_]+=\S+ +)*({_COMMANDS})( |\n|$)"),
)
# Longer code in a line may be broken at a hyphen.
_SHORT = 30


def for_the_site(text: str) -> str:
    """Return a page as the site shows it."""
    text = _FORGE_ONLY.sub("", _SITE_ONLY.sub(r"\1", text))
    text = _INCLUDE.sub(_included, text)
    text = _FORMER.sub(_former, text)
    text = _NAME_OF_TEST.sub("[\\1.\u200b\\2]", text)
    return _LINK_ABOVE.sub(_link, text)


def _included(found: re.Match[str]) -> str:
    text = (_DOCS.parent / found[1]).read_text().partition("\n")[2]
    return _LINK_OF_ROOT.sub(lambda link: "](" if link[1] else "](../", text)


def _former(found: re.Match[str]) -> str:
    place = moved(found[1]).get(found[2])
    return f"]({place})" if place else found[0]


@cache
def moved(page: str) -> Mapping[str, str]:
    """Return where the former sections of a page are now, by anchor."""
    return dict(_MOVED.findall((_DOCS / f"{page}.md").read_text()))


def _link(found: re.Match[str]) -> str:
    text, target, anchor = found[1], found[2], found[3] or ""
    page = "index" if target == "README.md" else target.removesuffix(".md").lower()
    if target.endswith(".md") and (_DOCS / f"{page}.md").exists():
        return f"[{text}]({page}.md{anchor})"
    # Sphinx copies files, but not folders, and takes other Markdown for pages of its own.
    plain = target.endswith(".md") or (_DOCS.parent / target).is_dir()
    return text if plain else found[0]


def with_navigation(text: str) -> str:
    """Return the page with its lists of pages as chapters of the navigation."""
    return _CHAPTER.sub(_chapter, text)


def _chapter(found: re.Match[str]) -> str:
    pages = "".join(f"{name} <{page}>\n" for name, page in _ITEM.findall(found[2]))
    tree = f"```{{toctree}}\n:hidden:\n:caption: {found[1]}\n\n{pages}```\n"
    return f"{found[0]}\n{tree}"


def language_of(code: str) -> str:
    """Return the language of a block of code, as Pygments calls it."""
    for name, start in _LANGUAGES:
        if re.match(start, code):
            return name
    return "text"


def _read(app: Any, name: str, source: list[str]) -> None:
    text = for_the_site(source[0])
    source[0] = with_navigation(text) if name == app.config.root_doc else text


def _parsed(app: Any, document: Any) -> None:
    for block in document.findall(lambda node: node.tagname == "literal_block"):
        # MyST calls it so where the page names none.
        if block["language"] == "none":
            block["language"] = language_of(block.astext())
            block["force"] = True
    for code in document.findall(lambda node: node.tagname == "literal"):
        if len(code.astext()) <= _SHORT:
            code["classes"].append("short")


def _signature(
    app: Any, what: str, name: str, value: object, options: object, *texts: str | None
) -> tuple[str | None, ...]:
    # Interfaces and attrs' factories are values, which Sphinx shows by their repr.
    shown = (text and re.sub(r"<InterfaceClass ([\w.]+)>", r"\1", text) for text in texts)
    return tuple(text and text.replace("= NOTHING", "= …") for text in shown)


def setup(app: Any) -> dict[str, bool]:
    """Connect it."""
    app.connect("source-read", _read)
    app.connect("doctree-read", _parsed)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
