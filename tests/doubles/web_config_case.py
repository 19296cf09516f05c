"""Files of ``--web-config`` in a folder with certificates."""

from pathlib import Path
from typing import Any

import bcrypt
import yaml
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.config.web_config_file import WebConfigFile
from restic_reporter.model.errors import ConfigError
from restic_reporter.web.security.web_config import WebConfig
from tests.doubles.certificates import Authority

HASH = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
SECRET = "c2VzYW1lb3Blbm5vdw"


class WebConfigCase(SynchronousTestCase):
    """A folder with a certificate, its key and a CA."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority.make()
        self.write("server.pem", self.authority.issue("localhost"))
        self.write("ca.pem", self.authority.pem)
        self.file = WebConfigFile("web.yml", str(self.folder))

    def write(self, name: str, content: bytes | str, mode: int = 0o600) -> Path:
        """Make a file."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def load(self, document: Any) -> WebConfig:
        """The config in a document, or in text."""
        self.write("web.yml", document if isinstance(document, str) else yaml.dump(document))
        return self.file.load()

    def problems(self, document: Any) -> list[str]:
        """All that is wrong with a document."""
        error = self.assertRaises(ConfigError, self.load, document)
        for problem in error.problems:
            self.assertTrue(problem.startswith("web.yml: "), problem)
            self.assertNotIn(SECRET, problem)
        return [problem.removeprefix("web.yml: ") for problem in error.problems]

    def tls(self, **more: Any) -> Any:
        """A document with a good certificate."""
        files = {"cert_file": "server.pem", "key_file": "server.pem"}
        return {"tls_server_config": {**files, **more}}

    def tls_problem(self, **more: Any) -> str:
        """The one thing that is wrong with a section for TLS."""
        (problem,) = self.problems(self.tls(**more))
        self.assertTrue(problem.startswith("tls_server_config: "), problem)
        return problem.removeprefix("tls_server_config: ")
