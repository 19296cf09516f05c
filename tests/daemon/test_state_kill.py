"""A daemon that is killed again and again while backups run: what it remembers is never wrong."""

import json
import queue
import random
import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

from tests.doubles.daemons import Daemon, Metrics
from tests.doubles.native_repositories import cheapen
from tests.doubles.programs import wait_until
from tests.doubles.servers import EXAMPLE_PASSWORD, restic
from tests.doubles.state_case import AT_ONCE, StateCase

KILLS = 50

# Every so many times a snapshot is forgotten.
FORGET_EACH = 4

HOSTS = ("red", "green", "blue")

# By host, the number of snapshots and the time of the newest.
Sets = dict[str, tuple[float, float]]


class Made(NamedTuple):
    """A snapshot."""

    id: str
    host: str
    time: float


class Backups(threading.Thread):
    """Backs up or forgets when told to; ``states`` are the sets since the start, none twice."""

    def __init__(self, url: str, data: str, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._url, self._data, self._chance = url, data, chance
        self._orders: queue.Queue[bool] = queue.Queue()
        self._next = int(time.time()) - 86400
        self._made: list[Made] = []
        self.states: list[Sets] = []
        self._error: BaseException | None = None
        self._work()
        self.start()

    def order(self) -> None:
        """Have it do something more."""
        self._orders.put(True)

    def stop(self) -> None:
        """Return when all that was ordered is done."""
        self._orders.put(False)
        self.join()
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        """Work until the stop."""
        try:
            while self._orders.get():
                self._work()
        except BaseException as error:
            self._error = error

    def _work(self) -> None:
        times = {one.host: one.time for one in self._made}
        older = [one for one in self._made if one.time < times[one.host]]
        if older and not len(self.states) % FORGET_EACH:
            one = self._chance.choice(older)
            restic(self._url, "forget", one.id)
            self._made.remove(one)
        else:
            self._back_up(HOSTS[len(self.states) % len(HOSTS)])
        counts = Counter(one.host for one in self._made)
        newest = {one.host: one.time for one in self._made}
        self.states.append({host: (count, newest[host]) for host, count in counts.items()})

    def _back_up(self, host: str) -> None:
        self._next += 60
        moment = f"{datetime.fromtimestamp(self._next, UTC):%Y-%m-%d %H:%M:%S}"
        arguments = ("backup", "--json", f"--host={host}", f"--time={moment}", self._data)
        said = restic(self._url, *arguments, environment={"TZ": "UTC"})
        id = json.loads(said.splitlines()[-1])["snapshot_id"]
        self._made.append(Made(id, host, self._next))


class KillTests(StateCase):
    """KILL at random moments of collections, and a restart each time."""

    def sets(self, metrics: Metrics) -> Sets:
        """The sets that a page shows."""
        counts = metrics.series("backup_set_snapshot_count")
        newest = metrics.series("backup_newest_timestamp")
        self.assertEqual(counts.keys(), newest.keys())
        total = metrics.value("backup_snapshot_count", url=self.url)
        self.assertEqual(total, sum(counts.values()))
        return {dict(key)["host"]: (counts[key], newest[key]) for key in counts}

    def test_kill(self) -> None:
        """The first page after each start was true once, and later than all that was written."""
        seed = random.randrange(2**32)
        try:
            self.kill_all(random.Random(seed))
        except BaseException:
            print(f"seed {seed}")
            raise

    def kill_all(self, chance: random.Random) -> None:
        """Kill so many daemons."""
        self.url = self.server.url("new")
        self.entry["repo"] = self.url
        restic(self.url, "init")
        cheapen(self.server.path / "new", EXAMPLE_PASSWORD)
        data = self.folder.write("file", "content")
        backups = Backups(self.url, str(data), chance)
        self.remembered()
        # What is known for certain, and what was shown afterwards.
        floor = backups.states[0]
        shown: list[tuple[Sets, Sets]] = []
        for number in range(KILLS):
            made = backups.states[-1]
            backups.order()
            daemon = self.start()
            if number % 5 == 4:
                # While it starts.
                self.pause(chance.uniform(0.3, 1.2))
            else:
                daemon.program.wait_for(AT_ONCE)
                first = self.sets(daemon.serving().metrics())
                shown.append((floor, first))
                if number % 3:
                    # What was unchanged by its names was not read.
                    daemon.program.wait_for("collected 1 repository")
                    shown.append((made, self.sets(daemon.metrics())))
                # The first page may show a read that is not written yet.
                floor = self.kept_at_busy(daemon, backups, chance, number) or floor
            daemon.program.kill()
            self.assertNotIn("[error]", daemon.program.output)
            self.assertNotIn("set aside", daemon.program.output)
        backups.stop()
        for floor, first in shown:
            self.assertIn(first, backups.states)
            place = backups.states.index(first)
            self.assertGreaterEqual(place, backups.states.index(floor))
        daemon = self.restarted()
        daemon.program.wait_for("collected 1 repository")
        self.assertEqual(self.sets(daemon.metrics()), backups.states[-1])
        self.assertEqual([path.name for path in self.state.glob("*.db.*")], [])

    def kept_at_busy(
        self, daemon: Daemon, backups: Backups, chance: random.Random, number: int
    ) -> Sets | None:
        """Let it collect while backups run, until a random moment; what it has surely written."""
        backups.order()
        if number % 10 == 0:
            daemon.collect()
            before = daemon.metrics()
            [read] = before.series("backup_read_last_success_timestamp_seconds").values()
            wait_until(lambda: self.last_write(daemon) > read + 0.3)
            return self.sets(before)
        if chance.random() < 0.7:
            # So long after the first read, which has found something new, it is written.
            self.pause(chance.choice((chance.uniform(0, 0.5), chance.gauss(0.49, 0.02))))
            return None
        for _ in range(chance.randrange(3)):
            daemon.collect()
        daemon.program.signal(signal.SIGUSR1)
        self.pause(chance.uniform(0, 0.7))
        return None

    def last_write(self, daemon: Daemon) -> float:
        """When it has written its state for the last time."""
        return daemon.metrics().value("restic_reporter_state_last_write_timestamp_seconds") or 0.0

    def pause(self, seconds: float) -> None:
        """Let a random time pass: nothing gives a sign at the moments to be hit."""
        threading.Event().wait(max(0.0, seconds))
