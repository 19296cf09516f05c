"""How long to wait before a request is tried again."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from twisted.web.http_headers import Headers

# Seconds before each further try of a request whose connection broke.
BROKEN_WAITS = (0.25, 1.0)
# Seconds before each further try of one that was answered 429 or 5xx.
STATUS_WAITS = (0.5, 1.0, 2.0)

_SECONDS = re.compile(r"[0-9]{1,9}")


def backoff(waits: tuple[float, ...], tries: int, random: Callable[[], float]) -> float | None:
    """
    The wait after ``tries`` earlier waits, up to half longer by chance; ``None`` for no more.

    ``random`` gives a number from 0 to below 1.
    """
    return waits[tries] * (1 + random() / 2) if tries < len(waits) else None


def retry_after(headers: Headers, now: float) -> float | None:
    """Seconds to wait, as the Retry-After header (seconds or a date) asks; never negative."""
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
    """Whether a status says that the same request may be answered better soon."""
    return status == 429 or 500 <= status < 600
