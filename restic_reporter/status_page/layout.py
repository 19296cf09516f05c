"""The frame around every page. Pure."""

from twisted.web.template import Tag, tags

from .assets import ICON, SCRIPT, STYLE
from .elements import SPRITE, moment, svg
from .markup import Node
from .units import local_time

_LINKS = {"./": "Backups", "repositories": "Repositories", "copies": "Copies", "metrics": "Metrics"}

_LOGO = svg(
    "svg",
    svg("path", d="M12 2 3 6v6c0 5 3.8 8.8 9 10 5.2-1.2 9-5 9-10V6z", **{"class": "shield"}),
    svg("path", d="m7.6 12 3.2 3.2 5.8-6", **{"class": "tick"}),
    viewBox="0 0 24 24",
    **{"class": "logo", "aria-hidden": "true"},
)


def page(
    title: str, here: str, main: Node, now: float, version: str, with_copies: bool = False
) -> Node:
    """
    Return a whole page.

    ``here`` is the address of its link in the navigation; ``with_copies`` shows that of the copies.
    """
    links = [
        tags.li(tags.a(text, href=link, **({"aria-current": "page"} if link == here else {})))
        for link, text in _LINKS.items()
        if with_copies or link != "copies"
    ]
    return tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.meta(name="color-scheme", content="light dark"),
            tags.title(title),
            tags.link(rel="stylesheet", href=STYLE.link),
            tags.link(rel="icon", href=ICON.link, type="image/svg+xml"),
            tags.script(src=SCRIPT.link, defer="defer"),
        ),
        tags.body(
            tags.a("Skip to content", href="#main", class_="skip"),
            SPRITE,
            tags.header(
                tags.div(
                    tags.a(_LOGO, "restic-reporter", href="./", class_="brand"),
                    tags.nav(tags.ul(*links), **{"aria-label": "Pages"}),
                    class_="wide",
                )
            ),
            Tag("main")(main, id="main", class_="wide", tabindex="-1"),
            tags.footer(
                tags.div(
                    tags.p("As of ", moment(now, local_time(now))),
                    tags.p(f"restic-reporter {version}"),
                    class_="wide",
                )
            ),
        ),
        lang="en",
    )
