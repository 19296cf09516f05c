"""Run code as on a machine in another time zone."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def local_time(zone: str | None, **environment: str) -> Iterator[None]:
    """``TZ`` is ``zone`` (unset for ``None``), for Python and for the C library, until the end."""
    values: Mapping[str, str] = environment if zone is None else {"TZ": zone, **environment}
    try:
        with patch.dict(os.environ, values):
            if zone is None:
                os.environ.pop("TZ", None)
            time.tzset()
            yield
    finally:
        time.tzset()
