"""The programs that scripts/fetch-test-tools fetches, and where it puts them."""

from pathlib import Path
from typing import NamedTuple

TOOLS = Path(__file__).resolve().parent.parent / ".tools"
PACKAGES = TOOLS / "packages"
BIN = TOOLS / "bin"


class Tool(NamedTuple):
    """A program: its name in .tools/bin, its source, and the version that its name promises."""

    name: str
    suite: str
    package: str
    version: str
    rolling: bool = False
    """The suite changes, so a newer version is accepted too."""
    libraries: tuple[str, ...] = ()
    """Packages with libraries that a machine need not have."""
    path: str = ""
    """The path in the package; by default it is bin/ and the name of the package."""
    option: str = "--version"
    """Makes it print its version."""
    own_loader: bool = False
    """Unpacked with all packages that it depends on, and started by the loader among these."""
    others: tuple[str, ...] = ()
    """Paths of more programs in the package; older versions lack some."""
    slow: bool = False
    """Only the slow tests need it."""

    @property
    def unpacked(self) -> Path:
        return PACKAGES / self.suite / self.package

    @property
    def program(self) -> Path:
        if self.path:
            return self.unpacked / self.path
        # Debian 12 has some below /bin, which is a link to /usr/bin where it is installed.
        in_bin = self.unpacked / "bin" / self.package
        return in_bin if in_bin.exists() else self.unpacked / "usr/bin" / self.package


def sshd(suite: str, version: str, rolling: bool = False) -> Tool:
    """OpenSSH: server, client, and what they start."""
    others = (
        "usr/lib/openssh/sshd-session",
        "usr/lib/openssh/sshd-auth",
        "usr/lib/openssh/sftp-server",
        "usr/bin/ssh",
        "usr/bin/ssh-keygen",
    )
    return Tool(
        "sshd",
        suite,
        "openssh-server",
        version,
        rolling,
        path="usr/sbin/sshd",
        option="-V",
        own_loader=True,
        others=others,
    )


def radosgw(suite: str, version: str, rolling: bool = False) -> Tool:
    """Ceph's S3 server."""
    others = ("usr/bin/radosgw-admin",)
    return Tool(
        "radosgw", suite, "radosgw", version, rolling, own_loader=True, others=others, slow=True
    )


TABLES = {
    "debian": [
        Tool("restic-0.14", "bookworm", "restic", "0.14", option="version"),
        Tool("restic-0.18", "trixie", "restic", "0.18", option="version"),
        Tool("restic-0.19", "sid", "restic", "0.19", rolling=True, option="version"),
        Tool("restic-rest-server", "trixie", "restic-rest-server", "0.13"),
        Tool("prometheus", "trixie", "prometheus", "2.53"),
        Tool("promtool", "trixie", "promtool", "2.53"),
        Tool("zsh", "bookworm", "zsh-static", "5.9"),
        Tool("fish", "bookworm", "fish", "3.6", libraries=("libpcre2-32-0",)),
        Tool("rclone", "bookworm", "rclone", "1.60"),
        Tool("curl", "trixie", "curl", "8.14", own_loader=True),
        # Debian 12 has no sshd with penalties (9.8), and no radosgw with a store of its own.
        sshd("trixie", "10.0"),
        radosgw("trixie", "18.2"),
    ],
    "ubuntu": [
        Tool("restic-0.16", "noble", "restic", "0.16", option="version"),
        Tool("restic-0.18", "resolute", "restic", "0.18", option="version"),
        Tool("restic-rest-server", "resolute", "restic-rest-server", "0.13", rolling=True),
        Tool("prometheus", "resolute", "prometheus", "2.53", rolling=True),
        Tool("promtool", "resolute", "promtool", "2.53", rolling=True),
        Tool("zsh", "noble", "zsh-static", "5.9"),
        Tool("fish", "noble", "fish", "3.7", libraries=("libpcre2-32-0",)),
        Tool("rclone", "noble", "rclone", "1.60"),
        Tool("curl", "resolute", "curl", "8.14", rolling=True, own_loader=True),
        sshd("resolute", "10.0", rolling=True),
        radosgw("resolute", "18.2", rolling=True),
    ],
}


class Environment(NamedTuple):
    """A Python environment with a server: its module, its version, and what pip installs."""

    module: str
    version: str
    requirements: tuple[str, ...]
    slow: bool = False

    @property
    def folder(self) -> Path:
        return PACKAGES / f"{self.module}-{self.version}"


ENVIRONMENTS = [
    Environment("swift", "2.38.3", ("swift==2.38.3",)),
    # The parts of moto[server] that S3, IAM and STS need.
    Environment("moto", "5.2.5", ("moto[s3]==5.2.5", "flask", "flask-cors"), slow=True),
]
