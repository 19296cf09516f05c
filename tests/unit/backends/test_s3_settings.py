"""Tests of the keys and options of ``s3:`` repositories."""

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.s3.credentials import Profile
from restic_reporter.backends.s3.settings import S3Settings
from restic_reporter.backends.s3.signing import S3Credentials
from restic_reporter.config.secret_documents import complete
from restic_reporter.config.secrets_of_config import masks_of
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Config, Repository
from restic_reporter.redaction.secret import Secret
from tests.doubles.config_case import installed
from tests.doubles.s3_case import NO_HOME, load_entry, settings_of

REPO = "s3:https://h/bucket/p"
OWN: dict[str, Any] = {"s3_access_key_id": "own", "s3_secret_access_key": "hidden/own"}
AWS = {"AWS_ACCESS_KEY_ID": "aws", "AWS_SECRET_ACCESS_KEY": "hidden/aws"}


def load(environ: dict[str, str] = NO_HOME, **keys: Any) -> S3Settings:
    """The settings of an entry."""
    return settings_of(load_entry(REPO, environ, **keys))


def shown(settings: S3Settings) -> tuple[str, str, str | None] | None:
    """The access key."""
    one = settings.credentials
    if one is None:
        return None
    return one.key_id, one.secret.reveal(), one.token.reveal() if one.token else None


def given_to_restic(settings: S3Settings) -> dict[str, str]:
    """The variables that restic gets."""
    return {name: one.reveal() for name, one in settings.environment.items()}


class CredentialsTests(SynchronousTestCase):
    """Where the access key comes from: in restic's order."""

    def test_entry(self) -> None:
        """The entry's own keys count first; restic gets the same ones, and no other token."""
        env = {**AWS, "AWS_SESSION_TOKEN": "other"}
        settings = load({**NO_HOME, **AWS}, **OWN, env=env)
        self.assertEqual(shown(settings), ("own", "hidden/own", None))
        self.assertEqual(
            given_to_restic(settings),
            {
                "AWS_ACCESS_KEY_ID": "own",
                "AWS_SECRET_ACCESS_KEY": "hidden/own",
                "AWS_SESSION_TOKEN": "",
            },
        )
        settings = load(**OWN, s3_session_token="hidden/token")
        self.assertEqual(shown(settings), ("own", "hidden/own", "hidden/token"))
        self.assertEqual(given_to_restic(settings)["AWS_SESSION_TOKEN"], "hidden/token")

    def test_environment(self) -> None:
        """The entry's variables count before the daemon's, Amazon's names before MinIO's."""
        minio = {"MINIO_ROOT_USER": "root", "MINIO_ROOT_PASSWORD": "x"}
        old = {"MINIO_ACCESS_KEY": "old", "MINIO_SECRET_KEY": "x"}
        other = {"AWS_ACCESS_KEY": "other", "AWS_SECRET_KEY": "x"}
        for env, environ, expected in (
            ({}, AWS, ("aws", "hidden/aws", None)),
            (minio, AWS, ("root", "x", None)),
            ({**minio, **AWS}, {}, ("aws", "hidden/aws", None)),
            ({**minio, **old}, {}, ("root", "x", None)),
            (old, {}, ("old", "x", None)),
            (other, {}, ("other", "x", None)),
            ({**other, "AWS_SESSION_TOKEN": "t"}, {}, ("other", "x", "t")),
            ({**minio, "AWS_SESSION_TOKEN": "t"}, {}, ("root", "x", None)),
            ({"AWS_ACCESS_KEY_ID": "half"}, AWS, ("aws", "hidden/aws", None)),
        ):
            settings = load({**NO_HOME, **environ}, env=env)
            self.assertEqual(shown(settings), expected)
            self.assertEqual(given_to_restic(settings)["AWS_ACCESS_KEY_ID"], expected[0])

    def test_pair(self) -> None:
        """Half of a key, and an id that no header can carry, are errors."""
        keys: dict[str, Any]
        for keys, problem in (
            ({"s3_access_key_id": "x"}, "the key 's3_secret_access_key' is missing"),
            ({**OWN, "s3_access_key_id": "a b"}, "s3_access_key_id: must have only printable"),
            ({**OWN, "s3_session_token": "a\nb"}, "s3_session_token: must have only printable"),
        ):
            error = self.assertRaises(ConfigError, load, **keys)
            self.assertIn(problem, str(error))

    def test_vault(self) -> None:
        """A document gives both parts; until then there are none."""
        entry = load_entry(REPO, {**NO_HOME, **AWS}, s3_vault_material="backup/s3")
        self.assertIs(settings_of(entry).credentials, None)
        document = {"access_key_id": "vault", "secret_access_key": "hidden/vault"}
        done = complete(entry, {("vault", "backup/s3"): document}, installed())
        self.assertEqual(shown(settings_of(done)), ("vault", "hidden/vault", None))
        self.assert_masked(done, "hidden/vault")

    def assert_masked(self, repository: Repository, secret: str) -> None:
        """Nothing printed shows the secret."""
        self.assertNotIn(secret, repr(repository))
        self.assertEqual(masks_of(Config((repository,))).redact(f"<{secret}>"), "<***>")

    def test_secrets(self) -> None:
        """Secret and token are masked everywhere."""
        one = load_entry(REPO, NO_HOME, **OWN, s3_session_token="hidden/token")
        self.assert_masked(one, "hidden/own")
        self.assert_masked(one, "hidden/token")
        self.assert_masked(load_entry(REPO, {**NO_HOME, **AWS}), "hidden/aws")


class FileTests(SynchronousTestCase):
    """The shared file with credentials."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        (self.home / ".aws").mkdir(parents=True)
        self.path = self.home / ".aws" / "credentials"
        self.environ = {"HOME": str(self.home)}

    def write(self, text: str) -> None:
        """Write the file."""
        self.path.write_text(text)

    def test_default(self) -> None:
        """Without keys the default profile of the usual file counts."""
        self.write("[default]\naws_access_key_id = file\naws_secret_access_key=s=%e#c\n")
        settings = load(self.environ)
        self.assertEqual(shown(settings), ("file", "s=%e#c", None))
        self.assertEqual(settings.profile, Profile(str(self.path), "default"))
        self.assertEqual(given_to_restic(settings), {})
        self.assertEqual(shown(load({**self.environ, **AWS})), ("aws", "hidden/aws", None))

    def test_named(self) -> None:
        """File and profile may be named; restic gets the daemon's names too."""
        self.write(
            "[default]\naws_access_key_id=no\naws_secret_access_key=no\n"
            "[b]\nAWS_ACCESS_KEY_ID : b\naws_secret_access_key: x\naws_session_token = t\n"
        )
        for env, environ in (
            ({"AWS_PROFILE": "b"}, {}),
            ({}, {"AWS_PROFILE": "b"}),
            ({"AWS_SHARED_CREDENTIALS_FILE": str(self.path), "AWS_PROFILE": "b"}, NO_HOME),
        ):
            settings = load({**self.environ, **environ}, env=env)
            self.assertEqual(shown(settings), ("b", "x", "t"))
            self.assertEqual(given_to_restic(settings)["AWS_PROFILE"], "b")

    def test_only_restic(self) -> None:
        """What only restic can use, and no key at all, is said; nothing fails."""
        process = "[default]\ncredential_process = cat x\n"
        key = "[default]\naws_access_key_id=a\naws_secret_access_key=x\n"
        for text, env, reason in (
            (process, {}, "credential_process"),
            (key, {"RESTIC_AWS_ASSUME_ROLE_ARN": "arn:x"}, "RESTIC_AWS_ASSUME_ROLE_ARN"),
            (key, {"AWS_PROFILE": "other"}, "no access key"),
            ("[default]\naws_access_key_id=a\n", {}, "no access key"),
            ("no INI", {}, "no access key"),
            ("\udcff", {}, "no access key"),
        ):
            self.path.write_bytes(text.encode("utf-8", "surrogateescape"))
            settings = load(self.environ, env=env)
            self.assertIn(reason, settings.restic_only)
        self.path.unlink()
        self.assertIn("no access key", load(self.environ).restic_only)
        self.path.mkdir()
        self.assertIn("no access key", load(self.environ).restic_only)
        self.assertEqual(load(self.environ, **OWN).restic_only, "")


class OptionsTests(SynchronousTestCase):
    """restic's options for S3."""

    def test_taken(self) -> None:
        """The options that the listing follows."""
        options = {
            "s3.region": "eu-test-1",
            "s3.bucket-lookup": "dns",
            "s3.list-objects-v1": True,
            "s3.connections": 3,
        }
        settings = load(options=options, **OWN)
        self.assertEqual(
            (settings.region, settings.lookup, settings.old_list), ("eu-test-1", "dns", True)
        )
        settings = load(**OWN)
        self.assertEqual(
            (settings.region, settings.lookup, settings.old_list), (None, "auto", False)
        )

    def test_region(self) -> None:
        """The option counts before AWS_DEFAULT_REGION, which restic gets too; AWS_REGION never."""
        environ = {**NO_HOME, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "no"}
        settings = load(environ, **OWN)
        self.assertEqual(settings.region, "eu-west-1")
        self.assertEqual(given_to_restic(settings)["AWS_DEFAULT_REGION"], "eu-west-1")
        settings = load(environ, **OWN, env={"AWS_DEFAULT_REGION": "eu-west-2"})
        self.assertEqual(settings.region, "eu-west-2")
        self.assertEqual(load(environ, **OWN, options={"s3.region": "x"}).region, "x")

    def test_anonymous(self) -> None:
        """An anonymous access looks for no key."""
        settings = load({**NO_HOME, **AWS}, options={"s3.unsafe-anonymous-auth": "1"})
        self.assertEqual((settings.credentials, settings.restic_only), (None, ""))
        self.assertFalse(settings.awaits_document)

    def test_refused(self) -> None:
        """Values that restic would refuse are errors."""
        for options, problem in (
            ({"s3.bucket-lookup": "x"}, "options: s3.bucket-lookup: must be one of auto, dns"),
            ({"s3.list-objects-v1": "yes"}, "options: s3.list-objects-v1: must be true or false"),
            ({"s3.unsafe-anonymous-auth": 2}, "options: s3.unsafe-anonymous-auth: must be true"),
            ({"s3.region": "a b"}, "options: s3.region: must be a region"),
        ):
            error = self.assertRaises(ConfigError, load, **OWN, options=options)
            self.assertIn(problem, str(error))

    def test_repr(self) -> None:
        """The access key's secret does not show."""
        shown = repr(S3Credentials("id", Secret("hidden"), Secret("hidden")))
        self.assertNotIn("hidden", shown)
