"""Due times at equal distances."""

import math

from attrs import field, frozen

# A year.
_LONGEST = 366 * 86400


@frozen
class Interval:
    """
    Due times every ``seconds`` from ``start`` on, in Unix seconds.

    Neither time zones nor the length of a collection move them.
    """

    seconds: int
    start: float = field(eq=False)
    by_interval: bool = field(default=True, init=False, repr=False)

    def next_due(self, after: float) -> float:
        """Return the first due time later than ``after``, in Unix seconds."""
        passed = math.floor((after - self.start) / self.seconds)
        return self.start + (passed + 1) * self.seconds


def parse_interval(text: str, start: float) -> Interval:
    """
    Return the interval of so many whole seconds.

    :raises ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _LONGEST):
        raise ValueError(
            f"invalid value {text!r}; must be a whole number of seconds, from 1 to {_LONGEST}"
        )
    return Interval(int(text), start)
