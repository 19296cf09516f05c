"""The small pictures of a backup set: its age against its limit, and its days. Pure."""

from functools import lru_cache

from .elements import svg
from .markup import Markup, markup
from .strip import Day
from .units import count

_STEP, _WIDTH, _HEIGHT = 5, 4, 20

# Each kind of day has a height of its own, for those who do not see its colour.
_BARS = {Day.BACKUP: ("made", 0, _HEIGHT), Day.NONE: ("none", 16, 4), Day.MISSED: ("missed", 8, 12)}


@lru_cache(maxsize=512)
def days_picture(days: tuple[Day, ...], runs: tuple[int, int] | None = None) -> Markup:
    """
    Return the days as bars, with their numbers as text.

    ``runs`` are the numbers of due backups and of those that were made.
    """
    if not days:
        return Markup()
    bars = []
    for kind, (name, top, height) in _BARS.items():
        path = "".join(
            f"M{place * _STEP} {top}h{_WIDTH}v{height}h-{_WIDTH}z"
            for place, day in enumerate(days)
            if day is kind
        )
        if path:
            bars.append(svg("path", d=path, **{"class": name}))
    made, missed = days.count(Day.BACKUP), days.count(Day.MISSED)
    text = f"{made} of the last {count(len(days), 'day')} with a backup"
    if missed:
        text += f", due runs missed on {count(missed, 'day')}"
    if runs is not None and runs[0]:
        due, met = runs
        # Rounded down: 100 % are all.
        text += f"; {met} of {count(due, 'due backup')} made ({100 * met // due} %)"
    picture = svg(
        "svg",
        svg("title", text),
        *bars,
        role="img",
        **{"class": "days"},
        viewBox=f"0 0 {len(days) * _STEP - 1} {_HEIGHT}",
    )
    return markup(picture)


def age_picture(part: float) -> Markup:
    """Return a bar of the age as a ``part`` of the limit; the text beside it says the same."""
    kind = "over" if part > 1 else "near" if part > 0.8 else "within"
    return _age_picture(f"{min(max(part, 0.0), 1.0) * 100:.0f}", kind)


@lru_cache(maxsize=512)
def _age_picture(width: str, kind: str) -> Markup:
    picture = svg(
        "svg",
        svg("rect", width="100", height="4", rx="2", **{"class": "track"}),
        svg("rect", width=width, height="4", rx="2", **{"class": kind}),
        viewBox="0 0 100 4",
        preserveAspectRatio="none",
        **{"class": "age", "aria-hidden": "true"},
    )
    return markup(picture)
