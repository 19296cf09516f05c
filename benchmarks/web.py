"""
What a scrape costs the daemon: plain, over TLS, with a password, and with both.

    python -m benchmarks.web --requests 2000

runs from the project's folder, after scripts/test has fetched the real programs. One client asks
for /metrics of the example repository, without a pause; the CPU time is that of the daemon.
"""

import argparse
import base64
import http.client
import os
import ssl
from pathlib import Path
from time import perf_counter

import bcrypt
import yaml

from tests.doubles.certificates import self_signed
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example

_TLS = {"tls_server_config": {"cert_file": "server.pem", "key_file": "server.pem"}}
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(process: int) -> float:
    """The CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def connect(address: str, tls: bool) -> http.client.HTTPConnection:
    """A connection to the daemon."""
    if not tls:
        return http.client.HTTPConnection(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address, context=context)


def measure(name: str, tls: bool, password: bool, keep_alive: bool, requests: int) -> None:
    """One line of the table."""
    document = dict(_TLS) if tls else {}
    if password:
        hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(10)).decode()
        document["basic_auth_users"] = {"prom": hashed}
    folder = Folder()
    try:
        folder.write("server.pem", self_signed().decode(), 0o600)
        folder.write("web.yml", yaml.dump(document), 0o600)
        copy_example(folder.path / "repo")
        entry = {"repo": "repo", "password": EXAMPLE_PASSWORD, "reader": "native"}
        daemon = Daemon(folder, [entry], "--web-config=web.yml").serving()
        headers = {"Authorization": f"Basic {base64.b64encode(b'prom:sesame').decode()}"}
        client = connect(daemon.address, tls)
        durations = []
        process = daemon.program.process.pid
        before = cpu(process)
        for number in range(requests + 1):
            if not keep_alive:
                client.close()
            started = perf_counter()
            client.request("GET", "/metrics", headers=headers)
            response = client.getresponse()
            assert response.status == 200, response.status
            response.read()
            if number:
                durations.append(perf_counter() - started)
            else:
                # The first has bcrypt in it.
                first, before = perf_counter() - started, cpu(process)
        cost = (cpu(process) - before) / requests
        print(
            f"{name:<38}{requests / sum(durations):>10.0f}{cost * 1000:>10.2f}{first * 1000:>10.0f}"
        )
    finally:
        folder.close()


def main() -> None:
    """Measure, and show the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web")
    parser.add_argument("--requests", type=int, default=2000)
    requests = parser.parse_args().requests
    print(f"{'':<38}{'per s':>10}{'CPU ms':>10}{'first ms':>10}")
    for name, tls, password, keep_alive in (
        ("plain", False, False, True),
        ("password", False, True, True),
        ("TLS", True, False, True),
        ("TLS and password", True, True, True),
        ("plain, a connection for each", False, False, False),
        ("TLS and password, a connection for each", True, True, False),
    ):
        measure(name, tls, password, keep_alive, requests)


if __name__ == "__main__":
    main()
