"""The fleets of the benchmark: a repository made by restic, many times, behind a rest-server."""

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path

from attrs import define

from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, restic

from .b2 import Sealer

# scrypt's N and p: what restic chooses on an idle machine; and cheap ones, as to open 10,000
# repositories takes an hour or two, which is measured by itself.
USUAL = 32768, 5
EASY = 1024, 1

FOLDERS = ("data", "index", "keys", "locks", "snapshots")


class MasterSealer(Sealer):
    """A sealer that can also lock its key away."""

    def key_file(self, like: bytes, password: str, n: int, p: int) -> bytes:
        """A key file ``like`` another of the repository, with these parameters of scrypt."""
        salt = os.urandom(64)
        derived = hashlib.scrypt(
            password.encode(), salt=salt, n=n, r=8, p=p, maxmem=2**28, dklen=64
        )
        encrypt, k, r = (base64.b64encode(key).decode() for key in self._keys)
        inner = json.dumps({"mac": {"k": k, "r": r}, "encrypt": encrypt}).encode()
        master, self._keys = self._keys, (derived[:32], derived[32:48], derived[48:])
        data = self.seal(inner)
        self._keys = master
        new = {"salt": base64.b64encode(salt).decode(), "data": base64.b64encode(data).decode()}
        return json.dumps({**json.loads(like), **new, "N": n, "r": 8, "p": p}).encode()


@define
class Template:
    """A repository that was made by restic, in ``path``; ``snapshot`` is its first one."""

    path: Path
    sealer: MasterSealer
    snapshot: dict[str, object]

    @classmethod
    def make(cls, folder: Folder, name: str, snapshots: int, hosts: int) -> "Template":
        """A repository of this many snapshots of this many hosts, each sealed by itself."""
        path = folder.path / name
        data = folder.write(f"{name}.data", "content")
        # In version 1 of the format nothing is compressed.
        restic(path, "init", "--repository-version", "1")
        restic(path, "backup", "--host", "host0", str(data))
        (key,) = (path / "keys").iterdir()
        (first,) = (path / "snapshots").iterdir()
        sealer = MasterSealer(key.read_bytes(), EXAMPLE_PASSWORD)
        template = cls(path, sealer, json.loads(sealer.open(first.read_bytes())))
        # restic itself chooses them by how busy the machine is at this moment.
        template.lock(*USUAL)
        for number in range(1, snapshots):
            template.add(f"host{number % hosts}")
        return template

    @property
    def key(self) -> Path:
        """Its only key file."""
        (file,) = (self.path / "keys").iterdir()
        return file

    def add(self, host: str) -> Path:
        """One more snapshot: its file."""
        sealed = self.sealer.seal(json.dumps({**self.snapshot, "hostname": host}).encode())
        path = self.path / "snapshots" / hashlib.sha256(sealed).hexdigest()
        path.write_bytes(sealed)
        return path

    def lock(self, n: int, p: int) -> None:
        """Put the master key behind a derivation with these parameters of scrypt."""
        old = self.key
        content = self.sealer.key_file(old.read_bytes(), EXAMPLE_PASSWORD, n, p)
        old.unlink()
        (self.path / "keys" / hashlib.sha256(content).hexdigest()).write_bytes(content)


class Fleet:
    """Copies of a template behind a rest-server; their files are hard links to its own."""

    def __init__(self, folder: Folder, template: Template, size: int) -> None:
        self.template = template
        self.root = folder.path / f"fleet{size}-{template.path.name}"
        self.names = [f"r{number}" for number in range(size)]
        for name in self.names:
            for sub in FOLDERS:
                (self.root / name / sub).mkdir(parents=True)
            os.link(template.path / "config", self.root / name / "config")
            for sub in ("keys", "snapshots"):
                for file in (template.path / sub).iterdir():
                    os.link(file, self.root / name / sub / file.name)
        self.server = RestServer(folder, self.root)

    def add_snapshot(self) -> str:
        """One new snapshot in each repository: its id."""
        new = self.template.add("host0")
        for name in self.names:
            os.link(new, self.root / name / "snapshots" / new.name)
        return new.name

    def entries(self) -> list[dict[str, str]]:
        """The config's entries."""
        return [
            {"repo": self.server.url(name), "password": EXAMPLE_PASSWORD} for name in self.names
        ]

    def urls(self, *paths: str) -> list[str]:
        """These paths in each repository."""
        return [
            f"http://{self.server.address}/{name}/{path}" for name in self.names for path in paths
        ]

    def urls_of_all(self) -> list[str]:
        """All that a first read asks for, once each."""
        key, snapshots = self.template.key, (self.template.path / "snapshots").iterdir()
        files = [f"keys/{key.name}", *(f"snapshots/{file.name}" for file in snapshots)]
        return self.urls("snapshots/", "locks/", "keys/", "config", *files)

    def close(self) -> None:
        """End the server and remove the copies."""
        self.server.stop()
        shutil.rmtree(self.root)
