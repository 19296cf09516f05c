"""The tiles and the filter above a long table."""

from collections.abc import Iterable

from attrs import frozen
from twisted.web.template import Tag, tags

from .elements import symbol
from .markup import Node


@frozen
class Tile:
    """A total that links to its rows; ``look`` is a state's symbol and colour, or empty."""

    look: str
    text: str
    total: int
    link: str
    is_current: bool


def tile_row(tiles: Iterable[Tile], label: str) -> Tag:
    """Return the tiles; ``label`` is for screen readers."""
    items = []
    for one in tiles:
        link = tags.a(
            tags.span(f"{one.total:,}", class_="total"),
            tags.span(symbol(one.look) if one.look else "", one.text, class_="what"),
            href=one.link,
            class_=f"tile {one.look or 'every'}{'' if one.total else ' zero'}",
        )
        items.append(tags.li(link(**{"aria-current": "true"}) if one.is_current else link))
    live = {"data-live": "", "aria-label": label}
    return tags.nav(tags.ul(*items, class_="tiles"), id="tiles", **live)


def filter_form(action: str, text: str, placeholder: str, *others: Node) -> Tag:
    """Return the search for ``text``, with ``others`` before its button."""
    return tags.form(
        tags.label("Filter", for_="q", class_="hidden"),
        tags.input(
            type="search",
            id="q",
            name="q",
            value=text,
            placeholder=placeholder,
            autocomplete="off",
            spellcheck="false",
            maxlength="300",
        ),
        *others,
        tags.button("Filter", type="submit"),
        method="get",
        action=action,
        role="search",
        class_="filter",
    )


def hidden_fields(values: dict[str, str]) -> list[Tag]:
    """Return fields that send these values along; empty ones are left out."""
    return [
        tags.input(type="hidden", name=key, value=value) for key, value in values.items() if value
    ]
