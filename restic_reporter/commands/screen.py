"""What a command shows on a terminal while it runs: a progress bar, and log lines above it."""

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
    """Whether people read ``stream``; not where there is none."""
    return stream is not None and stream.isatty()


def console_of(stream: IO[str]) -> "Console":
    """The library's way to write to the terminal ``stream``, which nothing else forces on us."""
    # It takes as long to import as a tenth of the daemon.
    from rich.console import Console

    return Console(file=stream, force_terminal=True, markup=False, highlight=False, emoji=False)


def plain(text: str) -> str:
    """``text`` without what a terminal would obey, in one line."""
    return "".join(
        one if one.isprintable() else " " if one.isspace() else "\N{REPLACEMENT CHARACTER}"
        for one in text
    )


def bar(done: int, count: int, slow: Sequence[tuple[str, float]]) -> Any:
    """The progress bar, and below it the repositories that take long, with their seconds."""
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
        """The one of this process."""
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
        """Bring the bar up to date, where there is one."""
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
        """Let what was written be seen."""
        if sys.stderr is not None:
            sys.stderr.flush()
