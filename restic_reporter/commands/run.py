"""``restic-reporter run``: the daemon in the foreground, without a pidfile."""

from collections.abc import Sequence

from twisted.application.service import ServiceMaker
from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined]

_MAKER = ServiceMaker("restic-reporter", "restic_reporter.tap", "", "run")


class _Options(ServerOptions):
    """The options of twistd, with ``run`` as the only command."""

    synopsis = "Usage: restic-reporter"
    subCommands = (("run", None, _MAKER.options, _MAKER.description),)


def run(arguments: Sequence[str]) -> None:
    """
    Run the daemon until a signal ends the process.

    Process 1 of a container outlives its own signals, so this returns there.

    :raises SystemExit: with a message, where the options in ``arguments`` are wrong.
    """
    config = _Options()
    config.loadedPlugins = {_MAKER.tapname: _MAKER}
    config.parseOptions(["--nodaemon", "--pidfile=", "run", *arguments])
    runApp(config)
