"""
Reads from a client's headers which formats it accepts. Pure.

Invalid parts of a header are ignored.
"""

import re
from collections.abc import Iterator

# Real headers have a few hundred characters; the rest is ignored.
MAX_HEADER = 4096

OPENMETRICS = "application/openmetrics-text"

_QUALITY = re.compile(r"0(\.[0-9]{0,9})?|1(\.0{0,9})?")


def _items(header: str | None) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the header's valid alternatives in lower case: name, parameters, q."""
    header = header or ""
    if len(header) > MAX_HEADER:
        # Only whole items: a cut parameter could mean the opposite.
        header = header[:MAX_HEADER].rpartition(",")[0]
    for item in header.lower().split(","):
        name, *rest = (part.strip() for part in item.split(";"))
        parameters = {}
        for parameter in rest:
            key, _, value = parameter.partition("=")
            parameters[key.strip()] = value.strip().strip('"')
        quality = parameters.pop("q", "1")
        if name and _QUALITY.fullmatch(quality):
            yield name, parameters, float(quality)


def prefers_openmetrics(accept: str | None) -> bool:
    """
    Return whether to send OpenMetrics 1.0 for this ``Accept`` header, not text format 0.0.4.

    True if the client names it (a wildcard is not enough), without a version or with 1.0.0,
    and does not prefer ``text/plain``.
    """
    openmetrics = 0.0
    text: dict[str, float] = {}
    for name, parameters, quality in _items(accept):
        version = parameters.get("version")
        if name == OPENMETRICS and version in (None, "1.0.0"):
            openmetrics = max(openmetrics, quality)
        elif name in ("text/plain", "text/*", "*/*") and version in (None, "0.0.4"):
            text[name] = max(text.get(name, 0.0), quality)
    # The most specific matching range decides (RFC 9110, 12.5.1).
    plain = text.get("text/plain", text.get("text/*", text.get("*/*", 0.0)))
    return openmetrics > 0 and openmetrics >= plain


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether the client accepts gzip, and does not prefer no content coding."""
    codings: dict[str, float] = {}
    for name, _, quality in _items(accept_encoding):
        name = "gzip" if name == "x-gzip" else name
        codings[name] = max(codings.get(name, 0.0), quality)
    gzip = codings.get("gzip", codings.get("*", 0.0))
    return gzip > 0 and gzip >= codings.get("identity", 0.0)
