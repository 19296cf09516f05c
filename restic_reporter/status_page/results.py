"""The results of jobs, such as checks and restores. Pure."""

from twisted.web.template import tags

from ..model.results import Results
from .elements import NO_VALUE, ago, badge, cell, name, row, row_header, table
from .markup import Markup, Node
from .units import count


def failed(results: Results) -> bool:
    """Return whether a job of any kind has failed the last time."""
    return any(not one.success for one in results.values())


def failed_badges(results: Results) -> list[Markup]:
    """Return a badge for each kind of job that has failed the last time."""
    bad = [one.kind for one in results.values() if not one.success]
    return [badge("late", f"{kind.title()} failed") for kind in bad]


def failed_count(repositories: int) -> Node:
    """Return the number of repositories with failed jobs, as a link to them."""
    text = f"{count(repositories, 'repository')} with failed jobs"
    return tags.a(tags.strong(text), href="repositories")


def last_proof(results: Results, now: float) -> Node:
    """Return when the repository was last proven restorable; nothing if no such job reports."""
    reported = [results[kind] for kind in ("restore", "check") if kind in results]
    for one in reported:
        if one.last_success is not None:
            return [ago(one.last_success, now), f", by a {one.kind}"]
    return NO_VALUE if reported else ""


def results_table(results: Results, now: float) -> Node:
    """Return the latest job of each kind, the newest first."""
    newest = sorted(results.values(), key=lambda one: -one.time)
    messages = any(one.message for one in newest)
    rows = [
        row(
            row_header(one.kind.title()),
            cell(ago(one.time, now)),
            cell(
                badge("fine", "Successful") if one.success else badge("late", "Failed"),
                class_="state",
            ),
            cell("" if one.success else f"exit status {one.exit}"),
            *([cell(name(one.message), class_="message")] if messages else []),
        )
        for one in newest
    ]
    columns: list[Node] = ["Job", "Ended", "Outcome", "Status"]
    columns += ["Message"] if messages else []
    return table("Jobs", columns, rows, "jobs cards") if rows else ""
