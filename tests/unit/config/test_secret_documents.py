"""Tests of what the config says of secret stores."""

from typing import Any

from restic_reporter.backends.b2.settings import B2Credentials, B2Settings
from restic_reporter.backends.rest_settings import RestCredentials, RestSettings
from restic_reporter.config.load import build_config
from restic_reporter.config.secret_documents import complete
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Material, Repository
from restic_reporter.redaction.secret import Secret
from tests.doubles.config_case import MARKER, ConfigCase, installed

KEY = Material("vault_material", "vault", "web/1", (("key", "password"),))
REST = {"repo": "rest:http://h:8000/p"}
B2 = {"repo": "b2:some-bucket:p"}


class MaterialTests(ConfigCase):
    """Keys that name documents."""

    def entry(self, **entry: Any) -> Repository:
        """The repository of an entry."""
        (one,) = self.build([{"vault_material": "web/1", **entry}]).repositories
        return one

    def completed(self, one: Repository, *documents: dict[str, object]) -> Repository:
        """What it becomes with the documents for its materials."""
        return complete(
            one,
            {
                (material.store, material.path): document
                for material, document in zip(one.materials, documents, strict=True)
            },
            installed(),
        )

    def test_password(self) -> None:
        """The repository's password is the document's key."""
        one = self.entry(repo="/p")
        self.assertEqual((one.password, one.materials), (None, (KEY,)))
        completed = self.completed(one, {"key": " p w ", "other": 5})
        self.assertEqual((completed.password, completed.materials), (Secret(" p w "), ()))

    def test_rest(self) -> None:
        """User name and password for a REST server, in restic's location too, not in the label."""
        one = self.entry(**REST, rest_vault_material="rest")
        self.assertEqual([material.path for material in one.materials], ["rest", "web/1"])
        completed = self.completed(one, {"username": "me", "password": "a@b\n"}, {"key": "k"})
        assert isinstance(completed.settings, RestSettings)
        self.assertEqual(completed.settings.credentials, RestCredentials("me", Secret("a@b")))
        self.assertEqual(completed.location.reveal(), "rest:http://me:a%40b@h:8000/p")
        self.assertEqual((completed.url, completed.password), (REST["repo"], Secret("k")))

    def test_b2(self) -> None:
        """The application key for B2."""
        one = self.entry(**B2, b2_vault_material="b2", b2_api_url="https://h")
        completed = self.completed(one, {"id": "i", "key": "k"}, {"key": "p"})
        assert isinstance(completed.settings, B2Settings)
        credentials = B2Credentials("i", Secret("k"), "https://h")
        self.assertEqual(completed.settings.credentials, credentials)

    def test_one_document_for_all(self) -> None:
        """One document may hold several things."""
        one = self.entry(**B2, b2_vault_material="web/1")
        document = {"id": "i", "key": "k"}
        completed = complete(one, {("vault", "web/1"): document}, installed())
        assert isinstance(completed.settings, B2Settings)
        self.assertEqual(completed.settings.credentials, B2Credentials("i", Secret("k")))
        self.assertEqual(completed.password, Secret("k"))

    def test_useless(self) -> None:
        """What a document lacks is told by key, path and field, never by a value."""
        one = self.entry(**REST, rest_vault_material="rest")
        good = {"username": "me", "password": "x"}
        for document, problem in (
            ({"password": MARKER}, "the document has no field 'username'"),
            ({**good, "password": 5}, "the field 'password' is not a string"),
            ({**good, "password": {"x": MARKER}}, "the field 'password' is not a string"),
            ({**good, "password": "\n"}, "the field 'password' is empty"),
            ({**good, "password": f"{MARKER}\0"}, "the field 'password' has invalid characters"),
            ({**good, "username": f"{MARKER}:"}, "the field 'username' must not contain a colon"),
        ):
            error = self.assertRaises(ValueError, self.completed, one, document, {"key": "k"})
            self.assertTrue(str(error).startswith(f"rest_vault_material: 'rest': {problem}"), error)
            self.assertNotIn(MARKER, str(error))

    def test_only_one_source(self) -> None:
        """A document stands instead of the keys for the same, not beside them."""
        material = {"vault_material": "web/1"}
        for entry, problem in (
            ({"repo": "/p", **material, "password": "x"}, "password and vault_material: only one"),
            (
                {**REST, **material, "rest_vault_material": "r", "rest_username": "u"},
                "rest_username and rest_vault_material: only one",
            ),
            (
                {"repo": "rest:http://u:p@h/", **material, "rest_vault_material": "r"},
                "rest_vault_material: the URL in 'repo' has credentials already",
            ),
            (
                {**B2, **material, "b2_vault_material": "b", "b2_key": "k"},
                "b2_key and b2_vault_material: only one",
            ),
            ({"repo": "/p", **material, "b2_vault_material": "b"}, "only for a b2: repository"),
            ({"repo": "/p", **material, "rest_vault_material": "b"}, "only for a rest: repository"),
            ({"repo": "/p", "vault_material": ""}, "vault_material: must not be empty"),
            ({"repo": "/p", "vault_material": 5}, "vault_material: must be a string"),
        ):
            self.assertIn(problem, self.problem(entry))

    def test_defaults(self) -> None:
        """An entry's own secret stands before a document of the defaults, and the reverse."""
        defaults = {"vault_material": "common", "b2_vault_material": "b2"}
        own = {**B2, "password": "x", "b2_account_id": "i", "b2_key": "k"}
        (one, other) = self.build(
            {"defaults": defaults, "repositories": [own, {"repo": "b2:some-bucket:q"}]}
        ).repositories
        self.assertEqual(one.materials, ())
        self.assertEqual([material.path for material in other.materials], ["b2", "common"])
        (one,) = self.build(
            {
                "defaults": {"password": "x"},
                "repositories": [{"repo": "/p", "vault_material": "web/1"}],
            }
        ).repositories
        self.assertEqual((one.password, one.materials), (None, (KEY,)))

    def test_other_stores(self) -> None:
        """Keys of stores that are not installed are unknown, unless a broken plugin had them."""
        document = [{"repo": "/p", "other_material": "x"}]
        error = self.assertRaises(ConfigError, self.build, document)
        self.assertIn("unknown key 'other_material'", str(error))
        config = build_config(document, "c", self.context(stores=(), broken=True))
        self.assertEqual(config.repositories[0].materials[0].store, "other")
        config = build_config(document, "c", self.context(stores=("other",)))
        self.assertEqual(config.repositories[0].materials[0].key, "other_material")


class ShardTests(ConfigCase):
    """Entries that fall to other processes."""

    def test_files(self) -> None:
        """The files of such an entry need not be here; what it says is checked all the same."""
        there = {"repo": "/there", "password_file": "no", "cacert": "no", "tls_client_cert": "no"}
        here = {"repo": "/here", "password": "x"}

        def build(*entries: Any) -> list[str]:
            context = self.context(holds=lambda label: label == "/here")
            config = build_config(list(entries), "c", context)
            return [one.url for one in config.repositories]

        b2 = {"repo": "b2:some-bucket:p", "password": "x"}
        self.assertEqual(build(there, here, b2), ["/here"])
        for bad in ({**there, "timeout": -1}, {"repo": "/there"}, {**there, "password": "x"}):
            self.assertRaises(ConfigError, build, bad, here)
        self.assertRaises(ConfigError, build, there, there)
