"""Computes the wait before a retry."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from twisted.web.http_headers import Headers

# Seconds before each retry after a broken connection.
BROKEN_WAITS = (0.25, 1.0)
# Seconds before each retry after a status of 429 or 5xx.
STATUS_WAITS = (0.5, 1.0, 2.0)

_SECONDS = re.compile(r"[0-9]{1,9}")


def backoff(waits: tuple[float, ...], tries: int, random: Callable[[], float]) -> float | None:
    """
    Return the wait after ``tries`` earlier ones, with jitter; ``None`` for no more retries.

    ``random`` returns a number from 0 to below 1; the jitter adds up to half of the wait.
    """
    return waits[tries] * (1 + random() / 2) if tries < len(waits) else None


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds of the Retry-After header (seconds or a date); never negative."""
    values = headers.getRawHeaders("Retry-After")
    if not values:
        return None
    text = values[0].strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, moment - now)


def is_retryable(status: int) -> bool:
    """Return whether a request with this status may succeed after a retry."""
    return status == 429 or 500 <= status < 600
