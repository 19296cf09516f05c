"""Repositories that real restics change while they are read, and what was true of them when."""

import ctypes
import os
import random
import select
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from attrs import Factory, define, frozen

from restic_reporter.listing import is_file_name
from restic_reporter.model import Content, Snapshot
from restic_reporter.readers.native.decoding import decode
from restic_reporter.readers.native.key_file import open_key_file, parse_key_file

from .native_repositories import key_file, name_of
from .servers import EXAMPLE_PASSWORD, copy_example, restic

# What all runs in this process have come to: case, and what was counted, to how often.
TALLY: Counter[tuple[str, str]] = Counter()

PROGRAMS = ("restic-0.14", "restic-0.18", "restic-0.19")

_CREATED, _DELETED, _MOVED_FROM, _MOVED_TO, _WRITTEN = 0x100, 0x200, 0x40, 0x80, 0x8
_EVENT = struct.Struct("iIII")

# How late, in seconds, an event may be taken from the kernel on a busy machine.
_DELAY = 0.25

# Name to what is in it.
State = Mapping[str, Snapshot]


def make_repository(path: Path) -> bytes:
    """
    A copy of the example with a key that is cheap to derive, in the folder ``path``; its master
    key.
    """
    copy_example(path)
    [own] = (path / "keys").iterdir()
    master = open_key_file(parse_key_file(own.name, own.read_bytes()), EXAMPLE_PASSWORD.encode())
    assert master is not None
    content = key_file(master, EXAMPLE_PASSWORD)
    (path / "keys" / name_of(content)).write_bytes(content)
    own.unlink()
    return master


@define(eq=False, slots=False)
class History:
    """
    Which snapshots were in a repository's folder, from when on: by the kernel's own account.

    ``on_change`` is called in the watcher's thread with each name that comes (and its content)
    or goes (and ``None``), before that counts.
    """

    path: Path
    master: bytes
    on_change: Callable[[str, bytes | None], object] = lambda name, content: None
    _known: dict[str, Snapshot] = Factory(dict)
    _states: list[tuple[float, State]] = Factory(list)
    _stop: threading.Event = Factory(threading.Event)

    def start(self) -> None:
        """Watch from now on."""
        library = ctypes.CDLL(None, use_errno=True)
        self._inotify = library.inotify_init()
        mask = _CREATED | _DELETED | _MOVED_FROM | _MOVED_TO | _WRITTEN
        folder = os.fsencode(self.path / "snapshots")
        if library.inotify_add_watch(self._inotify, folder, mask) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        names = [one.name for one in (self.path / "snapshots").iterdir()]
        self._states.append((time.monotonic(), {name: self._read(name) for name in names}))
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join()
        os.close(self._inotify)

    def _read(self, name: str) -> Snapshot:
        content = (self.path / "snapshots" / name).read_bytes()
        self.on_change(name, content)
        [outcome] = decode([(name, content)], self.master)
        assert outcome.snapshot is not None, outcome
        return self._known.setdefault(name, outcome.snapshot)

    def _watch(self) -> None:
        while not self._stop.is_set():
            readable, _, _ = select.select([self._inotify], [], [], 0.05)
            if readable:
                self._take(os.read(self._inotify, 2**16))

    def _take(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, position)
            position += _EVENT.size
            name = data[position : position + length].rstrip(b"\0").decode()
            position += length
            if not is_file_name(name):
                continue
            state = dict(self._states[-1][1])
            if mask & (_DELETED | _MOVED_FROM):
                self.on_change(name, None)
                state.pop(name, None)
            elif name not in state:
                try:
                    state[name] = self._read(name)
                except (FileNotFoundError, AssertionError):
                    continue  # gone already, or still being written
            self._states.append((time.monotonic(), state))

    def during(self, begun: float, ended: float) -> list[State]:
        """All states that held at some moment between these two, which is some time ago."""
        states = list(self._states)
        found = []
        for index, (since, state) in enumerate(states):
            until = states[index + 1][0] if index + 1 < len(states) else ended
            if until >= begun - _DELAY and since <= ended + _DELAY:
                found.append(state)
        return found


def shown(snapshots: Iterable[Snapshot]) -> dict[tuple[str, str], tuple[int, float, float]]:
    """Count, newest and oldest of each host and user."""
    times: dict[tuple[str, str], list[float]] = {}
    for one in snapshots:
        times.setdefault((one.host or "", one.user), []).append(one.time or 0.0)
    return {name: (len(some), max(some), min(some)) for name, some in times.items()}


@frozen
class Comparison:
    """What of a content was never true in its window, by kind; empty where all was."""

    wrong: Counter[str]

    @classmethod
    def of(cls, content: Content, states: list[State]) -> "Comparison":
        """``content`` against all that was true; right if it is one of these as a whole."""
        sets = {
            (one.host, one.user): (one.snapshot_count, one.newest, one.oldest)
            for one in content.sets
        }
        wrong: Counter[str] = Counter()
        possible = [shown(state.values()) for state in states]
        if sets in possible and content.snapshot_count == sum(n for n, _, _ in sets.values()):
            return cls(wrong)
        wrong["whole page"] = 1
        wrong["count"] = content.snapshot_count not in {len(state) for state in states}
        for name in set().union(*possible):
            values = [one[name] for one in possible if name in one]
            if name not in sets:
                wrong["set vanished"] += len(values) == len(possible)
                continue
            for kind, place in (("set count", 0), ("newest", 1), ("oldest", 2)):
                wrong[kind] += sets[name][place] not in {one[place] for one in values}
        return cls(+wrong)


@define(slots=False)
class Operations:
    """Runs of real restics on the repository at ``location``, in an order that ``seed`` gives."""

    location: str
    data: Path
    seed: int
    programs: tuple[str, ...] = PROGRAMS
    done: Counter[str] = Factory(Counter)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._number = 0

    def run(self, number: int = 1) -> None:
        """So many more operations; it blocks."""
        for _ in range(number):
            self._run_one()

    def _run_one(self) -> None:
        self._number += 1
        program = self._random.choice(self.programs)
        name, arguments = self._random.choice(list(self._kinds(program).items()))
        restic(self.location, *arguments, program=program)
        self.done[name] += 1

    def _kinds(self, program: str) -> dict[str, tuple[str, ...]]:
        tag = f"tag-{self._number}"
        host = f"web-{self._number % 3}"
        self.data.write_text(f"{self._number}")
        kinds = {
            "tag": ("tag", "--add", tag),
            "tag of some": ("tag", "--set", tag, "--host", "web-1"),
            "backup": ("backup", "--quiet", "--host", host, str(self.data)),
            "forget": ("forget", "--quiet", "--keep-last", "8", "--group-by", "host"),
            "prune": ("prune", "--quiet"),
        }
        if program != "restic-0.14":
            kinds["rewrite"] = ("rewrite", "--forget", "--exclude", f"*{self._number}*", "latest")
        return kinds
