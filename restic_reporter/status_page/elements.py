"""Pieces of HTML that several pages use. Pure."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import urlencode

from twisted.web.template import Tag, tags

from . import units
from .markup import Markup, Node, markup

NO_VALUE = "\N{EN DASH}"

_BREAKS = re.compile(r"(?<=[/@])(?!/)|(?<=:)(?=[a-z])")


def svg(name: str, *children: Node, **attributes: str) -> Tag:
    """Return an element of SVG."""
    return Tag(name)(*children, **attributes)


def symbol(name: str) -> Tag:
    """Return a decorative symbol of `SPRITE`."""
    use = svg("use", href=f"#i-{name}")
    return svg("svg", use, **{"class": "symbol", "aria-hidden": "true"})


# Each state has a shape of its own, for those who do not see its colour.
_SHAPES = {
    "late": "M8 1.5 15.2 14.5H.8zM7.2 6v4.2h1.6V6zm0 5.4V13h1.6v-1.6z",
    "absent": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1m0 1.8A5.2 5.2 0 1 1 8 13.2 5.2 5.2 0 0 1 8 2.8"
    "M4.6 7.1h6.8v1.8H4.6z",
    "unreadable": "M3.3 2 8 6.7 12.7 2 14 3.3 9.3 8 14 12.7 12.7 14 8 9.3 3.3 14 2 "
    "12.7 6.7 8 2 3.3z",
    "unlimited": "M8 1.5 14.5 8 8 14.5 1.5 8zM8 4.1 4.1 8 8 11.9 11.9 8z",
    "fine": "M6.2 13.2 1.3 8.3l1.5-1.5 3.4 3.4 7-7 1.5 1.5z",
    "retired": "M2 2h12v3.5H2zm1 4.5h10V14H3zm3 1.5v1.5h4V8z",
    "waiting": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1m.9 3v4l2.7 2.7-1.2 1.2L7.1 8.6V4z",
    "key": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1",
}
SPRITE = svg(
    "svg",
    *(
        svg(
            "symbol",
            svg("path", **{"fill-rule": "evenodd", "d": shape}),
            id=f"i-{name}",
            viewBox="0 0 16 16",
        )
        for name, shape in _SHAPES.items()
    ),
    **{"class": "sprite", "aria-hidden": "true"},
)


@lru_cache
def badge(name: str, text: str) -> Markup:
    """Return a state: its symbol, its name and its colour."""
    return markup(tags.span(symbol(name), text, class_=f"badge {name}"))


def moment(when: float, text: str) -> Tag:
    """Return ``text`` for a time in Unix seconds, with the exact time on hover."""
    return tags.time(text, datetime=units.machine_time(when), title=units.local_time(when))


def ago(when: float, now: float) -> Tag:
    """Return how long ago or ahead ``when`` is."""
    if when > now:
        return moment(when, f"in {units.duration(when - now)}")
    return moment(when, f"{units.duration(now - when)} ago")


def name(text: str) -> Tag:
    """Return a name from a repository: isolated, as it may be written right to left."""
    return tags.bdi(text)


@lru_cache(maxsize=512)
def repository_link(url: str) -> Markup:
    """Return a link to the page of a repository."""
    # Where it is best broken into lines.
    parts = [part for piece in _BREAKS.split(url) for part in (piece, tags.wbr())][:-1]
    return markup(tags.a(tags.bdi(*parts, class_="cut", title=url), href=repository_url(url)))


def repository_url(url: str, page: int = 1) -> str:
    """Return the relative address of a repository's page."""
    arguments = {"url": url, **({"page": str(page)} if page > 1 else {})}
    return f"repository?{urlencode(arguments, errors='replace')}"


def number(value: str | None, label: str) -> Tag:
    """Return a cell with a number, or a dash without one; narrow screens show its ``label``."""
    content = tags.span(NO_VALUE, class_="none") if value is None else value
    return cell(content, class_="number", **{"data-label": label})


def cell(*content: Node, **attributes: str) -> Tag:
    """Return a cell; its role stays if narrow screens lay out the table as cards."""
    return tags.td(*content, role="cell", **attributes)


def row_header(*content: Node, **attributes: str) -> Tag:
    """Return the cell that names its row."""
    return tags.th(*content, scope="row", role="rowheader", **attributes)


def row(*cells: Node, **attributes: str) -> Tag:
    """Return a row of a table."""
    return tags.tr(*cells, role="row", **attributes)


def table(caption: str, columns: Iterable[Node], rows: Node, class_: str = "") -> Tag:
    """Return a table; ``columns`` are its header cells, or their texts."""
    headers = [
        one if isinstance(one, Tag) else tags.th(one, scope="col", role="columnheader")
        for one in columns
    ]
    return tags.table(
        tags.caption(caption, class_="hidden"),
        tags.thead(row(*headers), role="rowgroup"),
        tags.tbody(rows, role="rowgroup"),
        role="table",
        class_=class_,
    )


def pager(page: int, pages: int, link: Callable[[int], str], label: str) -> Node:
    """Return the links to other pages of a list, nothing for a single page."""
    if pages == 1:
        return ""

    def step(text: str, target: int, rel: str) -> Tag:
        if 1 <= target <= pages:
            return tags.a(text, href=link(target), rel=rel)
        return tags.span(text, class_="none")

    return tags.nav(
        step("Previous", page - 1, "prev"),
        tags.span(f"Page {page:,} of {pages:,}"),
        step("Next", page + 1, "next"),
        class_="pager",
        **{"aria-label": label},
    )
