"""Tests of `restic_reporter.commands.check_config`."""

import grp
import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from restic_reporter.commands.check_config import Checked, check_config
from restic_reporter.config import load_config
from restic_reporter.config.keys import checks
from restic_reporter.config.sharding import Shard
from restic_reporter.model.errors import ConfigError
from restic_reporter.plugin import BackendMaker
from restic_reporter.plugin.discovery import BrokenPlugin, Plugins, installed_plugins
from tests.doubles.config_case import GOOD, MARKER, ConfigCase


def refuse(repository: Any, tools: Any) -> Any:
    """A backend that refuses its repository, and says too much."""
    raise ValueError(f"not this one: {repository.password.reveal()}")


def break_down(repository: Any, tools: Any) -> Any:
    """A backend with a bug."""
    raise RuntimeError(f"a bug: {repository.password.reveal()}")


ROLE = "RESTIC_AWS_ASSUME_ROLE_ARN"


class CheckConfigTests(ConfigCase):
    """`check_config`."""

    def setUp(self) -> None:
        """As the owner of the files, and not as root."""
        super().setUp()
        self.become(os.getuid() or 1234)

    def become(self, user: int) -> None:
        """Seem to run as another user."""
        self.patch(os, "geteuid", lambda: user)

    def check(self, document: Any, plugins: Plugins | None = None, **options: Any) -> Checked:
        """What is said of a document, or of YAML."""
        name = "c.yaml" if isinstance(document, str) else "c.json"
        self.write(name, document if isinstance(document, str) else json.dumps(document))
        (self.directory / name).chmod(0o600)
        folder, environ = str(self.directory), {"PATH": os.environ["PATH"]}
        return check_config(name, folder, environ, Clock(), plugins=plugins, **options)

    def one(self, **entry: Any) -> Any:
        """What is shown of one entry."""
        (shown,) = self.check([{"repo": "/p", "password": "x", **entry}]).entries
        return shown

    def test_no_files(self) -> None:
        """Without the files and variables that it names, a config can still be checked."""
        entry = {"repo": "/p", "password_file": "%d/missing"}
        with self.assertRaises(ConfigError):
            self.check([entry])
        self.assertEqual(self.check([entry], with_files=False), Checked((), ()))
        with self.assertRaises(ConfigError) as caught:
            self.check([entry, {"repo": "/q", "pasword": "x"}], with_files=False)
        self.assertIn("unknown key 'pasword'", str(caught.exception))

    def test_secrets(self) -> None:
        """Every secret is shown as a mask, and what is none as it is."""
        self.write("password", MARKER)
        entries: list[dict[str, Any]] = [
            {"repo": f"rest:http://me:{MARKER}@h/", "password": MARKER},
            {"repo": "rest:http://h/", "rest_username": "me", "rest_password": MARKER},
            {"repo": "b2:bucket:p", "b2_account_id": "id", "b2_key": MARKER},
            {"repo": "s3:h/bucket", "env": {"AWS_SECRET_ACCESS_KEY": MARKER, "REGION": MARKER}},
            {"repo": "/q", "timeout": 5, "cron": "5 * * * *", "key_hint": "abc"},
            {
                "repo": "/r",
                "vault_material": "a/b",
                "ping_url": f"https://h/{MARKER}",
                "copies": [f"rest:http://me:{MARKER}@h/"],
            },
        ]
        sources: list[dict[str, str]] = [
            {},
            {"password_file": "password"},
            {"password_command": f"'/opt/my pass' show --token={MARKER}"},
            {"password_command": "pass"},
            {"password": ""},
            {},
        ]
        for entry, source in zip(entries, sources, strict=True):
            entry.update(source)
        checked = self.check(entries)
        self.assertNotIn(MARKER, repr(checked))
        expected: list[dict[str, Any]] = [
            {"repo": "rest:http://me:***@h/", "password": "***"},
            {**entries[1], "rest_password": "***"},
            {**entries[2], "b2_key": "***", "password_command": "'/opt/my pass' ***"},
            {**entries[3], "env": {"AWS_SECRET_ACCESS_KEY": "***", "REGION": "***"}},
            {**entries[4], "password": "***"},
            {**entries[5], "ping_url": "***", "copies": ["rest:http://me:***@h/"]},
        ]
        self.assertEqual(list(checked.entries), expected)

    def test_every_key(self) -> None:
        """Of every key that an entry may have it is known whether its value is a secret."""
        public = {
            *("repo", "disabled", "password_file", "rest_username", "b2_account_id", "b2_api_url"),
            *("cacert", "tls_client_cert", "key_hint", "reader", "timeout", "cron"),
            *("max_age", "schedule", "grace", "expect", "group_by", "retired"),
            *("options", "s3_access_key_id", "copies", "check", "size_cron"),
        }
        makers = self.context().owners
        marked = {key.name for maker in makers for key in maker.keys if key.secret}
        s3 = {"s3_secret_access_key", "s3_session_token"}
        self.assertEqual(marked, {"rest_password", "b2_key", *s3})
        others = {"password", "env", "password_command", "ping_url"}
        self.assertEqual(set(checks([], makers)), {*marked, *public, *others})

    def test_defaults(self) -> None:
        """Every entry is shown with the defaults that it takes, its repository first."""
        checked = self.check(
            "defaults: {password: x, rest_username: me, rest_password: y, timeout: 9,"
            " cron: 5 * * * *, b2_account_id: i, b2_key: k}\n"
            "repositories:\n"
            "- {timeout: 7, repo: 'rest:http://h/a'}\n"
            "- {repo: 'rest:http://u:p@h/b', password_command: pass}\n"
            "- {repo: '/p'}\n"
            "- {repo: 'b2:bucket'}\n"
        )
        own = {"timeout": 9, "cron": "5 * * * *"}
        secret = {"password": "***"}
        rest = {"rest_username": "me", "rest_password": "***"}
        self.assertEqual(
            list(checked.entries),
            [
                {"repo": "rest:http://h/a", **secret, **rest, **own, "timeout": 7},
                {"repo": "rest:http://u:***@h/b", "password_command": "pass", **own},
                {"repo": "/p", **secret, **own},
                {"repo": "b2:bucket", **secret, "b2_account_id": "i", "b2_key": "***", **own},
            ],
        )
        self.assertEqual({next(iter(entry)) for entry in checked.entries}, {"repo"})
        # It is a config of its own.
        self.write("again.json", json.dumps(checked.entries))
        again = load_config("again.json", self.context())
        self.assertEqual([one.timeout for one in again.repositories], [7, 9, 9, 9])

    def test_disabled(self) -> None:
        """Of a disabled entry no more is shown than that, and its repository without secrets."""
        entry = {"repo": f"x://me:{MARKER}@h", "disabled": True, "password": MARKER, "group_by": []}
        checked = self.check([entry, {"disabled": True}])
        self.assertEqual(
            list(checked.entries), [{"repo": "x://me:***@h", "disabled": True}, {"disabled": True}]
        )
        self.assertEqual(checked.warnings[0], "c.json: no repository is enabled")

    def test_shard(self) -> None:
        """With a shard, only its entries are shown, and files of others need not be there."""
        shards = [Shard(index, 2) for index in range(2)]
        repos = [f"/p{number}" for number in range(10)]
        parts = [[repo for repo in repos if shard.holds(repo)] for shard in shards]
        document = [{"repo": repo, "password": "x"} for repo in parts[0]]
        document += [{"repo": repo, "password_file": "none"} for repo in parts[1]]
        shown = [entry["repo"] for entry in self.check(document, shard=shards[0]).entries]
        self.assertEqual(shown, parts[0])
        with self.assertRaises(ConfigError) as caught:
            self.check(document, shard=shards[1])
        self.assertEqual(len(caught.exception.problems), len(parts[1]))

    def test_bad(self) -> None:
        """A config that the daemon would not take is refused, with all that is wrong."""
        with self.assertRaises(ConfigError) as caught:
            self.check([{"repo": "/p"}, {"repo": "/q", "password": "x", "timeout": "1"}])
        self.assertEqual(len(caught.exception.problems), 2)

    def test_refused_by_a_backend(self) -> None:
        """So is one that a backend refuses, or the reader that the daemon is given."""
        plugins = Plugins((BackendMaker("fussy", ["fussy"], f"{__name__}.refuse", locates=True),))
        with self.assertRaises(ConfigError) as caught:
            self.check([{"repo": "fussy:x", "password": MARKER}], plugins)
        self.assertEqual(caught.exception.problems, ("c.json: entry 1: repo: not this one: ***",))
        with self.assertRaises(ConfigError) as caught:
            self.check([{"repo": "swift:h:/p", "password": "x"}], reader="native")
        self.assertIn("'native' does not support 'swift'", str(caught.exception))

    def test_warnings(self) -> None:
        """What works in part is warned of: broken plugins and backends, no restic, open files."""
        self.write("open", MARKER)
        (Path(self.directory) / "open").chmod(0o644)
        broken = BackendMaker("torn", ["torn"], f"{__name__}.break_down", locates=True)
        ours = installed_plugins()
        checked = self.check(
            [
                {"repo": "torn:x", "password_file": "open"},
                {"repo": "what:ever", "password": "x"},
                {"repo": "s3:h/bucket", "password": "x", "env": {ROLE: "arn"}},
            ],
            Plugins((*ours.makers, broken), (BrokenPlugin("bad", "ImportError: x"),)),
            restic="no-such-restic",
        )
        owner = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"
        self.assertEqual(
            checked.warnings,
            (
                "the plugin bad cannot be used: ImportError: x",
                f"c.json: entry 1: password_file: 'open' is readable by every user ({owner} 0644);"
                " chgrp it to the daemon's group, then chmod 0640",
                "c.json: entry 1: cannot create the backend 'torn': RuntimeError: a bug: ***",
                "c.json: entry 2: unknown scheme 'what', or its plugin is broken: bad cannot be"
                " used: ImportError: x",
                "cannot find the program 'no-such-restic'; repositories that need it will fail",
                f"1 repository read by restic alone: {ROLE}: only restic assumes roles",
            ),
        )

    def test_upkeep(self) -> None:
        """Checks and sizes are shown as they will be made; those that cannot be are warned of."""
        check = {"cron": "0 3 * * 0", "read_data_subset": "5%"}
        checked = self.check(
            {
                "defaults": {"check": check, "size_cron": "0 4 * * *", "password": "x"},
                "repositories": [{"repo": "/p"}, {"repo": "rclone:a:b", "check": False}],
            }
        )
        self.assertEqual(
            [(one["check"], one["size_cron"]) for one in checked.entries],
            [(check, "0 4 * * *"), (False, "0 4 * * *")],
        )
        self.assertIn(
            "size_cron: ignored for 1 repository of the backend 'rclone',"
            " which cannot list its packs",
            checked.warnings,
        )

    def test_root(self) -> None:
        """Root can read everything, so it cannot tell what the daemon's user can read."""
        self.become(0)
        warning = "cannot check as root which files the daemon can read; run as the daemon's user"
        self.assertEqual(self.check([GOOD], restic="true").warnings, (warning,))

    def test_other_user(self) -> None:
        """Nor can a user who owns none of the files; files of root are meant for all groups."""
        self.write("password", MARKER)
        entry = {"repo": "/p", "password_file": "password"}
        owners = {"c.json": 4321, "password": 4321}
        real = os.stat

        def owned(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
            status = list(real(path, *arguments, **options))
            status[stat.ST_UID] = owners.get(Path(str(path)).name, 0)
            return os.stat_result(status)

        (self.directory / "password").chmod(0o600)
        self.patch(os, "stat", owned)
        self.become(1234)
        said = "cannot check as 1234 if the daemon can read {} of 4321; run as the daemon's user"
        self.assertEqual(self.check([entry], restic="true").warnings, (said.format("'c.json'"),))
        owners["c.json"] = 0
        self.assertEqual(self.check([entry], restic="true").warnings, (said.format("'password'"),))
        owners["password"] = 1234
        self.assertEqual(self.check([entry], restic="true").warnings, ())

    def test_two_plugins(self) -> None:
        """Plugins that the daemon would not start with are an error."""
        makers = tuple(BackendMaker(name, ["x"], f"{__name__}.refuse") for name in "ab")
        with self.assertRaises(ValueError) as caught:
            self.check([], Plugins(makers))
        self.assertIn("two plugins serve the scheme 'x'", str(caught.exception))
