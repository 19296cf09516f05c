"""What ``--compat`` shows of restic's JSON objects for snapshots."""

import hashlib
from typing import Any

from ..model.labels import sanitise
from ..model.snapshots import Client
from .json_members import Ambiguous

_COUNT_LIMIT = 2**32 - 1


def parse_client(value: dict[str, Any], paths_shown: bool) -> Client:
    """
    Return the labels and folders of a snapshot with valid names.

    The hash is of host, user and paths, in their own order and as they are.
    """
    host, user = value.get("hostname", ""), value.get("username", "")
    paths, tags = _joined(value.get("paths")), _texts(value.get("tags"))
    named = f"{host}{user}{paths}".encode("utf-8", "surrogatepass")
    version = value.get("program_version")
    labels = (
        sanitise(host),
        sanitise(user),
        sanitise(version) if isinstance(version, str) else "",
        hashlib.sha256(named).hexdigest(),
        sanitise(tags[0]) if tags else "",
        sanitise(",".join(tags)),
        sanitise(paths) if paths_shown else "",
    )
    summary = value.get("summary")
    if not isinstance(summary, dict) or isinstance(summary, Ambiguous):
        return Client(labels)
    return Client(
        labels,
        (
            _count(summary.get("dirs_new")),
            _count(summary.get("dirs_changed")),
            _count(summary.get("dirs_unmodified")),
        ),
    )


def _joined(value: Any) -> str:
    return ",".join(_texts(value))


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _COUNT_LIMIT else None
