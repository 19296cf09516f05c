"""Tests of `restic_reporter.config.secrets_of_config`, and of what ``repr`` shows."""

from base64 import b64encode
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from restic_reporter.backends.rest_settings import parse_rest
from restic_reporter.collection.reader_choice import Readers
from restic_reporter.collection.task_maker import TaskMaker
from restic_reporter.concurrency.daemon_threads import KeyedThreads
from restic_reporter.config.entry import EntryLoader
from restic_reporter.config.secrets_of_config import masks_of
from restic_reporter.http import BoundedHTTPClient
from restic_reporter.interfaces import BackendTools
from restic_reporter.model.repository import Config, Repository
from restic_reporter.plugin.discovery import by_scheme, installed_plugins
from restic_reporter.processes.child import Exit
from restic_reporter.readers.restic import ResticReader
from restic_reporter.redaction.secret import Secret
from restic_reporter.secret_stores.lookup import Lookups
from restic_reporter.testing import MemoryStore
from tests.doubles.certificates import Authority
from tests.doubles.config_case import GOOD, MARKER, ConfigCase


class SecretsCase(ConfigCase):
    """A config with a marker in every secret that there can be."""

    def setUp(self) -> None:
        """Write the files, and load the config."""
        super().setUp()
        self.client = Authority.make().issue()
        self.write("client.pem", self.client)
        self.write("password", f"{MARKER}-file")
        self.document: list[dict[str, Any]] = [
            {"repo": f"rest:https://me:{MARKER}%2Furl@h/", "password": f"{MARKER}-password"},
            {
                "repo": "rest:https://h/",
                "rest_username": "me",
                "rest_password": f"{MARKER}/rest",
                "password_file": "password",
                "tls_client_cert": "client.pem",
            },
            {
                "repo": "b2:bucket",
                "b2_account_id": "id",
                "b2_key": f"{MARKER}-b2",
                "password_command": f"echo {MARKER}-argument",
            },
            {
                "repo": "s3:s3.eu-central-1.amazonaws.com/bucket",
                "password": "x",
                "env": {"AWS_SECRET_ACCESS_KEY": f"{MARKER}-env", "AWS_REGION": "eu-central-1"},
            },
            {"repo": f"swift://me:{MARKER}-swift@h//srv", "password": ""},
        ]

    def config(self) -> Config:
        """The loaded config."""
        return self.build(self.document)


class MaskingTests(SecretsCase):
    """`masks_of`."""

    def test_every_secret(self) -> None:
        """Every secret of a config is found, in whatever way it is sent."""
        masks = masks_of(self.config())
        for secret in (
            "%2Furl", "/url", "-password", "/rest", "%2Frest", "-file", "-b2", "-env", "-swift"
        ):  # fmt: skip
            self.assertEqual(masks.redact(f"<{MARKER}{secret}>"), "<***>", secret)
        for pair in (f"me:{MARKER}/url", f"me:{MARKER}/rest", f"id:{MARKER}-b2"):
            sent = b64encode(pair.encode()).decode()
            self.assertEqual(masks.redact(f"Basic {sent}"), "Basic ***", pair)
        shown = masks.redact(self.client.decode())
        for line in self.client.decode().split("-----")[2].split():
            self.assertNotIn(line, shown)

    def test_no_secret(self) -> None:
        """Labels stay as they are, though a location or a region stands among the secrets."""
        config = self.config()
        masks = masks_of(config)
        for one in config.repositories:
            self.assertEqual(masks.redact(f"read {one.url}: 5"), f"read {one.url}: 5")

    def test_name_of_the_config(self) -> None:
        """The config's name stays as it is, though a password is a word of it."""
        config = evolve(self.build([{**GOOD, "password": "example"}]), name="config.example.json")
        text = "config.example.json: invalid"
        self.assertEqual(masks_of(config).redact(text), text)


class ReprTests(SecretsCase):
    """Objects that hold secrets."""

    def assert_hidden(self, value: object) -> None:
        """It shows nothing of a secret."""
        shown = f"{value!r} {value}"
        self.assertNotIn(MARKER, shown)
        self.assertNotIn("PRIVATE KEY", shown)

    def test_config(self) -> None:
        """The repr of a config, of each repository and of its parts shows none."""
        config = self.config()
        self.assert_hidden(config)
        for one in config.repositories:
            for value in (one, one.password, one.settings, one.transport, one.env):
                self.assert_hidden(value)

    def test_loading(self) -> None:
        """Nor does that of what loads one."""
        environ = {"B2_ACCOUNT_KEY": MARKER}
        for entry in self.document:
            loader = EntryLoader(1, entry, entry, self.context(environ=environ))
            self.assertIsNotNone(loader.load(), loader.problems)
            self.assert_hidden(loader)
        self.assert_hidden(parse_rest(f"rest:https://me:{MARKER}@h/"))

    def test_tasks(self) -> None:
        """Nor does that of what reads the repositories."""
        clock: Any = Clock()
        reader = ResticReader(clock, "restic", {"VAULT_TOKEN": MARKER})
        tools = BackendTools(clock, BoundedHTTPClient(clock), KeyedThreads(clock))
        maker = TaskMaker(
            by_scheme(installed_plugins().makers),
            tools,
            Readers(reader, reader, "auto", lambda: True),
            1.0,
            Lookups(clock, {}, {}),
        )
        tasks = maker.tasks(self.config())
        self.assertEqual(len(tasks), len(self.document))
        for value in (maker, reader, tools, *tasks.values()):
            self.assert_hidden(value)

    def test_others(self) -> None:
        """Nor does that of a child's last words, or of documents from a secret store."""
        self.assert_hidden(Exit(1, None, f"wrong password {MARKER}"))
        clock = Clock()
        store = MemoryStore({"a": {"key": MARKER}})
        lookups = Lookups(clock, {"vault": store}, {})
        [wanting] = self.build([{"repo": "/p", "vault_material": "a"}]).repositories
        for _ in range(2):
            looking = Deferred.fromCoroutine(lookups.complete([wanting]))
            clock.pump([0.0] * 10)
            [repository] = self.successResultOf(looking)
            assert isinstance(repository, Repository)
            self.assertEqual(repository.password, Secret(MARKER))
        # It was found once, so that it is kept.
        self.assertEqual(store.asked, ["a"])
        # The store in memory shows what it has.
        self.assert_hidden(evolve(lookups, stores={}))

    def test_masks(self) -> None:
        """Nor does that of what finds them."""
        config = self.config()
        self.assert_hidden(masks_of(config))
        self.assertNotEqual(masks_of(config), masks_of(evolve(config, repositories=())))
