"""
A program for tests: an SFTP server over its pipes that serves the folders of this machine.

``python fake_sftp.py LOG FAULT…`` appends a line for each login and request to the file LOG. Each
FAULT, ``name`` or ``name=value``, is one way to misbehave: see the uses of ``FAULTS``. It imports
nothing but the standard library, so that it starts quickly.
"""

import os
import struct
import sys
from collections.abc import Iterator
from itertools import count as count_from
from typing import Any, NoReturn

LOG = sys.argv[1] if __name__ == "__main__" else os.devnull
FAULTS = dict(one.partition("=")[::2] for one in sys.argv[2:])

INIT, VERSION, OPEN, CLOSE, READ, FSTAT, OPENDIR, READDIR, STAT = 1, 2, 3, 4, 5, 8, 11, 12, 17
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
NAMES_OF = {
    OPEN: "open",
    CLOSE: "close",
    READ: "read",
    FSTAT: "fstat",
    OPENDIR: "opendir",
    READDIR: "readdir",
    STAT: "stat",
}
EOF, NO_FILE, DENIED, FAILURE, UNSUPPORTED = 1, 2, 3, 4, 8

handles: dict[bytes, Any] = {}
numbers = count_from(1)


def log(line: str) -> None:
    """Append a line to the log."""
    with open(LOG, "a") as file:
        file.write(line + "\n")


def write(data: bytes) -> None:
    """Send all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def read(size: int) -> bytes:
    """Receive so many bytes, or end at the end."""
    data = b""
    while len(data) < size:
        some = os.read(0, size - len(data))
        if not some:
            sys.exit(0)
        data += some
    return data


def text(data: bytes) -> bytes:
    """A string of the protocol."""
    return struct.pack("!L", len(data)) + data


def send(kind: int, data: bytes) -> None:
    """Send a packet."""
    write(struct.pack("!LB", len(data) + 1, kind) + data)


def status(number: bytes, code: int) -> None:
    """Answer with a status."""
    message = b"gr\xf6\xdfer\x1b[31m" if "latin" in FAULTS else b"message"
    send(STATUS, number + struct.pack("!L", code) + text(message) + text(b""))


def attributes(one: os.stat_result) -> bytes:
    """The attributes of a file."""
    if "bare" in FAULTS:
        return struct.pack("!L", 0)
    extended = struct.pack("!L", 1) + text(b"a@b") + text(b"c")
    return (
        struct.pack("!LQ2L", 0x8000000F, one.st_size, one.st_uid, one.st_gid)
        + struct.pack("!3L", one.st_mode, int(one.st_atime), int(one.st_mtime))
        + extended
    )


def pages(path: bytes) -> Iterator[bytes]:
    """The content of a folder, in the parts of answers."""
    entries = [(b".", path), (b"..", path)]
    entries += [(one, os.path.join(path, one)) for one in sorted(os.listdir(path))]
    if "endless" in FAULTS:
        while True:
            yield struct.pack("!L", 1000) + b"".join(
                text(b"%064x" % one) + text(b"") + struct.pack("!L", 0) for one in range(1000)
            )
    size = int(FAULTS.get("page", 100))
    for start in range(0, len(entries), size):
        part = entries[start : start + size]
        yield struct.pack("!L", len(part)) + b"".join(
            text(name) + text(b"long " + name) + attributes(os.stat(full)) for name, full in part
        )


def answer(kind: int, number: bytes, data: bytes) -> None:
    """Answer a request."""
    (length,) = struct.unpack_from("!L", data)
    name, rest = data[4 : 4 + length], data[4 + length :]
    log(f"{NAMES_OF.get(kind, kind)} {os.path.basename(name).decode('ascii', 'replace')}")
    if "paths" in FAULTS:
        log(f"path {name!r}")
        sys.exit(1)
    try:
        if kind in (OPEN, OPENDIR):
            if os.path.basename(name) == FAULTS.get("deny", "").encode():
                raise PermissionError
            if os.path.basename(name) == FAULTS.get("unmounted", "").encode():
                os.unlink(os.path.join(os.path.dirname(name), b"config"))
                raise FileNotFoundError
            handle = f"{next(numbers)} {os.path.basename(name).decode('ascii', 'replace')}".encode()
            is_folder = kind == OPENDIR
            handles[handle] = pages(name) if is_folder else os.open(name, os.O_RDONLY)
            if is_folder:
                os.listdir(name)
            send(HANDLE, number + text(handle))
        elif kind == CLOSE:
            closed = handles.pop(name)
            if isinstance(closed, int):
                os.close(closed)
            status(number, 0)
        elif kind == READ:
            offset, length = struct.unpack("!QL", rest)
            length = min(length, int(FAULTS.get("short", length)))
            content = os.pread(handles[name], length, offset)
            if content:
                send(DATA, number + text(content + b"x" * int(FAULTS.get("long", 0))))
            else:
                status(number, EOF)
        elif kind == READDIR:
            part = next(handles[name], None)
            if part is None:
                status(number, EOF)
            else:
                send(NAME, number + part)
        elif kind == FSTAT:
            send(ATTRS, number + attributes(os.fstat(handles[name])))
        elif kind == STAT:
            send(ATTRS, number + attributes(os.stat(name)))
        else:
            status(number, UNSUPPORTED)
    except PermissionError:
        status(number, DENIED)
    except (FileNotFoundError, NotADirectoryError):
        status(number, NO_FILE)
    except OSError:
        status(number, FAILURE)


def misbehave(count: int, number: bytes) -> bool:
    """Answer in another way than with the answer; whether that was done."""
    flood = struct.pack("!LB", 9, STATUS) + b"\0\0\0\1"
    broken = {
        "huge": struct.pack("!LB", 2**31, DATA),
        "empty": struct.pack("!L", 0) + b"\0" * 8,
        "kind": flood[:4] + b"\x99" + flood[5:] + b"\0" * 4,
        "id": flood[:5] + b"\xff\xff\xff\xff" + b"\0" * 4,
        "cut": struct.pack("!LB", 6, NAME) + number + b"\0",
        "count": struct.pack("!LB", 9, NAME) + number + b"\xff" * 4,
        "done": struct.pack("!LB", 9, STATUS) + number + b"\0" * 4,
        "again": struct.pack("!LBL", 5, VERSION, 3),
    }
    for name, packet in broken.items():
        if name in FAULTS:
            write(packet)
            if name == "huge":
                while True:
                    write(b"x" * 65536)
            return True
    if "die" in FAULTS and count >= int(FAULTS["die"]):
        sys.stderr.write("Connection reset by peer\n")
        sys.stderr.flush()
        os._exit(255)
    return "mute" in FAULTS


def main() -> NoReturn:
    """Serve."""
    log(f"login {os.getpid()}")
    if "refuse" in FAULTS:
        sys.stderr.write("Welcome. Connection refused?\nu@h: Permission denied (publickey).\n")
        sys.exit(255)
    if "stderr" in FAULTS:
        sys.stderr.write(FAULTS["stderr"] + "\n")
        sys.exit(int(FAULTS.get("status", 255)))
    if "environment" in FAULTS:
        log(f"environment {sorted(os.environ)}")
    write(FAULTS.get("banner", "").encode())
    count = 0
    while True:
        (length,) = struct.unpack("!L", read(4))
        packet = read(length)
        kind, number, data = packet[0], packet[1:5], packet[5:]
        if kind == INIT:
            if "deaf" not in FAULTS:
                send(VERSION, struct.pack("!L", int(FAULTS.get("version", 3))) + text(b"a") * 2)
            continue
        count += 1
        if not misbehave(count, number):
            answer(kind, number, data)


if __name__ == "__main__":
    main()
