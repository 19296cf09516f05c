"""The real programs that tests run: restic, rest-server, and the daemon itself."""

import base64
import contextlib
import functools
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.doubles.native_repositories import cheapen
from tests.doubles.tools import tool

ROOT = Path(__file__).resolve().parents[2]
# Its real key costs each restic half a second of a processor: see example() and copy_example().
EXAMPLE = ROOT / "examples" / "repository"
EXAMPLE_PASSWORD = "example"

# Longer than anything here takes on a busy machine; a test that gets here has failed.
PATIENCE = 60.0

Labels = tuple[tuple[str, str], ...]


class Program:
    """A child process whose output is read line by line, as events."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            arguments,
            env=None if environment is None else dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.lines: list[str] = []
        self._unread: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line)
                self._unread.put(line)
        self._unread.put(None)

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of ``pattern`` in a line that no earlier wait has passed."""
        limit = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._unread.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} in time:\n{self.output}") from None
            if line is None:
                raise AssertionError(f"it ended without {pattern!r}:\n{self.output}")
            match = re.search(pattern, line)
            if match:
                return match

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended by itself; its exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()


class Folder:
    """A temporary folder, and what must be ended before it goes; a context manager."""

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()
        self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    def close(self) -> None:
        """End the programs and remove the folder."""
        self.stack.close()

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program here."""
        program = Program(arguments, environment, self.path)
        self.stack.callback(program.kill)
        return program

    def follow(self, path: Path) -> Program:
        """A program whose output is what is written to the file, which need not exist yet."""
        return self.run(["tail", "-n", "+1", "-F", str(path)])

    def write(self, name: str, content: str, mode: int = 0o644) -> Path:
        """Make a file."""
        path = self.path / name
        path.write_text(content)
        path.chmod(mode)
        return path


def restic(
    repository: str | Path,
    *arguments: str,
    password: str = EXAMPLE_PASSWORD,
    program: str = "restic-0.18",
    environment: Mapping[str, str] | None = None,
) -> str:
    """What a real restic prints when it is run by hand."""
    done = subprocess.run(
        [tool(program), "-r", str(repository), "--no-cache", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/",
            "RESTIC_PASSWORD": password,
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode != 0:
        raise AssertionError(f"restic {arguments} failed: {done.stderr}")
    return done.stdout


def snapshots(repository: str | Path, **options: Any) -> list[dict[str, Any]]:
    """What ``restic snapshots --json`` says."""
    listed: list[dict[str, Any]] = json.loads(
        restic(repository, "snapshots", "--json", "--no-lock", **options)
    )
    return listed


def copy_example(path: Path, real_key: bool = False) -> Path:
    """
    A copy of the repository that ships with the project, to be written to.

    Its key is cheap to open, unless it is to be the ``real_key``.
    """
    shutil.copytree(EXAMPLE, path)
    # git keeps no empty folders, and restic wants them when it writes.
    for name in ("locks", "index", "keys", "snapshots", "data"):
        (path / name).mkdir(exist_ok=True)
    for number in range(256):
        (path / "data" / f"{number:02x}").mkdir(exist_ok=True)
    for file in path.rglob("*"):
        file.chmod(file.stat().st_mode | 0o200)
    if not real_key:
        cheapen(path, EXAMPLE_PASSWORD)
    return path


@functools.cache
def example() -> Path:
    """A copy that all tests of this process share, to be read only."""
    return copy_example(Path("examples", "repository").resolve())


class RestServer:
    """A real rest-server over ``path``; with ``users`` (name to password) it asks for them."""

    def __init__(
        self,
        folder: Folder,
        path: Path,
        users: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        listen: str = "127.0.0.1:0",
    ) -> None:
        path.mkdir(parents=True, exist_ok=True)
        options = ["--path", str(path), *arguments]
        if users is None:
            options.append("--no-auth")
        else:
            passwords = folder.write("htpasswd", "".join(map(_htpasswd, users.items())))
            options += ["--htpasswd-file", str(passwords)]
        self._start: Callable[[str], Program] = lambda address: folder.run(
            [tool("restic-rest-server"), *options, "--listen", address]
        )
        self.path = path
        self.program = self._start(listen)
        self.address = self.program.wait_for(r"start server on (\S+)")[1]

    def url(self, name: str, credentials: str = "") -> str:
        """The repository ``name`` in restic's syntax."""
        return f"rest:http://{credentials}{self.address}/{name}"

    def stop(self) -> None:
        """End it; its port refuses connections from then on."""
        self.program.kill()

    def start_again(self) -> None:
        """Start it at the same address."""
        self.program = self._start(self.address)
        self.program.wait_for("start server on")


def _htpasswd(user: tuple[str, str]) -> str:
    name, password = user
    digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    return f"{name}:{{SHA}}{digest}\n"


class Daemon:
    """``twistd -n restic-reporter``, or another ``command``, as a child process."""

    def __init__(
        self,
        folder: Folder,
        config: Any,
        *options: str,
        twistd_options: Sequence[str] = ("-n",),
        environment: Mapping[str, str] | None = None,
        restic: str = "restic-0.18",
        twistd: str | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.config = folder.path / "config.json"
        self.configure(config)
        program = restic if "/" in restic else tool(restic)
        twistd = twistd or str(Path(sys.executable).with_name("twistd"))
        self.program = folder.run(
            [
                *(command or (twistd, *twistd_options, "--pidfile=", "restic-reporter")),
                "--config=config.json",
                "--bind=127.0.0.1:0",
                f"--restic={program}",
                *options,
            ],
            {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "LANG": "C.UTF-8",
                **(environment or {}),
            },
        )
        self.address = ""

    def configure(self, config: Any) -> None:
        """Write another config; text is written as it is."""
        self.config.write_text(config if isinstance(config, str) else json.dumps(config))
        self.config.chmod(0o600)

    def serving(self) -> "Daemon":
        """Wait until the first collection has ended and the web server listens."""
        self.address = self.program.wait_for(r"listening on (\S+)")[1]
        return self

    def collect(self) -> None:
        """Have it collect by USR1, and wait for the end of that."""
        self.program.signal(signal.SIGUSR1)
        self.program.wait_for("collected .* repositor")

    def reload(self) -> None:
        """Have it read its config by HUP, and wait for the outcome."""
        self.program.signal(signal.SIGHUP)
        self.program.wait_for("config reloaded|config not reloaded")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        """The body of a page."""
        url = f"http://{self.address}{path}"
        request = urllib.request.Request(url, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            body: bytes = response.read()
        return body.decode()

    def metrics(self) -> "Metrics":
        """What a scrape gives now."""
        return Metrics(self.get("/metrics"))

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it by a signal; its exit status."""
        self.program.signal(number)
        return self.program.end()


class Metrics:
    """A scraped page, parsed by prometheus_client."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.samples: dict[tuple[str, Labels], float] = {}
        for family in text_string_to_metric_families(page):
            for one in family.samples:
                key = (one.name, tuple(sorted(one.labels.items())))
                assert key not in self.samples, f"{key} stands twice"
                self.samples[key] = one.value

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series, ``None`` where there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def series(self, name: str, **labels: str) -> dict[Labels, float]:
        """All series of ``name`` that have these ``labels``, by all their labels."""
        return {
            key: value
            for (series, key), value in self.samples.items()
            if series == name and set(labels.items()) <= set(key)
        }

    def names(self, **labels: str) -> set[str]:
        """The names of all series with these ``labels``."""
        return {name for name, key in self.samples if set(labels.items()) <= set(key)}


def wait_until(condition: Callable[[], bool]) -> None:
    """
    Look again and again until ``condition`` holds, within `PATIENCE`.

    Only for what gives no sign that a test could wait for: a foreign process's entries in
    /proc, a port that refuses connections until somebody listens, or a program that has
    nowhere to write to.
    """
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError("it did not come true in time")
        time.sleep(0.02)


def processes(word: str) -> Iterator[int]:
    """The ids of all processes with ``word`` in their command line or environment."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        text = b""
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                text += Path("/proc", entry, name).read_bytes()
        if word.encode() in text:
            yield int(entry)


def serves(address: str) -> bool:
    """Whether somebody listens there."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return False
    return True


def status_of(address: str, path: str) -> int:
    """The HTTP status of a page."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
