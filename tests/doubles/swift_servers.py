"""
Runs Swift's servers in one process, where four would each take as long to start.

    swift-python swift_servers.py FOLDER account:PORT container:PORT object:PORT proxy:PORT

FOLDER has their configuration, account.conf and so on. Prints errors, and "ready" when all listen.
Imports nothing of ours, as it runs in Swift's own environment.
"""

import sys
from pathlib import Path

import eventlet
from swift.common import utils
from swift.common.ring import RingBuilder
from swift.common.wsgi import check_config, get_socket, run_server


def make_ring(path: Path, port: int) -> None:
    """Make the ring of one device."""
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=1)
    where = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1"}
    places = {"region": 1, "zone": 1, "device": "d1", "weight": 1, "replication_port": port}
    builder.add_dev(where | places)
    builder.rebalance()
    builder.get_ring().save(str(path))


def keep_event_loop() -> None:
    """Let each thread have one loop: each server would begin another, without those before it."""
    use_hub = eventlet.hubs.use_hub

    def use_first_hub(name: str | None = None) -> None:
        if not hasattr(eventlet.hubs._threadlocal, "hub"):
            use_hub(name)

    eventlet.hubs.use_hub = use_first_hub


def main() -> None:
    """Serve until killed."""
    utils.monkey_patch()
    keep_event_loop()
    folder = Path(sys.argv[1])
    servers = []
    for argument in sys.argv[2:]:
        kind, port = argument.split(":")
        if kind != "proxy":
            make_ring(folder / f"{kind}.ring.gz", int(port))
        conf, logger, global_conf, _ = check_config(
            str(folder / f"{kind}.conf"), f"{kind}-server", verbose=True
        )
        servers.append(eventlet.spawn(run_server, conf, logger, get_socket(conf), global_conf))
    print("ready", flush=True)
    for server in servers:
        server.wait()


if __name__ == "__main__":
    main()
