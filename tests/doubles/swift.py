"""
OpenStack Swift with its S3 API: the strictest of the servers, it checks region and clock.

Its data folder needs a file system with extended attributes, such as ext4.
"""

from pathlib import Path

from tests.doubles.programs import Folder, Program
from tests.doubles.s3_server import S3Server, free_ports
from tests.doubles.tools import tool

_KINDS = ("account", "container", "object", "proxy")
_PIPELINE = (
    "catch_errors gatekeeper healthcheck proxy-logging listing_formats bulk s3api tempauth"
    " slo dlo versioned_writes symlink proxy-logging proxy-server"
)


class Swift(S3Server):
    """Swift's proxy, and its servers for accounts, containers and objects."""

    access_key_id = "test:tester"
    secret_access_key = "testing"
    region = "eu-test-1"

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self._path = folder.path / "swift"
        (self._path / "devices/d1").mkdir(parents=True)
        self._ports = dict(zip(_KINDS, free_ports(len(_KINDS)), strict=True))
        self.address = f"127.0.0.1:{self._ports['proxy']}"
        self._configure()
        self.start()
        self.make_bucket()

    def start(self) -> None:
        self.program: Program = self.folder.run(
            [
                tool("swift-python"),
                # Else the folder of the script would come first, where swift.py is another one.
                "-I",
                str(Path(__file__).with_name("swift_servers.py")),
                str(self._path),
                *(f"{kind}:{port}" for kind, port in self._ports.items()),
            ]
        )
        self.program.wait_for("^ready$")

    def stop(self) -> None:
        self.program.kill()

    def _configure(self) -> None:
        swift_conf = self._path / "swift.conf"
        swift_conf.write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
        for kind, port in self._ports.items():
            (self._path / f"{kind}.conf").write_text(
                f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nswift_dir = {self._path}\n"
                f"devices = {self._path}/devices\nmount_check = false\nlog_level = ERROR\n"
                + (_PROXY if kind == "proxy" else _OTHER.format(kind=kind))
            )


_OTHER = """[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
# Without a cache: a memcached of this machine must not be asked.
_PROXY = f"""[pipeline:main]
pipeline = {_PIPELINE}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# One process serves all: it may be busy.
conn_timeout = 30
node_timeout = 30
[filter:s3api]
use = egg:swift#s3api
location = {Swift.region}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
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
