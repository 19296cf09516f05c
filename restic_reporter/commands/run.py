"""``restic-reporter run``: the daemon in the foreground, without a pidfile."""

from collections.abc import Sequence

from twisted.application.service import ServiceMaker
from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined]

_MAKER = ServiceMaker("restic-reporter", "restic_reporter.tap", "", "run")


class _Options(ServerOptions):
    """twistd's options, with ``run`` as the only command."""

    synopsis = "Usage: restic-reporter"
    subCommands = (("run", None, _MAKER.options, _MAKER.description),)


def run(arguments: Sequence[str]) -> None:
    """
    Run the daemon until a signal ends the process.

    It returns only as process 1 of a container, which survives its own signals.

    :raises SystemExit: with a message, if the options in ``arguments`` are invalid.
    """
    config = _Options()
    config.loadedPlugins = {_MAKER.tapname: _MAKER}
    config.parseOptions(["--nodaemon", "--pidfile=", "run", *arguments])
    runApp(config)
