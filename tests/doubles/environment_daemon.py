"""The daemon without a config file."""

import os
from collections.abc import Mapping, Sequence

from tests.doubles.daemons import SCRIPT, Daemon
from tests.doubles.programs import ROOT, Folder

RUN = (*SCRIPT, "run")


class EnvironmentDaemon(Daemon):
    """``restic-reporter run`` or another ``command``, with its config in the environment."""

    def __init__(
        self,
        folder: Folder,
        environment: Mapping[str, str],
        *options: str,
        command: Sequence[str] = RUN,
    ) -> None:
        self.folder = folder
        self.program = folder.run(
            [*command, *options],
            {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "LANG": "C.UTF-8",
                "LISTEN_ADDRESS": "127.0.0.1",
                "LISTEN_PORT": "0",
                **environment,
            },
        )
        self.address = ""
