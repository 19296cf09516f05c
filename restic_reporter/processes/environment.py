"""The environment of child processes."""

from collections.abc import Mapping

# The variables of the daemon's environment that a child may see.
_INHERITED = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "TZ", "LANG"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    )
)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the daemon's environment ``environ`` that children get."""
    return {name: value for name, value in environ.items() if name in _INHERITED}
