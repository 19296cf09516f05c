"""Tests of the files that an entry names: where they are, and who may read them."""

import grp
import os
import pwd
from collections.abc import Callable
from typing import Any

from restic_reporter.config.load import build_config
from restic_reporter.config.secrets_of_config import secrets_of
from restic_reporter.model.errors import ConfigError
from restic_reporter.model.repository import Config
from restic_reporter.redaction.secret import Secret
from tests.doubles.certificates import Authority
from tests.doubles.config_case import MARKER, ConfigCase


class FilesCase(ConfigCase):
    """Helpers for files with modes, and for an environment."""

    def file(self, name: str, content: bytes | str = "se cret\n", mode: int = 0o640) -> None:
        """Make a file with this ``mode``."""
        self.write(name, content)
        (self.directory / name).chmod(mode)

    def build_with(
        self,
        document: Any,
        environ: dict[str, str] | None = None,
        holds: Callable[[str], bool] = lambda _: True,
    ) -> Config:
        """The config in a document, given the daemon's environment, and a shard."""
        context = self.context(environ=environ or {}, holds=holds)
        return build_config(document, "c.json", context)


class CredentialsTests(FilesCase):
    """``%d/`` at the beginning of a path."""

    def setUp(self) -> None:
        """A folder of credentials as systemd makes one."""
        super().setUp()
        credentials = self.directory / "credentials"
        credentials.mkdir()
        self.environ = {"CREDENTIALS_DIRECTORY": str(credentials.absolute())}

    def test_found(self) -> None:
        """It is the folder of the service's credentials, for every key that names a file."""
        authority = Authority.make()
        client = authority.issue()
        self.file("credentials/password", mode=0o400)
        self.file("credentials/ca.pem", authority.pem)
        self.file("credentials/client.pem", client)
        entry = {
            "repo": "rest:https://h/",
            "password_file": "%d/password",
            "cacert": "%d/ca.pem",
            "tls_client_cert": "%d/client.pem",
        }
        (one,) = self.build_with([entry], self.environ).repositories
        self.assertEqual(one.password, Secret("se cret"))
        self.assertEqual(one.transport.ca_certificates, authority.pem)
        self.assertEqual(one.transport.client_certificate, client)
        folder = self.environ["CREDENTIALS_DIRECTORY"]
        self.assertEqual(one.ca_certificate_path, f"{folder}/ca.pem")
        self.assertEqual(one.client_certificate_path, f"{folder}/client.pem")

    def test_not_set(self) -> None:
        """Where systemd has given none, the error names the key and the variable."""
        for key in ("password_file", "cacert", "tls_client_cert"):
            entry = {"repo": "/p", "password": "x", key: "%d/x"}
            if key == "password_file":
                del entry["password"]
            for environ in ({}, {"CREDENTIALS_DIRECTORY": ""}):
                error = self.assertRaises(ConfigError, self.build_with, [entry], environ)
                self.assertEqual(
                    error.problems,
                    (
                        f"c.json: entry 1: {key}: '%d/x': '%d/' means $CREDENTIALS_DIRECTORY, which"
                        " is not set; add LoadCredential= to the systemd service",
                    ),
                )

    def test_missing(self) -> None:
        """A credential that is not there is named as it is written."""
        entry = {"repo": "/p", "password_file": "%d/none"}
        error = self.assertRaises(ConfigError, self.build_with, [entry], self.environ)
        self.assertIn("password_file: cannot read '%d/none': No such file", str(error))

    def test_elsewhere(self) -> None:
        """Anywhere but at the beginning of a path it has no meaning."""
        (self.directory / "%d").mkdir()
        self.file("%d/password", "plain")
        for path in ("./%d/password", str(self.directory.absolute() / "%d" / "password")):
            entry = {"repo": "/p", "password_file": path}
            (one,) = self.build_with([entry], self.environ).repositories
            self.assertEqual(one.password, Secret("plain"))

    def test_other_shard(self) -> None:
        """Files of another shard's entries need not be there; what is wrong otherwise is said."""
        entry = {"repo": "/p", "password_file": "%d/x", "cacert": "none", "tls_client_cert": "no"}
        config = self.build_with([entry], holds=lambda label: label != "/p")
        self.assertEqual(config.repositories, ())
        self.assertEqual(config.warnings, ("c.json: no repository is in this shard",))
        entry["cron"] = "x"
        error = self.assertRaises(ConfigError, self.build_with, [entry], holds=lambda _: False)
        self.assertEqual(len(error.problems), 1)
        self.assertIn("cron", str(error))


class OpenFileTests(FilesCase):
    """Files with secrets that others can read."""

    owner = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"

    def warnings(self, *entries: Any) -> list[str]:
        """What is warned of, without the name of the config."""
        warnings = self.build_with(list(entries)).warnings
        return [warning.removeprefix("c.json: ") for warning in warnings]

    def test_password_file(self) -> None:
        """A password file that everybody can read draws a warning that says what to do."""
        self.file("password", mode=0o644)
        self.assertEqual(
            self.warnings({"repo": "/p", "password_file": "password"}),
            [
                f"entry 1: password_file: 'password' is readable by every user ({self.owner} 0644);"
                " chgrp it to the daemon's group, then chmod 0640"
            ],
        )

    def test_enough(self) -> None:
        """One that only its owner and group can read draws none."""
        for mode in (0o600, 0o640, 0o440, 0o662):
            name = f"password-{mode:o}"
            self.file(name, mode=mode)
            self.assertEqual(self.warnings({"repo": "/p", "password_file": name}), [])

    def test_link(self) -> None:
        """It is the file itself that counts, not a link to it, which all can read."""
        self.file("private")
        self.file("open", mode=0o604)
        for name, expected in (("private", 0), ("open", 1)):
            os.symlink(name, self.directory / f"link-{name}")
            entry = {"repo": "/p", "password_file": f"link-{name}"}
            self.assertEqual(len(self.warnings(entry)), expected)

    def test_certificates(self) -> None:
        """A client certificate comes with its key and is private, a CA's is not."""
        authority = Authority.make()
        self.file("ca.pem", authority.pem, 0o644)
        self.file("client.pem", authority.issue(), 0o644)
        entry = {"repo": "rest:https://h/", "password": "x", "cacert": "ca.pem"}
        self.assertEqual(self.warnings(entry), [])
        (warning,) = self.warnings({**entry, "tls_client_cert": "client.pem"})
        self.assertIn("entry 1: tls_client_cert: 'client.pem'", warning)

    def test_shared(self) -> None:
        """A file that many entries name is warned of once; of many files, not of all."""
        for number in range(23):
            self.file(f"password-{number}", mode=0o644)
        entries = [
            {"repo": f"/p{number}", "password_file": f"password-{number % 23}"}
            for number in range(60)
        ]
        warnings = self.warnings(*entries)
        self.assertEqual(len(warnings), 21)
        self.assertIn("entry 1 and 2 more: password_file: 'password-0' is", warnings[0])
        self.assertEqual(warnings[-1], "3 more files with secrets are readable by every user")

    def test_nameless_owner(self) -> None:
        """An owner without a name, of another machine for instance, is a number."""

        def nobody(number: int) -> None:
            raise KeyError(number)

        self.patch(pwd, "getpwuid", nobody)
        self.patch(grp, "getgrgid", nobody)
        self.file("password", mode=0o604)
        (warning,) = self.warnings({"repo": "/p", "password_file": "password"})
        self.assertIn(f"({os.getuid()}:{os.getgid()} 0604)", warning)

    def test_config(self) -> None:
        """A config that all can read, with a secret in it, draws the same warning."""
        self.file("c.json", "", 0o644)
        plain = {"repo": "rest:http://h/q", "password_command": "x"}
        other = {"repo": "/first", "password_command": "x"}
        entries: tuple[tuple[dict[str, Any], str], ...] = (
            ({"repo": "/p", "password": MARKER}, "entry 2: password"),
            ({"repo": "/p", "password": MARKER, "disabled": True}, "entry 2: password"),
            ({**plain, "rest_username": "me", "rest_password": MARKER}, "entry 2: rest_password"),
            ({**plain, "repo": f"rest:http://u:{MARKER}@h/p"}, "entry 2: repo"),
            (
                {**plain, "env": {"AWS_PROFILE": "x", "AWS_SECRET_ACCESS_KEY": MARKER}},
                "entry 2: env: AWS_SECRET_ACCESS_KEY",
            ),
            (
                {**plain, "env": {"HTTPS_PROXY": f"http://u:{MARKER}@h/"}},
                "entry 2: env: HTTPS_PROXY",
            ),
            (
                {"repo": "b2:bucket", "password": "", "b2_account_id": "i", "b2_key": MARKER},
                "entry 2: b2_key",
            ),
        )
        for entry, place in entries:
            self.assertEqual(
                self.warnings(other, entry)[:1],
                [
                    f"is readable by every user ({self.owner} 0644) and has a secret ({place});"
                    " chgrp it to the daemon's group, then chmod 0640"
                ],
            )
        document = {"defaults": {"password": MARKER}, "repositories": [{"repo": "/p"}]}
        (warning,) = self.build_with(document).warnings
        self.assertIn("has a secret (defaults: password)", warning)

    def test_secrets_in_env(self) -> None:
        """Values of ``env`` are secrets by their names; all are masked nevertheless."""
        self.file("c.json", "", 0o644)
        for name, secret in (
            ("AZURE_ACCOUNT_KEY", True),
            ("AZURE_ACCOUNT_SAS", True),
            ("OS_PASSWORD", True),
            ("OS_APPLICATION_CREDENTIAL_SECRET", True),
            ("AWS_SESSION_TOKEN", True),
            ("rclone_config_nas_pass", True),
            ("MY_CREDENTIALS", True),
            ("AWS_DEFAULT_REGION", False),
            ("AWS_ACCESS_KEY_ID", False),
            ("AWS_SHARED_CREDENTIALS_FILE", False),
            ("GOOGLE_APPLICATION_CREDENTIALS", False),
            ("HTTPS_PROXY", False),
        ):
            entry = {"repo": "/p", "password_command": "x", "env": {name: MARKER}}
            config = self.build_with([entry])
            self.assertEqual(len(config.warnings), int(secret), name)
            self.assertIn(Secret(MARKER), list(secrets_of(config.repositories)))

    def test_config_without_secrets(self) -> None:
        """One without secrets draws none, nor does one that few can read."""
        self.file("c.json", "", 0o644)
        plain = {"repo": "/p", "password_command": "x", "env": {}}
        self.assertEqual(self.warnings(plain, {"repo": "/q", "password": ""}), [])
        self.file("c.json", "", 0o640)
        self.assertEqual(self.warnings({"repo": "/p", "password": MARKER}), [])
