"""Results of jobs over HTTP: ``POST /-/results?url=LABEL&kind=KIND&exit=N[&time=UNIX]``."""

# Much of Twisted has no types yet.
# mypy: allow-untyped-calls

import re
from collections import Counter

from twisted.web.http import OK
from twisted.web.server import Request

from ..model.results import KINDS, Result
from .order import Lifecycle, Order, Parameters, bad_request, unknown_label
from .response import respond_text

_NEEDED, _OPTIONAL = ("url", "kind", "exit"), ("time",)

# Seconds that the clock of another machine may be ahead.
_AHEAD = 3600.0

# As the exit statuses of all systems.
_STATUS = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


class ResultsPage(Order):
    """``POST /-/results``: the response comes when the result is noted."""

    def follow(self, request: Request, lifecycle: Lifecycle, parameters: Parameters) -> int:
        """Note a result."""
        try:
            label, result = result_of(parameters, lifecycle.now())
        except ValueError as error:
            return bad_request(request, str(error))
        if not lifecycle.knows(label):
            return unknown_label(request)
        what = f"result of {result.kind} for {label} (exit status {result.exit}) reported"
        self.note(request, what)
        if lifecycle.add_result(label, result):
            return respond_text(request, OK, "OK")
        return respond_text(request, OK, f"OK, but a newer result of {result.kind} is known")


def result_of(parameters: Parameters, now: float) -> tuple[str, Result]:
    """
    Return the label and the result in the ``parameters``; it has ended ``now`` by default.

    :raises ValueError: they are not valid; the message is for the user.
    """
    counts = Counter(name for name, _ in parameters)
    for name, count in counts.items():
        if name not in (*_NEEDED, *_OPTIONAL):
            known = ", ".join((*_NEEDED, *_OPTIONAL))
            raise ValueError(f"unknown parameter {name!r}; known are {known}")
        if count > 1:
            raise ValueError(f"more than one {name}")
    values = dict(parameters)
    for name in _NEEDED:
        if not values.get(name):
            raise ValueError(f"{name} is missing")
    kind, status = values["kind"], values["exit"]
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known are {', '.join(KINDS)}")
    if not _STATUS.fullmatch(status):
        raise ValueError(f"exit must be an integer, not {status!r}")
    time = _time_of(values["time"], now) if "time" in values else now
    return values["url"], Result(kind, time, int(status))


def _time_of(text: str, now: float) -> float:
    if not _TIME.fullmatch(text):
        raise ValueError(f"time must be in Unix seconds, not {text!r}")
    time = float(text)
    if time > now + _AHEAD:
        raise ValueError(f"time {text} is more than an hour ahead; must be in Unix seconds")
    return time
