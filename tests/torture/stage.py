"""Where faults happen, and what a fault is: a coroutine function under `@fault`, which names it.

A fault does its harm for its length and undoes what can be undone; what it takes from a room's log it writes down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.instances import Instance
from tests.torture.crowd import Crowd
from tests.torture.evidence import Loss
from tests.torture.plan import Fault, Kind
from tests.torture.proxy import Proxy
from tests.torture.scene import Scene

REDIS = frozenset(("redis", "valkey"))
SQLITE = frozenset(("sqlite",))
BOTH = REDIS | SQLITE


class Stage:
    """Where faults happen: the scene, the crowd, and what was taken from rooms so far."""

    def __init__(self, scene: Scene, crowd: Crowd) -> None:
        self.scene = scene
        self.crowd = crowd
        self.losses: list[Loss] = []

    def instance(self, dice: float) -> Instance:
        return self.scene.instances[int(dice * len(self.scene.instances))]

    def pid(self, dice: float) -> int:
        return self.scene.pid(int(dice * len(self.scene.instances)))

    def link(self, dice: float) -> Proxy:
        return self.scene.links[int(dice * len(self.scene.links))]

    def bus(self, dice: float) -> Proxy:
        return self.scene.buses[int(dice * len(self.scene.buses))]

    def redis(self, *command: Any) -> Awaitable[Any]:
        assert self.scene.redis is not None
        return asyncio.to_thread(self.scene.redis.ask, *command)


Harm = Callable[[Stage, Fault], Awaitable[None]]
HARMS: dict[str, Harm] = {}
KINDS: list[Kind] = []


def fault(lane: str, stores: frozenset[str], shortest_s: float, longest_s: float) -> Callable[[Harm], Harm]:
    def named(harm: Harm) -> Harm:
        name = harm.__name__.replace("_", " ")
        HARMS[name] = harm
        KINDS.append(Kind(name, lane, stores, shortest_s, longest_s))
        return harm

    return named


def kinds_of(store: str) -> list[Kind]:
    """Those that fit *store*."""
    return [kind for kind in KINDS if store in kind.stores]
