"""One run: the servers, the crowd and the faults of a seed; then rest, the evidence, and the judgement."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path
from random import Random
from time import monotonic
from typing import NamedTuple

from tests.torture import faults, faults_store
from tests.torture.checker import judge
from tests.torture.crowd import Crowd
from tests.torture.evidence import Logs, Loss
from tests.torture.findings import Findings
from tests.torture.history import histories
from tests.torture.plan import Fault, plan
from tests.torture.scene import Scene
from tests.torture.stage import HARMS, REDIS, Stage, kinds_of

FAULT_S = 45.0  # more than any fault may take with its undoing; beyond it the run itself is broken
_ = (faults, faults_store)  # imported for the kinds they name


class Settings(NamedTuple):
    """What a run is. *kinds*: only these faults (None: all that fit the store); *broken*: a defect of broken.py."""

    seed: int
    seconds: float
    store: str
    out: Path
    rooms: int = 80
    members: int = 4
    rate: float = 10.0
    lossy: int = 3
    kinds: frozenset[str] | None = None
    broken: str | None = None
    settle_s: float = 60.0


class Outcome(NamedTuple):
    """What a run did and what was found."""

    settings: Settings
    faults: Counter[str]
    findings: Findings
    seconds: float  # under load
    servers: str  # in words


async def torture(settings: Settings) -> Outcome:
    """Do the run that *settings* describe; what it leaves is in *settings.out*. Ends two minutes after its seconds."""
    folder = settings.out / "histories"
    for old in (folder, settings.out / "servers"):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    scene = Scene(store=settings.store, folder=settings.out / "servers", broken=settings.broken)
    crowd = Crowd(
        folder=folder,
        random=Random(settings.seed),
        rooms=settings.rooms,
        members=settings.members,
        rate=settings.rate,
        lossy=settings.lossy if settings.store in REDIS else 0,
    )
    stage = Stage(scene, crowd)
    began = monotonic()
    try:
        await scene.start()
        began = monotonic()
        done = await _under_load(settings, stage)
        lasted = monotonic() - began
        await crowd.settle(lambda: scene.last_ids(crowd.rooms), settings.settle_s)
        await crowd.end()
        logs = await asyncio.to_thread(scene.logs, crowd.rooms)
    finally:
        try:
            await crowd.end()
        finally:
            await scene.stop()
    _keep(settings.out, done, logs, stage.losses)
    findings = await asyncio.to_thread(judge, logs, histories(folder), stage.losses)
    words = (
        "1 instance, a file" if scene.is_sqlite else f"{len(scene.instances)} instances, one {settings.store}-server"
    )
    return Outcome(settings, Counter(fault.kind for _, fault in done), findings, lasted, words)


async def _under_load(settings: Settings, stage: Stage) -> list[tuple[float, Fault]]:
    scene, crowd = stage.scene, stage.crowd
    crowd.let_in([instance.port for instance in scene.instances], [link.port for link in scene.links], 0.3)
    crowd.start()
    kinds = [kind for kind in kinds_of(settings.store) if settings.kinds is None or kind.name in settings.kinds]
    lanes = plan(seed=settings.seed, seconds=settings.seconds, kinds=kinds)
    began = monotonic()
    done: list[tuple[float, Fault]] = []
    async with asyncio.TaskGroup() as group:
        for lane in lanes.values():
            group.create_task(_suffer(stage, lane, began, began + settings.seconds, done))
        group.create_task(asyncio.sleep(settings.seconds))
    for proxy in (*scene.links, *scene.buses):
        proxy.heal()
    return done


async def _suffer(stage: Stage, lane: list[Fault], began: float, ends: float, done: list[tuple[float, Fault]]) -> None:
    for fault in lane:
        # A fault that took longer than planned moves those behind it, but not the end.
        await asyncio.sleep(max(0.1, began + fault.at - monotonic()))
        if monotonic() + fault.length_s > ends:
            return
        at = monotonic()
        async with asyncio.timeout(FAULT_S):
            await HARMS[fault.kind](stage, fault)
        done.append((at, fault))


def _keep(out: Path, done: list[tuple[float, Fault]], logs: Logs, losses: list[Loss]) -> None:
    """The evidence beside the histories: what was done when, what was taken, and the log in the end."""
    with (out / "faults.jsonl").open("w") as file:
        for at, fault in sorted(done):
            file.write(json.dumps({**fault._asdict(), "at": at}) + "\n")
    with (out / "losses.jsonl").open("w") as file:
        for loss in losses:
            file.write(json.dumps(loss) + "\n")
    with (out / "log.jsonl").open("w") as file:
        for room, entries in logs.items():
            for entry in entries:
                file.write(json.dumps([room, *entry]) + "\n")
