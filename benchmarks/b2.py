"""
What reading from B2 costs, beside restic run by hand: calls, bytes and wall time.

    python -m benchmarks.b2

runs from the project's folder, after scripts/test has fetched the real programs. restic makes
a repository in a fake B2 that takes 50 ms more for every answer; most of its snapshots are
sealed here, with the repository's own key, since restic would take an hour for thousands.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from collections import Counter
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from tests.doubles import programs
from tests.doubles.daemons import Daemon
from tests.doubles.fake_b2 import FakeB2
from tests.doubles.fake_b2_objects import READ_ONLY, Bucket
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, restic

LATENCY = 0.05
SIZES = (10, 3000)


class Sealer:
    """Reads and writes a repository's unpacked files, as its format says."""

    def __init__(self, key_file: bytes, password: str) -> None:
        outer = json.loads(key_file)
        derived = hashlib.scrypt(
            password.encode(),
            salt=base64.b64decode(outer["salt"]),
            n=outer["N"],
            r=outer["r"],
            p=outer["p"],
            maxmem=2**28,
            dklen=64,
        )
        self._keys = derived[:32], derived[32:48], derived[48:]
        inner = json.loads(self.open(base64.b64decode(outer["data"])))
        self._keys = (
            base64.b64decode(inner["encrypt"]),
            base64.b64decode(inner["mac"]["k"]),
            base64.b64decode(inner["mac"]["r"]),
        )

    def open(self, sealed: bytes) -> bytes:
        """The content of a sealed file."""
        nonce, ciphertext, tag = sealed[:16], sealed[16:-16], sealed[-16:]
        if not hmac.compare_digest(tag, self._tag(nonce, ciphertext)):
            raise ValueError("not authentic")
        return self._crypt(nonce, ciphertext)

    def seal(self, content: bytes) -> bytes:
        """A sealed file with this content."""
        nonce = os.urandom(16)
        ciphertext = self._crypt(nonce, content)
        return nonce + ciphertext + self._tag(nonce, ciphertext)

    def _crypt(self, nonce: bytes, data: bytes) -> bytes:
        cipher = Cipher(algorithms.AES(self._keys[0]), modes.CTR(nonce)).encryptor()
        return cipher.update(data) + cipher.finalize()

    def _tag(self, nonce: bytes, ciphertext: bytes) -> bytes:
        _, k, r = self._keys
        encrypted = Cipher(algorithms.AES(k), modes.ECB()).encryptor().update(nonce)
        return Poly1305.generate_tag(r + encrypted, ciphertext)


def multiply(fake: FakeB2, bucket: Bucket, base: str, number: int) -> None:
    """Seal snapshots like the one that is there, until there are so many."""
    keys = [one for one in bucket.names if one.startswith(f"{base}keys/")]
    key = bucket.newest(keys[0])
    (first,) = (one for one in bucket.names if one.startswith(f"{base}snapshots/"))
    original = bucket.newest(first)
    assert key is not None and original is not None
    sealer = Sealer(key.content, EXAMPLE_PASSWORD)
    content = sealer.open(original.content)
    if content[:1] != b"{":
        raise ValueError("make the repository without compression")
    for index in range(number - 1):
        snapshot = {**json.loads(content), "hostname": f"host{index % 20}"}
        sealed = sealer.seal(json.dumps(snapshot).encode())
        fake.account.put(bucket, f"{base}snapshots/{hashlib.sha256(sealed).hexdigest()}", sealed)


class Tally:
    """Calls and bytes at Backblaze's own hosts (restic's) and at ours, since it was made."""

    def __init__(self, fake: FakeB2) -> None:
        self._fake = fake
        self._calls = len(fake.requests)
        self._sent = Counter(fake.sent)
        self._started = time.monotonic()

    def row(self, what: str, seconds: float | None = None) -> None:
        """Print a line of the table; ``seconds`` are by default those since it was made."""
        wall = time.monotonic() - self._started if seconds is None else seconds
        sent = self._fake.sent - self._sent
        calls: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        for call, host in self._fake.requests[self._calls :]:
            calls[host.startswith("127.")][call.removeprefix("b2_")] += 1
        columns = [
            f"{sum(calls[ours].values())} calls,"
            f" {sum(size for host, size in sent.items() if host.startswith('127.') is ours):,} B"
            for ours in (True, False)
        ]
        print(f"| {what:<38} | {columns[0]:>22} | {columns[1]:>26} | {wall:6.2f} s |", flush=True)
        print(f"  ours: {dict(calls[True])}; restic's: {dict(calls[False])}")


def measure(folder: Folder, size: int) -> None:
    """The lines for a repository of so many snapshots."""
    fake = FakeB2(LATENCY)
    folder.stack.callback(fake.close)
    bucket = fake.account.add_bucket("some-bucket")
    key = fake.account.add_key(READ_ONLY, [bucket])
    proxy = fake.named()
    environment = fake.environment(fake.account.add_key(), proxy)
    ca = folder.write("ca.pem", fake.authority.pem.decode())
    data = folder.write("data", "content")
    location = "b2:some-bucket:path"

    def run(*arguments: str) -> str:
        return restic(location, "--cacert", str(ca), *arguments, environment=environment)

    # In version 1 of the format nothing is compressed.
    run("init", "--repository-version", "1")
    run("backup", "--host", "host", str(data))
    multiply(fake, bucket, "path/", size)
    tally = Tally(fake)
    listed: Any = json.loads(run("snapshots", "--json", "--no-lock"))
    assert len(listed) == size, len(listed)
    tally.row(f"{size} snapshots: restic snapshots by hand")
    tally = Tally(fake)
    entry = {
        "repo": location,
        "password": EXAMPLE_PASSWORD,
        "cacert": "ca.pem",
        "b2_account_id": key.id,
        "b2_key": key.secret,
        "b2_api_url": fake.direct(tls=True),
        "reader": "restic",
    }
    daemon = Daemon(folder, [entry], environment={"HTTPS_PROXY": proxy.url}).serving()

    def duration() -> float:
        metrics = daemon.metrics()
        assert metrics.value("backup_read_error_count", url=location) == 0, daemon.program.output
        return metrics.value("backup_read_duration_seconds", url=location) or 0.0

    tally.row(f"{size} snapshots: daemon, opening", duration())
    tally = Tally(fake)
    daemon.collect()
    tally.row(f"{size} snapshots: daemon, unchanged", duration())
    run("backup", "--host", "new", str(data))
    tally = Tally(fake)
    daemon.collect()
    tally.row(f"{size} snapshots: daemon, one new", duration())
    daemon.stop()


def main() -> None:
    """Print the table."""
    # restic asks twice for each snapshot, five at a time: a minute for 3,000.
    programs.PATIENCE = 600.0
    print(f"| {'':<38} | {'our calls':>22} | {'calls of the restic reader':>26} | {'wall':>8} |")
    for size in SIZES:
        folder = Folder()
        try:
            measure(folder, size)
        finally:
            folder.close()


if __name__ == "__main__":
    main()
