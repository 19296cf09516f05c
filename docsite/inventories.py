"""
Makes docs/inventories: where Twisted's and Python's own documentation has a class or function.

A build has no network, so the site links by these files. The whole inventories are larger than all
pages, so only public modules, classes and functions are kept::

    pydoctor --make-intersphinx --project-name=Twisted --project-version=VERSION \\
        --docformat=plaintext --html-output=OUT SITE-PACKAGES/twisted
    python -m docsite.inventories OUT/objects.inv docs/inventories/twisted.inv
    python -m docsite.inventories python3-doc/html/objects.inv docs/inventories/python.inv
"""

import sys
import zlib
from pathlib import Path

_KEPT = ("py:class", "py:data", "py:exception", "py:function", "py:module")


def public(line: str) -> bool:
    """Return whether a line of an inventory is about something that pages may link to."""
    name, kind = line.split(" ")[:2]
    parts = name.split(".")
    return kind in _KEPT and "test" not in parts and not any(part[0] == "_" for part in parts)


def filtered(inventory: bytes) -> bytes:
    """Return an inventory with fewer lines."""
    *header, packed = inventory.split(b"\n", 4)
    lines = zlib.decompress(packed).decode().splitlines()
    kept = "".join(f"{line}\n" for line in sorted(filter(public, lines)))
    return b"\n".join([*header, zlib.compress(kept.encode(), 9)])


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_bytes(filtered(source.read_bytes()))
