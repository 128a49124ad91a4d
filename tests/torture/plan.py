"""Which faults come, when, and for how long: all of it from the seed. Pure.

Two lanes run beside each other: what happens to the ground (instances and their store), and what happens to the lines
(between clients and instances). Within a lane one fault ends before the next begins, after a pause. Kinds are drawn
from a bag that holds each once, so every kind comes about as often as any other, and comes early.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

PAUSE_S = (0.5, 4.0)  # between two faults of a lane: most of the load should get through
SHORT_S = 60.0  # a run of no more than this is in a hurry
HURRIED_S = (0.2, 1.2)
CALM = 0.15  # the part of a short run that is without faults, half of it at each end
LANES = ("ground", "lines")


class Kind(NamedTuple):
    """A kind of fault: in which lane, on which stores, and how long it lasts at least and at most, in seconds."""

    name: str
    lane: str
    stores: frozenset[str]
    shortest_s: float
    longest_s: float


class Fault(NamedTuple):
    """One fault: *at* seconds after the beginning, for *length_s*; *dice* (0 to 1) decides whom it meets."""

    at: float
    kind: str
    length_s: float
    dice: float


def plan(*, seed: int, seconds: float, kinds: Sequence[Kind]) -> dict[str, list[Fault]]:
    """The faults of each lane, in time."""
    return {
        lane: _lane(Random(f"{seed} {lane}"), seconds, [kind for kind in kinds if kind.lane == lane]) for lane in LANES
    }


def _lane(random: Random, seconds: float, kinds: Sequence[Kind]) -> list[Fault]:
    calm = CALM * min(seconds, SHORT_S) / 2
    pause_s = HURRIED_S if seconds <= SHORT_S else PAUSE_S
    now, faults, bag = calm, [], list[Kind]()
    while kinds:
        if not bag:
            bag = list(kinds)
            random.shuffle(bag)
        kind = bag.pop()
        length = random.uniform(kind.shortest_s, kind.longest_s)
        if now + length > seconds - calm:
            break
        faults.append(Fault(now, kind.name, length, random.random()))
        now += length + random.uniform(*pause_s)
    return faults
