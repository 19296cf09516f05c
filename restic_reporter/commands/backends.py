"""``restic-reporter backends``: list the installed backends."""

from ..interfaces import IBackendMaker
from ..model.schemes import RESTIC_SCHEMES
from ..plugin.discovery import Plugins, by_scheme, installed_plugins, package_of
from ..plugin.makers import BackendMaker


def backends_table(plugins: Plugins | None = None) -> tuple[list[str], list[str]]:
    """Return the lines of the table, and the problems; import every backend to find these."""
    plugins = plugins or installed_plugins()
    rows = []
    problems = [f"the plugin {plugin}" for plugin in plugins.broken]
    for maker in plugins.makers:
        problem = _problem_of(maker)
        if problem is not None:
            problems.append(f"cannot create the backend {maker.name!r}: {problem}")
        for scheme in maker.schemes:
            by_restic = scheme in RESTIC_SCHEMES or maker.locates
            readers = "restic, native" if by_restic else "native"
            rows.append((scheme, package_of(maker), "nothing: broken" if problem else readers))
    served = {scheme for scheme, _, _ in rows}
    rows += [(scheme, "-", "restic alone") for scheme in RESTIC_SCHEMES if scheme not in served]
    try:
        by_scheme(plugins.makers)
    except ValueError as error:
        problems.append(str(error))
    rows = [("SCHEME", "LISTED BY", "READ BY"), *sorted(rows)]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{one:{first}}  {two:{second}}  {three}" for one, two, three in rows], problems


def _problem_of(maker: IBackendMaker) -> str | None:
    if isinstance(maker, BackendMaker):
        try:
            maker.load()
        except ImportError as error:
            return str(error)
    return None
