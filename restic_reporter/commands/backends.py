"""What ``restic-reporter backends`` prints."""

from collections.abc import Iterable

from ..interfaces import IBackendMaker
from ..model.schemes import RESTIC_SCHEMES
from ..plugin.discovery import Plugins, by_scheme, installed_plugins, package_of
from ..plugin.makers import BackendMaker

Row = tuple[str, str, str]

_HEAD: Row = ("SCHEME", "LISTED BY", "READ BY")


def backends_table(plugins: Plugins | None = None) -> tuple[list[str], list[str]]:
    """
    The lines of the table, and what is broken, a line for each.

    Imports every backend, to see whether that can be done.
    """
    plugins = plugins or installed_plugins()
    rows = []
    problems = [f"the plugin {broken}" for broken in plugins.broken]
    for maker in plugins.makers:
        problem = _problem_of(maker)
        if problem is not None:
            problems.append(f"cannot create the backend {maker.name!r}: {problem}")
        package = package_of(maker)
        rows += [
            (scheme, package, "nothing: it is broken" if problem else _reader(maker, scheme))
            for scheme in maker.schemes
        ]
    served = {scheme for scheme, _, _ in rows}
    rows += [(scheme, "-", "restic alone") for scheme in RESTIC_SCHEMES if scheme not in served]
    try:
        by_scheme(plugins.makers)
    except ValueError as error:
        problems.append(str(error))
    return list(_aligned([_HEAD, *sorted(rows)])), problems


def _problem_of(maker: IBackendMaker) -> str | None:
    if isinstance(maker, BackendMaker):
        try:
            maker.load()
        except ImportError as error:
            return str(error)
    return None


def _reader(maker: IBackendMaker, scheme: str) -> str:
    return "restic, native" if scheme in RESTIC_SCHEMES or maker.locates else "native"


def _aligned(rows: list[Row]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
