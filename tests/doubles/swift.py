"""
OpenStack Swift with its S3 API: the strictest of the servers, it checks region and clock.

Its data folder needs a file system with extended attributes, such as ext4.
"""

import os
import pwd

from tests.doubles.s3_server import S3Server, answers, free_ports
from tests.doubles.servers import Folder, Program, serves, wait_until
from tests.doubles.tools import tool

_KINDS = ("account", "container", "object")
_PIPELINE = (
    "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk s3api tempauth"
    " slo dlo versioned_writes symlink proxy-logging proxy-server"
)
# One process for all three, as each takes as long to start as the servers do.
_MAKE_RINGS = """
import sys
from swift.common.ring import RingBuilder
for argument in sys.argv[2:]:
    kind, port = argument.split(":")
    builder = RingBuilder(4, 1, 1)
    builder.add_dev(dict(region=1, zone=1, ip="127.0.0.1", port=int(port), device="d1", weight=1,
        replication_ip="127.0.0.1", replication_port=int(port)))
    builder.rebalance()
    builder.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
"""
_SERVE = "import sys; from swift.{kind}.server import main; sys.exit(main())"


class Swift(S3Server):
    """Four servers: the proxy, and those for accounts, containers and objects."""

    access_key_id = "test:tester"
    secret_access_key = "testing"
    region = "eu-test-1"

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self._programs: list[Program] = []
        self._path = folder.path / "swift"
        (self._path / "devices/d1").mkdir(parents=True)
        ports = free_ports(4)
        self._addresses = [f"127.0.0.1:{port}" for port in ports]
        self.address = self._addresses[-1]
        self._configure(ports)
        rings = [f"{kind}:{port}" for kind, port in zip(_KINDS, ports, strict=False)]
        made = folder.run([tool("swift-python"), "-c", _MAKE_RINGS, str(self._path), *rings])
        assert made.end() == 0, made.output
        self.start()
        self.make_bucket()

    def start(self) -> None:
        """Start all four."""
        self._programs = [
            self.folder.run(
                [
                    tool("swift-python"),
                    "-c",
                    _SERVE.format(kind="obj" if kind == "object" else kind),
                    str(self._path / f"{kind}.conf"),
                ]
            )
            for kind in (*_KINDS, "proxy")
        ]
        for address in self._addresses:
            wait_until(lambda address=address: self._is_up(address))
        assert answers(self.address, "/healthcheck")

    def _is_up(self, address: str) -> bool:
        ended = [one for one in self._programs if one.process.poll() is not None]
        assert not ended, f"Swift ended: {ended[0].output}"
        return serves(address)

    def stop(self) -> None:
        """End all four."""
        for program in self._programs:
            program.kill()

    def _configure(self, ports: list[int]) -> None:
        def write(name: str, text: str) -> None:
            (self._path / name).write_text(text)

        write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = tests\n")
        # As root it would become this user.
        user = pwd.getpwuid(os.geteuid()).pw_name
        for kind, port in zip((*_KINDS, "proxy"), ports, strict=True):
            common = (
                f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = {user}\n"
                f"swift_dir = {self._path}\ndevices = {self._path}/devices\nmount_check = false\n"
            )
            if kind == "proxy":
                write("proxy.conf", f"{common}[pipeline:main]\npipeline = {_PIPELINE}\n{_FILTERS}")
            else:
                app = f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
                write(f"{kind}.conf", f"{common}{app}")


# Nothing listens at port 1: a memcached of this machine must not be asked.
_FILTERS = f"""[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = {Swift.region}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
""" + "".join(
    f"[filter:{name}]\nuse = egg:swift#{name.replace('proxy-', 'proxy_')}\n"
    for name in (
        "catch_errors",
        "gatekeeper",
        "healthcheck",
        "proxy-logging",
        "listing_formats",
        "bulk",
        "slo",
        "dlo",
        "versioned_writes",
        "symlink",
    )
)
