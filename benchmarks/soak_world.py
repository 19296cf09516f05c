"""The repositories of the soak: where they are, and what is true of them."""

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import define, field

from tests.doubles.daemons import Metrics
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer
from tests.doubles.sshd import Sshd

from .fleet_data import EASY, FOLDERS, Template

HOSTS = 3
SNAPSHOTS = 20
# One of so many is read by restic, which costs a process for each change.
RESTIC_SHARE = 10

# Snapshots of a repository, and the newest time of each host, Unix seconds.
Values = tuple[int | None, dict[str, float]]


@define
class World:
    """Repositories below one folder, reached in three ways."""

    template: Template
    sshd: Sshd
    rest: RestServer
    names: list[str]
    # Of each repository: the name of each snapshot's file, with host and time.
    snapshots: dict[str, dict[str, tuple[str, float]]] = field(factory=dict)
    _clock: datetime = datetime.now(UTC).replace(microsecond=0) - timedelta(days=300)

    @classmethod
    def make(cls, folder: Folder, size: int, chance: random.Random) -> "World":
        """So many repositories, each with snapshots of its own."""
        template = Template.make(folder, "template", 1, 1)
        template.lock(*EASY)
        sshd = Sshd(folder)
        rest = RestServer(folder, sshd.files)
        world = cls(template, sshd, rest, [f"r{number}" for number in range(size)])
        for name in world.names:
            path = world.path(name)
            for sub in FOLDERS:
                (path / sub).mkdir(parents=True)
            (path / "config").write_bytes((template.path / "config").read_bytes())
            (path / "keys" / template.key.name).write_bytes(template.key.read_bytes())
            world.snapshots[name] = {}
            for _ in range(SNAPSHOTS):
                world.add(name, chance)
        sshd.adopt(sshd.files)
        return world

    def path(self, name: str) -> Path:
        """The folder of a repository."""
        return self.sshd.files / name

    def kind(self, name: str) -> str:
        """How the daemon reaches it."""
        return ("rest", "sftp", "rest", "local")[int(name[1:]) % 4]

    def of_kind(self, kind: str) -> list[str]:
        """All that are reached in this way."""
        return [name for name in self.names if self.kind(name) == kind]

    def url(self, name: str) -> str:
        """Its label."""
        kind = self.kind(name)
        if kind == "rest":
            return self.rest.url(name)
        return self.sshd.url(name) if kind == "sftp" else f"local:{self.path(name)}"

    def entries(self) -> list[dict[str, object]]:
        """The config."""
        found: list[dict[str, object]] = []
        for number, name in enumerate(self.names):
            entry: dict[str, object] = {"repo": self.url(name), "password": EXAMPLE_PASSWORD}
            entry["reader"] = "native" if number % RESTIC_SHARE else "restic"
            if self.kind(name) == "sftp":
                entry["options"] = {"sftp.command": self.sshd.sftp_command()}
            found.append(entry)
        return found

    def sealed(self, host: str, when: datetime) -> bytes:
        """A snapshot of this host and time as it lies in a repository."""
        snapshot = {**self.template.snapshot, "hostname": host, "time": when.isoformat()}
        return self.template.sealer.seal(json.dumps(snapshot).encode())

    def add(self, name: str, chance: random.Random) -> None:
        """One more snapshot, later than all before it."""
        self._clock += timedelta(minutes=1)
        host = f"host{chance.randrange(HOSTS)}"
        sealed = self.sealed(host, self._clock)
        file = hashlib.sha256(sealed).hexdigest()
        self.write(name, f"snapshots/{file}", sealed)
        self.snapshots[name][file] = host, self._clock.timestamp()

    def write(self, name: str, file: str, content: bytes) -> None:
        """Put a file into a repository, for all who read it; whole, as restic does."""
        path = self.path(name) / file
        # Not beside it: a listing would show another name there.
        fresh = self.path(name) / "fresh"
        fresh.write_bytes(content)
        self.sshd.adopt(fresh)
        fresh.rename(path)

    def change(self, chance: random.Random) -> None:
        """Let a tenth of them have a backup, and another tenth forget their oldest snapshot."""
        for name in chance.sample(self.names, max(1, len(self.names) // 10)):
            self.add(name, chance)
        for name in chance.sample(self.names, max(1, len(self.names) // 10)):
            if len(self.snapshots[name]) > SNAPSHOTS // 2:
                oldest = min(self.snapshots[name], key=lambda file: self.snapshots[name][file][1])
                del self.snapshots[name][oldest]
                (self.path(name) / "snapshots" / oldest).unlink()

    def truth(self, name: str) -> Values:
        """What the page has to show."""
        newest: dict[str, float] = {}
        for host, when in self.snapshots[name].values():
            newest[host] = max(when, newest.get(host, 0.0))
        return len(self.snapshots[name]), newest

    def values(self, page: Metrics) -> dict[str, Values]:
        """What the page shows of each."""
        newest: dict[str, dict[str, float]] = {}
        for key, value in page.series("backup_newest_timestamp").items():
            labels = dict(key)
            newest.setdefault(labels["url"], {})[labels["host"]] = value
        found = {}
        for name in self.names:
            count = page.value("backup_snapshot_count", url=self.url(name))
            found[name] = None if count is None else int(count), newest.get(self.url(name), {})
        return found
