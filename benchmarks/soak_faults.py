"""What goes wrong in the soak, one kind at a time or several."""

import contextlib
import hashlib
import random
import signal
import socket
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from attrs import define, field

from tests.doubles.daemons import Daemon

from .soak_world import World

# Repositories that one fault spoils, where it does not spoil a whole server.
FEW = 5


@define
class Fault:
    """Nothing that is wrong: kinds of faults override what they need."""

    world: World
    daemon: Daemon
    chance: random.Random
    # Whether a repository may have been read before the fault, and fail afterwards.
    strikes_late: ClassVar[bool] = False

    def begin(self) -> Iterable[str]:
        """Break something; the names of the repositories that may fail by it."""
        return ()

    def during(self) -> None:
        """Do something while the daemon collects."""

    def end(self) -> None:
        """Mend it."""

    def few(self) -> list[str]:
        """Some repositories."""
        return self.chance.sample(self.world.names, min(FEW, len(self.world.names)))


class RestServerDown(Fault):
    """The rest-server refuses connections."""

    def begin(self) -> Iterable[str]:
        self.world.rest.stop()
        return self.world.of_kind("rest")

    def end(self) -> None:
        # The two kinds that stop it may come together.
        if self.world.rest.program.process.poll() is not None:
            self.world.rest.start_again()


class RestServerDies(RestServerDown):
    """The rest-server dies in the middle of a collection, or in the second of two."""

    strikes_late = True

    def begin(self) -> Iterable[str]:
        return self.world.of_kind("rest")

    def during(self) -> None:
        time.sleep(self.chance.random())
        self.world.rest.stop()


class RestServerStalls(Fault):
    """The rest-server answers nothing for some seconds: nobody may fail by that."""

    def during(self) -> None:
        self.world.rest.program.signal(signal.SIGSTOP)
        time.sleep(3)
        self.world.rest.program.signal(signal.SIGCONT)


class SshdDown(Fault):
    """The sshd is gone with all its sessions."""

    def begin(self) -> Iterable[str]:
        self.world.sshd.stop()
        return self.world.of_kind("sftp")

    def end(self) -> None:
        self.world.sshd.start()


@define
class Gone(Fault):
    """The folders of some repositories are away."""

    names: list[str] = field(factory=list, init=False)

    def begin(self) -> Iterable[str]:
        self.names = [name for name in self.few() if self.world.path(name).exists()]
        for name in self.names:
            self.world.path(name).rename(self._away(name))
        return self.names

    def end(self) -> None:
        for name in self.names:
            self._away(name).rename(self.world.path(name))

    def _away(self, name: str) -> Path:
        return self.world.path(name).with_name(f"away-{name}")


@define
class Corrupt(Fault):
    """Some repositories have a new snapshot with a flipped bit."""

    files: list[tuple[str, str]] = field(factory=list, init=False)

    def begin(self) -> Iterable[str]:
        for name in self.few():
            if self.world.path(name).exists():
                content = self.world.sealed("host0", datetime.now(UTC))
                file = hashlib.sha256(content).hexdigest()
                self.world.write(name, f"snapshots/{file}", content[:-1] + bytes([content[-1] ^ 1]))
                self.files.append((name, file))
        return [name for name, _ in self.files]

    def end(self) -> None:
        for name, file in self.files:
            (self.world.path(name) / "snapshots" / file).unlink()


class BadConfig(Fault):
    """A reload with a config that is none, and one with the good config."""

    def begin(self) -> Iterable[str]:
        good = self.daemon.config.read_text()
        for text in ('[{"repo": 5}', good):
            self.daemon.configure(text)
            self.daemon.reload()
        return ()


class Orders(Fault):
    """Orders to collect, again and again while a collection runs."""

    def during(self) -> None:
        for _ in range(20):
            self.daemon.program.signal(signal.SIGUSR1)
            self.daemon.get("/metrics")


@define
class Clients(Fault):
    """A hundred clients that ask for the page and never read it."""

    clients: list[socket.socket] = field(factory=list, init=False)

    def begin(self) -> Iterable[str]:
        host, _, port = self.daemon.address.rpartition(":")
        for _ in range(100):
            client = socket.create_connection((host, int(port)))
            self.clients.append(client)
            with contextlib.suppress(OSError):
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        return ()

    def end(self) -> None:
        for client in self.clients:
            client.close()


FAULTS: list[type[Fault]] = [
    RestServerDown,
    RestServerDies,
    RestServerStalls,
    SshdDown,
    Gone,
    Corrupt,
    BadConfig,
    Orders,
    Clients,
]
