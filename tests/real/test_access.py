"""Tests of lost and changed keys and configs, with real repositories, servers and readers."""

import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import reactor as default_reactor

from restic_reporter.backends.b2 import B2Backend
from restic_reporter.backends.local import LocalBackend
from restic_reporter.backends.rest import RestBackend
from restic_reporter.model.access import KeyFacts
from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BackendSettings
from restic_reporter.redaction.secret import Secret
from tests.doubles.access_case import AccessCase
from tests.doubles.b2_case import B2Case
from tests.doubles.native_repositories import PASSWORD, SealedRepository, cheapen
from tests.doubles.repositories import b2_settings, settings_for
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example, restic

reactor: Any = default_reactor


class LostAndChangedTests(AccessCase):
    """Both readers, a folder and a REST server: the snapshots stay as they were."""

    def setUp(self) -> None:
        super().setUp()
        self.path = copy_example(self.folder.path / "repo")
        self.server = RestServer(self.folder, self.folder.path)
        self.let_days_pass()

    def ways(self) -> list[Callable[[], None]]:
        """Each way in which the repository is read, to be called for a begin."""
        places: list[tuple[Any, str, str]] = [
            (LocalBackend, "local", str(self.path)),
            (RestBackend, "rest", self.server.url("repo")),
        ]
        ways: list[Callable[[], None]] = []
        for reader in self.readers():
            for maker, scheme, url in places:
                settings = settings_for(url) if scheme == "rest" else BackendSettings()
                password = Secret(EXAMPLE_PASSWORD)
                entry = Repository(1, url, scheme, Secret(url), password, settings)
                ways.append(partial(self.use, maker.make(entry, self.tools), reader, entry))
        return ways

    async def assert_noticed(
        self, spoil: Callable[[], object], mend: Callable[[], object], reason: Reason
    ) -> None:
        """What was spoilt fails for this reason, and is read again when it is mended."""
        for begin in self.ways():
            begin()
            await self.assert_read(62)
            spoil()
            await self.assert_not_read(reason, 62)
            mend()
            await self.assert_read(62)

    def away(self, name: str) -> tuple[Callable[[], object], Callable[[], object]]:
        """Take a part of the repository away, and put it back."""
        part, elsewhere = self.path / name, self.folder.path / "elsewhere"
        return lambda: part.rename(elsewhere), lambda: elsewhere.rename(part)

    async def test_no_keys(self) -> None:
        """Emptied ``keys/``."""
        [key] = (self.path / "keys").iterdir()
        await self.assert_noticed(*self.away(f"keys/{key.name}"), Reason.KEYS)

    async def test_no_config(self) -> None:
        """A lost config."""
        await self.assert_noticed(*self.away("config"), Reason.NOT_FOUND)

    async def test_empty_config(self) -> None:
        """An emptied config."""
        config = self.path / "config"
        content = config.read_bytes()
        await self.assert_noticed(
            lambda: config.write_bytes(b""), lambda: config.write_bytes(content), Reason.KEYS
        )

    async def test_other_password(self) -> None:
        """A password that was changed, and changed back."""
        old, new = EXAMPLE_PASSWORD, "another password"
        await self.assert_noticed(
            partial(cheapen, self.path, old, new),
            partial(cheapen, self.path, new, old),
            Reason.AUTH,
        )

    async def test_made_anew(self) -> None:
        """An empty repository with another password at the same place is no success."""
        another = self.folder.path / "another"
        restic(another, "init", password="another password")
        cheapen(another, "another password")
        away, back = self.away("snapshots")

        def spoil() -> None:
            for name in ("config", "keys"):
                shutil.move(self.path / name, self.folder.path / f"old {name}")
                source = another / name
                (shutil.copytree if source.is_dir() else shutil.copy)(source, self.path / name)
            away()
            (self.path / "snapshots").mkdir()

        def mend() -> None:
            (self.path / "snapshots").rmdir()
            back()
            for name in ("config", "keys"):
                new = self.path / name
                new.chmod(0o700)
                if new.is_dir():
                    shutil.rmtree(new)
                shutil.move(self.folder.path / f"old {name}", new)

        await self.assert_noticed(spoil, mend, Reason.AUTH)

    async def test_lock_of_another(self) -> None:
        """A lock that the old repository's key cannot open shows once the new one's can."""
        old, new = SealedRepository.made(1), SealedRepository.made(1)
        reader = self.readers()[1]
        entry = Repository(1, "/p", "local", Secret("/p"), Secret(PASSWORD))
        self.use(old, reader, entry)
        lock = new.add_lock("2025-01-01T00:00:00Z")
        old.files[f"locks/{lock}"] = new.files[f"locks/{lock}"]
        await self.assert_read(1)
        old.files = new.files
        status = await self.collect()
        assert status.locks is not None
        self.assertEqual((status.success, status.locks.times), (True, (1735689600.0,)))


class B2Tests(B2Case, AccessCase):
    """B2, whose listings show the keys and not the config."""

    def setUp(self) -> None:
        AccessCase.setUp(self)
        B2Case.setUp(self)
        self.source = SealedRepository.made(3)
        for path, content in self.source.files.items():
            self.fake.account.put(self.bucket, f"repo/{path}", content)
        url = "b2:some-bucket:repo"
        settings = b2_settings(url, self.key.id, self.key.secret, self.url)
        entry = Repository(1, url, "b2", Secret(url), Secret(PASSWORD), settings)
        self.use(B2Backend.make(entry, self.tools), self.readers()[1], entry)

    async def test_keys(self) -> None:
        """A key in place of another is noticed by the next listing, which costs nothing."""
        await self.assert_read(3)
        [old] = self.source.names("keys")
        new = self.source.add_key("another password")
        self.fake.account.put(self.bucket, f"repo/keys/{new}", self.source.files[f"keys/{new}"])
        self.fake.account.remove(self.bucket, f"repo/keys/{old}")
        await self.assert_not_read(Reason.AUTH, 3)
        self.fake.account.put(self.bucket, f"repo/keys/{old}", self.source.files[f"keys/{old}"])
        await self.assert_read(3)
        status = await self.collect()
        [version] = self.bucket.versions[f"repo/keys/{old}"][:1]
        self.assertEqual(status.keys, KeyFacts(2, version.timestamp / 1000, "2"))
        self.fake.account.reset_counts()
        await self.assert_read(3)
        self.assertEqual(self.fake.account.transactions, {"C": 1})

    async def test_config(self) -> None:
        """A lost config is noticed within a day."""
        await self.assert_read(3)
        self.let_days_pass()
        self.fake.account.remove(self.bucket, "repo/config")
        await self.assert_not_read(Reason.NOT_FOUND, 3)
        self.fake.account.put(self.bucket, "repo/config", self.source.files["config"])
        await self.assert_read(3)
