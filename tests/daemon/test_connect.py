"""``restic-reporter check-config --connect`` as a process."""

from restic_reporter.model.errors import Reason
from tests.daemon.test_collect import ScriptCase
from tests.doubles.fake_vault import FakeVault
from tests.doubles.servers import EXAMPLE_PASSWORD
from tests.doubles.tools import tool

RESTICS = ("restic-0.14", "restic-0.18", "restic-0.19")


class ConnectTests(ScriptCase):
    """Whether repositories could be read."""

    def setUp(self) -> None:
        """A Vault with one password."""
        super().setUp()
        self.vault = FakeVault(documents={"restic/good": {"key": EXAMPLE_PASSWORD}})
        self.addCleanup(self.vault.close)

    def environment(self) -> dict[str, str]:
        """Those of the Vault."""
        return self.vault.environment()

    def connect(self, status: int, *options: str) -> list[str]:
        """The lines that are printed; a wrong exit status fails."""
        done = self.run_it("check-config", "--connect", *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout.splitlines()

    def test_each(self) -> None:
        """Every repository has a line, in the order of the config, by all readers."""
        stranger = {**self.good, "repo": self.server.url("good", "stranger:x@")}
        self.configure([self.bad, self.entry("nowhere"), self.good, stranger])
        readers = [["--reader=native"], *([f"--restic={tool(one)}"] for one in RESTICS)]
        for options in readers:
            lines = self.connect(3, *options)
            labels = ["bad", "nowhere", "good", "good"]
            results = [f"{Reason.AUTH}: ", f"{Reason.NOT_FOUND}: ", "ok", f"{Reason.AUTH}: "]
            for label, result, line in zip(labels, results, lines, strict=True):
                self.assertIn(f"/{label}: {result}", line)
            self.assertEqual(lines[2], f"{self.label('good')}: ok")

    def test_reads_no_snapshots(self) -> None:
        """Snapshots are not read: damaged ones do not matter, and neither do thousands."""
        for path in (self.server.path / "good" / "snapshots").iterdir():
            path.chmod(0o600)
            path.write_bytes(b"damaged")
        self.configure([self.good])
        before = sorted(self.server.path.rglob("*"))
        for options in (["--reader=native"], [f"--restic={tool('restic-0.18')}"]):
            self.assertEqual(self.connect(0, *options), [f"{self.label('good')}: ok"])
            self.assertEqual(self.run_it("collect", *options).returncode, 3)
        self.assertEqual(sorted(self.server.path.rglob("*")), before)

    def test_vault(self) -> None:
        """Secrets are looked up, and one that is missing is the reason."""
        url = self.server.url("good", "me:hunter2marker@")
        other = self.server.url("bad", "me:hunter2marker@")
        self.configure(
            [
                {"repo": url, "vault_material": "restic/good"},
                {"repo": other, "vault_material": "restic/none"},
            ]
        )
        good, bad = self.connect(3, "--reader=native")
        self.assertEqual(good, f"{self.label('good')}: ok")
        self.assertTrue(bad.startswith(f"{self.label('bad')}: secret: "), bad)
        self.assertIn("'restic/none'", bad)

    def test_only_restic(self) -> None:
        """A repository that only restic reaches is opened by restic."""
        path = self.server.path / "good"
        restic = self.folder.write(
            "as-swift",
            "#!/bin/sh\n"
            'echo "$1 $2" >> called\n'
            f'exec {tool("restic-0.18")} "$@" --repository-file "" -r {path}\n',
            0o755,
        )
        self.configure([{"repo": f"swift:host:{path}", "password": EXAMPLE_PASSWORD}])
        (line,) = self.connect(0, f"--restic={restic}")
        self.assertEqual(line, f"swift:host:{path}: ok")
        self.assertEqual((self.folder.path / "called").read_text(), "cat config\n")

    def test_bad_config(self) -> None:
        """A config that cannot be used costs status 1."""
        self.configure([{**self.good, "pasword": "x"}])
        done = self.run_it("check-config", "--connect")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("did you mean 'password'", done.stderr)
