"""
What a client accepts, read from its headers. Pure.

What makes no sense in a header counts for nothing.
"""

import re
from collections.abc import Iterator

# Real headers have some hundred characters; what lies beyond this is not looked at.
MAX_HEADER = 4096

OPENMETRICS = "application/openmetrics-text"

_QUALITY = re.compile(r"0(\.[0-9]{0,9})?|1(\.0{0,9})?")


def _items(header: str | None) -> Iterator[tuple[str, dict[str, str], float]]:
    """The header's alternatives in lower case: name, parameters, q. Unusable ones are left out."""
    header = header or ""
    if len(header) > MAX_HEADER:
        # Only whole items: half a parameter could say the reverse of the whole one.
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
    Whether OpenMetrics 1.0 is the answer to a request with this ``Accept`` header, rather
    than the text format 0.0.4.

    It is where the client names it (a wildcard is not enough), without a version or with
    1.0.0, and does not like ``text/plain`` better.
    """
    openmetrics = 0.0
    text: dict[str, float] = {}
    for name, parameters, quality in _items(accept):
        version = parameters.get("version")
        if name == OPENMETRICS and version in (None, "1.0.0"):
            openmetrics = max(openmetrics, quality)
        elif name in ("text/plain", "text/*", "*/*") and version in (None, "0.0.4"):
            text[name] = max(text.get(name, 0.0), quality)
    # The most specific range that matches decides, as RFC 9110, 12.5.1 has it.
    plain = text.get("text/plain", text.get("text/*", text.get("*/*", 0.0)))
    return openmetrics > 0 and openmetrics >= plain


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether gzip may be the content coding, and the client does not like none better."""
    codings: dict[str, float] = {}
    for name, _, quality in _items(accept_encoding):
        name = "gzip" if name == "x-gzip" else name
        codings[name] = max(codings.get(name, 0.0), quality)
    gzip = codings.get("gzip", codings.get("*", 0.0))
    return gzip > 0 and gzip >= codings.get("identity", 0.0)
