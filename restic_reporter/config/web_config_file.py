"""The file of ``--web-config``, and what has changed in it."""

import os

from attrs import define, field

from ..model.errors import ConfigError
from ..web.security.web_config import WebConfig
from .sources import read_private_file
from .web_config import parse_web_config

_MAX_FILE = 2**20

Signature = tuple[int, ...]


def _signature(path: str) -> Signature:
    try:
        status = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return (
        *(status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns, status.st_mode),
    )


@define(eq=False)
class WebConfigFile:
    """
    The file ``path``, relative to ``directory``, and the files that it names.

    Relative paths in it are relative to its own folder.
    """

    path: str
    directory: str
    # Of each file that was read, or could not be: its state just before.
    _seen: dict[str, Signature] = field(init=False, factory=dict)
    _changing: dict[str, Signature] | None = field(init=False, default=None)

    def load(self) -> WebConfig:
        """
        Return the content. Blocks while it reads files.

        :raises ConfigError: with all that is wrong.
        """
        self._seen = {}
        self._changing = None
        place = os.path.join(self.directory, self.path)
        try:
            content = self._read(place)
        except OSError as error:
            raise ConfigError([f"{self.path}: cannot be read: {error.strerror}"]) from None
        except ValueError as error:
            raise ConfigError([f"{self.path}: {error}"]) from None
        return parse_web_config(content, self.path, place, self._read)

    def changed(self) -> WebConfig | ConfigError | None:
        """
        Return the new content, or the error in it, if it has changed since the last load.

        A change counts when the next look finds no other one: a certificate and its key are
        two files, and editors write a file in pieces. Blocks while it reads files.
        """
        now = {path: _signature(path) for path in self._seen}
        if now == self._seen:
            self._changing = None
            return None
        if now != self._changing:
            self._changing = now
            return None
        try:
            return self.load()
        except ConfigError as error:
            # The one raised would keep half a config, in a cycle.
            return ConfigError(error.problems)

    def _read(self, place: str) -> bytes:
        self._seen[place] = _signature(place)
        return read_private_file(place, _MAX_FILE)[0]
