"""The SFTP backend beside restic itself: the same words, and repositories that restic made."""

import ast
import os
import subprocess
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.sftp import SFTPBackend
from restic_reporter.backends.sftp.command import login_words
from restic_reporter.backends.sftp.location import parse_sftp
from tests.doubles.child_programs import PATIENCE, script
from tests.doubles.native_made import BothReaders
from tests.doubles.native_repositories import PASSWORD
from tests.doubles.restic_case import VERSIONS
from tests.doubles.servers import restic, snapshots
from tests.doubles.sftp_case import SFTPCase, fake_command, sftp_repository
from tests.doubles.tools import tool


class WordsTests(SynchronousTestCase):
    """What restic makes of a location and its options."""

    def run_restic(self, repo: str, option: str, path: str) -> None:
        """Have restic fail to open ``repo``."""
        subprocess.run(
            [tool("restic-0.18"), "-r", repo, "-o", option, "--no-cache", "cat", "config"],
            env={"PATH": path, "RESTIC_PASSWORD": "x"},
            capture_output=True,
            timeout=PATIENCE,
        )

    def test_words(self) -> None:
        """restic starts ssh with the same words, but for our own ones."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        said = folder / "said"
        script(folder / "ssh", f'#!/bin/sh\nfor one; do echo "$one" >> {said}; done\nexit 255\n')
        arguments = "-i 'my key' -oX=\"a b\"c a\\ b"
        in_csv = '"sftp.args={}"'.format(arguments.replace('"', '""'))
        for repo in (
            "sftp:u@domain@h:x",
            "sftp:a@b@c@d:x",
            "sftp:h:22:x",
            "sftp://u%40d@h:22/a%20b",
            "sftp://[::1]:22/x",
            "sftp://h:/x",
        ):
            said.unlink(missing_ok=True)
            self.run_restic(repo, in_csv, f"{folder}:{os.environ['PATH']}")
            words = login_words(parse_sftp(repo), {"sftp.args": arguments})
            ours = [*words[1 : words.index("BatchMode=yes") - 1], *words[-2:]]
            self.assertEqual(said.read_text().splitlines(), ours, repo)

    def test_paths(self) -> None:
        """restic looks for the config at the same path."""
        log = Path(self.mktemp()).resolve()
        for repo in (
            "sftp:h://tmp//b/../c/",
            "sftp:h:./../x",
            "sftp:h:a%20?b",
            "sftp:h:",
            "sftp:u@h:2:x~",
            "sftp://h//tmp/q%20a",
            "sftp://h/q",
            "sftp://h/",
            "sftp::y",
        ):
            log.unlink(missing_ok=True)
            command = fake_command(log, "paths")
            self.run_restic(repo, f"sftp.command={command}", os.environ["PATH"])
            asked = [line for line in log.read_text().splitlines() if line.startswith("path ")]
            found = os.path.dirname(ast.literal_eval(asked[0].removeprefix("path ")).decode())
            self.assertEqual(found or ".", parse_sftp(repo).path, repo)


class RepositoryTests(SFTPCase, BothReaders):
    """Repositories that restic makes over OpenSSH's SFTP server."""

    timeout = 2 * PATIENCE

    async def test_versions(self) -> None:
        """Both readers see the same, whichever restic made the repository, and over SFTP."""
        command = tool("sftp-server")
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        (folder / "data").write_text("some data")
        for version in VERSIONS:
            path = folder / version
            options: dict[str, Any] = {"password": PASSWORD, "program": version}
            over = ("-o", f"sftp.command={command}")
            restic(f"sftp:h:{path}", "init", *over, **options)
            for host in ("alpha", "beta"):
                restic(
                    f"sftp:h:{path}",
                    "backup",
                    "--host",
                    host,
                    str(folder / "data"),
                    *over,
                    **options,
                )
            backend = SFTPBackend.make(sftp_repository(str(path), command), self.tools)
            listing = await backend.list(self.deadline(), self.meter)
            listed = snapshots(path, **options)
            self.assertEqual(listing.snapshots, {one["id"] for one in listed})
            self.assertEqual((listing.locks, listing.lock_times), (frozenset(), ()))
            self.memory = type(self.memory)()
            expected = await self.by_restic(path)
            self.assertEqual(expected.content.snapshot_count, 2)
            self.assertEqual(await self.read(backend), expected)
        self.assertEqual(len(self.connections), 1)
