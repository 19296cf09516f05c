"""Shows progress on a terminal: a bar, and log lines above it."""

import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from attrs import define

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

# A repository that takes longer, in seconds, is named below the bar.
_SLOW = 2.0

_BAR_WIDTH = 40


def is_terminal(stream: IO[str] | None) -> bool:
    """Return whether ``stream`` is a terminal; ``None`` is not."""
    return stream is not None and stream.isatty()


def console_of(stream: IO[str]) -> "Console":
    """Return a console of rich for the terminal ``stream``."""
    # It takes as long to import as a tenth of the daemon.
    from rich.console import Console

    return Console(file=stream, force_terminal=True, markup=False, highlight=False, emoji=False)


def plain(text: str) -> str:
    """Return ``text`` in one line, without control characters."""
    return "".join(
        one if one.isprintable() else " " if one.isspace() else "\N{REPLACEMENT CHARACTER}"
        for one in text
    )


def bar(done: int, count: int, slow: Sequence[tuple[str, float]]) -> Any:
    """Return the progress bar, with the slow repositories and their seconds below it."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 1))
    line.add_row(
        "reading repositories", ProgressBar(max(count, 1), done, _BAR_WIDTH), f"{done} of {count}"
    )
    named = [f"{seconds:6.0f} s  {plain(url)}" for url, seconds in slow if seconds >= _SLOW]
    return Group(line, *(Text(one, no_wrap=True, overflow="ellipsis") for one in named))


@define(eq=False)
class Screen:
    """
    Standard error, as a stream for log lines; a context manager.

    Where that is a terminal, else on standard output where that is one, it has a progress bar.
    """

    _console: "Console | None" = None
    _log_above: bool = False
    _live: "Live | None" = None

    @classmethod
    def of_process(cls) -> "Screen":
        """Return the screen of this process."""
        for stream in (sys.stderr, sys.stdout):
            if is_terminal(stream):
                return cls(console_of(stream), log_above=stream is sys.stderr)
        return cls()

    def __enter__(self) -> "Screen":
        if self._console is not None:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, done: int, count: int, longest: Sequence[tuple[str, float]]) -> None:
        """Update the bar, if there is one."""
        if self._live is not None:
            self._live.update(bar(done, count, longest), refresh=True)

    def write(self, text: str) -> None:
        """Write log lines, above the bar."""
        if self._console is not None and self._log_above:
            from rich.text import Text

            self._console.print(Text(text), end="", soft_wrap=True)
        elif sys.stderr is not None:
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        if sys.stderr is not None:
            sys.stderr.flush()
