"""Redis and Valkey as they run where they must not fail: Sentinels over a primary and a replica, a cluster, TLS.

Real processes on free ports of loopback, each in a folder of its own, ended with the block that started them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

import redis
from redis.crc import key_slot

from tests.ports import free_port
from tests.servers import VALKEY, Server, need, start_server

DEADLINE_S = 20.0
SLOTS = 16_384
CLUSTER = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500")
NAME = "mymaster"
AT_ONCE = ("--repl-diskless-sync-delay", "0")  # else a primary waits 5 s for more replicas to come
DOWN_AFTER_MS = 500  # after so long without an answer a Sentinel thinks that the primary is down


def until(is_so: Callable[[], object]) -> None:
    """Wait until *is_so*, asking again and again."""
    deadline = monotonic() + DEADLINE_S
    while not is_so():
        assert monotonic() < deadline, "this took too long"
        sleep(0.02)


class Watched:
    """A primary and its replica, and a Sentinel that may promote the replica on its own."""

    def __init__(self, one: Server, other: Server, sentinel: Server) -> None:
        self.one, self.other, self.sentinel = one, other, sentinel

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:1,127.0.0.1:{self.sentinel.port}/{NAME}/0"  # nobody is at the first

    def fail_over(self) -> None:
        """Make the replica the primary, once the Sentinel thinks it fit."""
        until(self._begin_failover)
        until(lambda: self.is_primary(self.other))

    def _begin_failover(self) -> bool:
        try:
            return bool(self.sentinel.ask("SENTINEL", "FAILOVER", NAME))
        except redis.ResponseError as error:  # it has not looked at the replica yet
            if "NOGOODSLAVE" not in str(error):
                raise
            return False

    def is_primary(self, server: Server) -> bool:
        address = self.sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return bool(address[1] == str(server.port).encode() and role(server) == b"master")


def role(server: Server) -> bytes:
    answer: bytes = server.ask("ROLE")[0]
    return answer


@contextmanager
def watched(folder: Path, kind: str = VALKEY) -> Iterator[Watched]:
    """A primary, a replica that has caught up, and a Sentinel that knows both."""
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(start_server(folder / name, *AT_ONCE, kind=kind)) for name in ("one", "other")
        )
        other.ask("REPLICAOF", "127.0.0.1", one.port)
        until(lambda: other.ask("INFO", "replication")["master_link_status"] == "up")
        watch = (
            f"sentinel monitor {NAME} 127.0.0.1 {one.port} 1\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {NAME} 5000\n"
        )
        watching = stack.enter_context(sentinel(folder, watch, kind=kind))
        until(lambda: len(watching.ask("SENTINEL", "REPLICAS", NAME)) == 1)
        yield Watched(one, other, watching)


@contextmanager
def sentinel(folder: Path, config: str, *args: str, kind: str = VALKEY) -> Iterator[Server]:
    """A Sentinel, which is a server whose command line begins with a configuration file that it writes to."""
    file, launcher = folder / "sentinel.conf", folder / "sentinel"
    file.write_text(config)
    launcher.write_text(f'#!/bin/sh\nexec {need(kind)} {file} "$@" --sentinel\n')
    launcher.chmod(0o755)
    server = Server(str(launcher), folder / "watching", *args)
    try:
        yield server.start()
    finally:
        server.end()


class Cluster:
    """Three nodes without replicas that share the slots."""

    def __init__(self, nodes: list[Server]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:1,127.0.0.1:{self.nodes[0].port}"  # nobody is at the first

    def node_of(self, key: str) -> Server:
        """Who has *key*'s slot, as the nodes themselves see it."""
        slot = key_slot(key.encode())
        return next(node for node in self.nodes if _has(node, slot))

    def other_than(self, node: Server) -> Server:
        return next(other for other in self.nodes if other is not node)

    def begin_move(self, key: str, target: Server) -> None:
        """From now on *key*'s slot is on its way to *target*; its keys are still where they were."""
        slot, source = key_slot(key.encode()), self.node_of(key)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", _id(source))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", _id(target))

    def end_move(self, key: str, target: Server) -> None:
        """Bring the slot's keys to *target*, and tell every node."""
        slot, source = key_slot(key.encode()), self.node_of(key)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.nodes):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", _id(target))


def _id(node: Server) -> bytes:
    answer: bytes = node.ask("CLUSTER", "MYID")
    return answer


def _has(node: Server, slot: int) -> bool:
    mine = _id(node)
    return any(first <= slot <= last and owner[2] == mine for first, last, owner, *_ in _slots(node))


def _slots(node: Server) -> list[tuple[int, int, tuple[bytes, int, bytes]]]:
    return [(a, b, (c[0], c[1], c[2])) for a, b, c, *_ in node.ask("CLUSTER", "SLOTS")]


@contextmanager
def cluster(folder: Path, *args: str, kind: str = VALKEY) -> Iterator[Cluster]:
    """Three nodes that agree on who has which slot. *args* go to each."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                start_server(folder / str(n), *CLUSTER, "--cluster-port", str(free_port()), *args, kind=kind)
            )
            for n in range(3)
        ]
        share = SLOTS // 3 + 1
        for number, node in enumerate(nodes):
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, min(SLOTS, (number + 1) * share) - 1)
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.ask("CONFIG", "GET", "cluster-port")[1])
        until(lambda: all(node.ask("CLUSTER", "INFO").startswith(b"cluster_state:ok") for node in nodes))
        yield Cluster(nodes)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and 127.0.0.1 that nobody but itself vouches for, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:TRUE"]
    subprocess.run([*command.split(), *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key
