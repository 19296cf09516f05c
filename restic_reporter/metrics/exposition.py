"""
Renders Prometheus's text format 0.0.4 and OpenMetrics 1.0. Pure.

prometheus_client renders each page from scratch: half a second of the reactor's time for
10,000 repositories. Sample lines are the same in both formats, so a repository's lines are
rendered once for each change, and a scrape only joins them.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


@frozen(eq=False)
class Family:
    """
    A metric family. ``kind`` is ``gauge``, ``counter`` (the name ends in ``_total``) or
    ``info`` (it ends in ``_info``).
    """

    name: str
    kind: str
    help: str

    def header(self, openmetrics: bool) -> bytes:
        """Return the HELP and TYPE lines."""
        name, kind = self.name, self.kind
        if openmetrics and kind != "gauge":
            name = name.removesuffix("_total" if kind == "counter" else "_info")
        elif kind == "info":
            kind = "gauge"
        help_text = self.help.translate(_ESCAPES if openmetrics else _HELP_ESCAPES)
        return f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n".encode()


def label_text(labels: Mapping[str, str]) -> str:
    """Return ``name="value",…`` with the values escaped."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())


def sample(family: Family, labels: str, value: float) -> str:
    """Return one line; ``labels`` are from `label_text`, or empty."""
    # An f-string takes half the time of a call for the number.
    if labels and not isinstance(value, bool):
        return f"{family.name}{{{labels}}} {value!r}\n"
    braces = f"{{{labels}}}" if labels else ""
    return f"{family.name}{braces} {number(value)}\n"


def number(value: float) -> str:
    """Return a value in the notation of both formats, without loss of precision."""
    return str(int(value)) if isinstance(value, bool) else repr(value)


def page(families: Iterable[tuple[Family, Sequence[bytes]]], openmetrics: bool) -> bytes:
    """Return the whole page: each family's header, followed by the pieces of its lines."""
    parts: list[bytes] = []
    for family, pieces in families:
        parts.append(family.header(openmetrics))
        parts.extend(pieces)
    if openmetrics:
        parts.append(b"# EOF\n")
    return b"".join(parts)
