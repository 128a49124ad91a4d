"""Free ports for servers that tests start."""

from __future__ import annotations

import random
import socket

# Below those that the kernel gives to outgoing connections: one of these may take a port between the look and the
# server's own bind. A cluster's node also takes the port 10,000 above its own.
RANGE = range(12_000, 22_000)


def free_port() -> int:
    """A port of loopback on which nobody listens, and which no connection is given meanwhile."""
    for port in random.sample(RANGE, 100):
        if _is_free(port) and _is_free(port + 10_000):
            return port
    raise AssertionError(f"no free port among {RANGE.start} to {RANGE.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that is over keeps nobody away
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
