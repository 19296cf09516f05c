"""The restic reader, and wrong passwords and commands that print one."""

import os
from pathlib import Path
from typing import Any

from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import PasswordCommand
from restic_reporter.processes import child
from restic_reporter.redaction.secret import Secret
from tests.doubles.child_programs import running, script
from tests.doubles.native_repositories import cheapen
from tests.doubles.restic_case import ENVIRON, PASSWORD, VERSIONS, ReaderTestCase, entry, made, read
from tests.doubles.servers import restic
from tests.doubles.tools import tool


class PasswordTests(ReaderTestCase):
    """Passwords of all kinds reach restic as they are."""

    async def test_odd_passwords(self) -> None:
        """Blanks at the ends, letters beyond ASCII and line breaks are part of the password."""
        for program, password in (
            ("restic-0.14", " blanks\t"),
            ("restic-0.18", " blanks\t"),
            ("restic-0.18", "pässwörd ✓\nnext line"),
            ("restic-0.18", "\ufeffmarked"),
        ):
            path = self.copy(made(program) / "empty")
            cheapen(path, PASSWORD, password)
            result = await read(tool(program), entry(path, password))
            self.assertEqual(result.content.snapshot_count, 0)

    async def test_empty_password(self) -> None:
        """A repository without a password can be read by versions that know of such."""
        path = Path(self.mktemp()).resolve()
        restic(path, "init", "--insecure-no-password", password="", program="restic-0.18")
        for program in VERSIONS[1:]:
            result = await read(tool(program), entry(path, ""))
            self.assertEqual(result.content.snapshot_count, 0)
        await self.assert_fails(tool("restic-0.14"), entry(path, ""), Reason.RESTIC)

    async def test_impossible_password(self) -> None:
        """A password that has no bytes is a failure of the secret."""
        repository = entry(made("restic-0.18") / "empty", "x\ud800y")
        await self.assert_fails(tool("restic-0.18"), repository, Reason.SECRET)

    async def test_key_hint(self) -> None:
        """The key that is asked for is tried first."""
        path = made("restic-0.18") / "empty"
        (key,) = (path / "keys").iterdir()
        await read(tool("restic-0.18"), entry(path, key_hint=key.name[:8]))
        fake = script(Path(self.mktemp()), '#!/bin/sh\necho "Fatal: $*" >&2; exit 1\n')
        message = await self.assert_fails(fake, entry(path, key_hint="abcd"), Reason.RESTIC)
        self.assertIn("--key-hint abcd", message)

    async def test_odd_path(self) -> None:
        """Blanks and letters beyond ASCII may be in the repository's path."""
        path = self.copy(made("restic-0.18") / "full", "a b  ü:'\"$x")
        for location in (str(path), f"local:{path}"):
            result = await read(tool("restic-0.18"), entry(location))
            self.assert_like(result, path, "restic-0.18")


class PasswordCommandTests(ReaderTestCase):
    """A repository's password that a command prints."""

    def command(self, text: str, *arguments: str) -> PasswordCommand:
        """A shell script as the command."""
        return PasswordCommand((script(Path(self.mktemp()), f"#!/bin/sh\n{text}\n"), *arguments))

    async def assert_secret(self, command: PasswordCommand, **options: Any) -> str:
        """The command fails the read with ``secret``; the message, which has nothing of it."""
        repository = entry(made("restic-0.18") / "empty", command)
        message = await self.assert_fails(tool("restic-0.18"), repository, Reason.SECRET, **options)
        self.assertNotIn("sesame", message)
        self.assertTrue(message.startswith("password_command: "), message)
        return message

    async def test_used(self) -> None:
        """White space around the password is dropped, as restic does; arguments are passed."""
        command = self.command("printf '\\n %s\\r\\n\\n' \"$1\"", PASSWORD)
        repository = entry(made("restic-0.18") / "empty", command)
        result = await read(tool("restic-0.18"), repository)
        self.assertEqual(result.content.snapshot_count, 0)

    async def test_environment(self) -> None:
        """The command sees nothing of the entry's secrets, nor more of the daemon's than restic."""
        seen = Path(self.mktemp()).resolve()
        command = self.command(f"cat /proc/$$/environ > {seen}; echo {PASSWORD}")
        repository = entry(made("restic-0.18") / "empty", command, env={"AWS_KEY": Secret("mine")})
        await read(tool("restic-0.18"), repository, environ={**ENVIRON, "VAULT_TOKEN": "t"})
        names = {pair.partition("=")[0] for pair in seen.read_text().split("\0")[:-1]}
        self.assertEqual(names, {"PATH", "HOME"})

    async def test_wrong(self) -> None:
        """A wrong password from a command is not in the message of restic's failure."""
        command = self.command("echo hopeless")
        repository = entry(made("restic-0.18") / "empty", command)
        message = await self.assert_fails(tool("restic-0.18"), repository, Reason.AUTH)
        self.assertNotIn("hopeless", message)

    async def test_failures(self) -> None:
        """A command that fails, is killed, prints nothing or no text."""
        for text, ending in (
            ("echo sesame; echo sesame >&2; exit 3", "failed with exit status 3"),
            ("echo sesame; kill -9 $$", "failed with signal 9"),
            ("echo ' '", 'must be written as "password": ""'),
            (r"printf 'sesame\377'", "is not UTF-8 text"),
            ("echo sesame; exec cat /dev/zero", "too much output on stdout"),
            ("echo sesame; exec cat /dev/zero >&2", "too much output on stderr"),
        ):
            message = await self.assert_secret(self.command(text))
            self.assertTrue(message.endswith(ending), message)

    async def test_missing(self) -> None:
        """A command that cannot be run."""
        message = await self.assert_secret(PasswordCommand(("/nonexistent/pass", "sesame")))
        self.assertIn("/nonexistent/pass", message)

    async def test_hanging(self) -> None:
        """A command that does not end in time."""
        self.patch(child, "INTERRUPT_GRACE", 0.2)
        marker = f"marker-{os.getpid()}-{id(self)}"
        command = self.command("trap '' INT; while :; do sleep 1000; done", marker)
        message = await self.assert_secret(command, seconds=0.5)
        self.assertTrue(message.endswith("timed out"), message)
        self.assertEqual(running(marker), [])
