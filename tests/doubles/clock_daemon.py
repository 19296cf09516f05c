"""A daemon whose wall clock a test sets forward, so that schedules are due at once."""

import sys
from typing import Any

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder

# Like the script twistd, but the seconds in a file are added to the time.
_TWISTD = """#!{python}
import time
real = time.time
def now():
    with open({path!r}) as file:
        return real() + float(file.read())
time.time = now
from twisted.scripts.twistd import run
run()
"""


class ClockDaemon(Daemon):
    """``twistd -n restic-reporter`` with a clock that can be set, and no scheduled collections."""

    def __init__(self, folder: Folder, config: Any, *options: str, **more: Any) -> None:
        self._clock = folder.write("clock", "0")
        self._seconds = 0.0
        text = _TWISTD.format(python=sys.executable, path=str(self._clock))
        twistd = folder.write("clock-twistd", text, 0o755)
        options = ("--cron=0 0 29 2 *", *options)
        super().__init__(folder, config, *options, twistd=str(twistd), **more)

    def pass_time(self, seconds: float) -> None:
        """Set the clock forward, and have the daemon look at it, which a reload does."""
        self._seconds += seconds
        self._clock.with_name("new").write_text(str(self._seconds))
        self._clock.with_name("new").replace(self._clock)
        self.reload()
