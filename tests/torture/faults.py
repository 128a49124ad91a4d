"""What happens to instances, and to the lines between them and their clients."""

from __future__ import annotations

import asyncio
import signal
from random import Random

from tests.torture.plan import Fault
from tests.torture.stage import BOTH, Stage, fault

# -- instances


@fault("ground", BOTH, 0.0, 0.5)
async def instance_killed(stage: Stage, fault: Fault) -> None:
    instance = stage.instance(fault.dice)
    await instance.kill()
    await asyncio.sleep(fault.length_s)
    await instance.start()


@fault("ground", BOTH, 0.0, 0.5)
async def instance_drained(stage: Stage, fault: Fault) -> None:
    instance = stage.instance(fault.dice)
    instance.signal(signal.SIGTERM)
    await instance.wait()
    await asyncio.sleep(fault.length_s)
    await instance.start()


@fault("ground", BOTH, 0.02, 0.6)
async def instance_killed_while_draining(stage: Stage, fault: Fault) -> None:
    instance = stage.instance(fault.dice)
    instance.signal(signal.SIGTERM)
    await asyncio.sleep(fault.length_s)
    assert instance.process is not None
    if instance.process.returncode is None:
        instance.signal(signal.SIGKILL)
    await instance.wait()
    await instance.start()


@fault("ground", BOTH, 0.3, 4.0)
async def instance_stopped(stage: Stage, fault: Fault) -> None:
    instance = stage.instance(fault.dice)
    instance.signal(signal.SIGSTOP)
    await asyncio.sleep(fault.length_s)
    instance.signal(signal.SIGCONT)


# -- the lines between clients and instances


@fault("lines", BOTH, 0.0, 0.1)
async def clients_cut(stage: Stage, fault: Fault) -> None:
    for talker in stage.crowd.some(Random(fault.dice), 0.02 + fault.dice * 0.4):
        talker.cut()


@fault("lines", BOTH, 0.5, 3.0)
async def clients_half_open(stage: Stage, fault: Fault) -> None:
    stage.crowd.abandon(stage.crowd.some(Random(fault.dice), 0.02 + fault.dice * 0.2))
    await asyncio.sleep(fault.length_s)
    if fault.dice < 0.5:
        stage.crowd.forget_abandoned()


@fault("lines", BOTH, 1.0, 5.0)
async def clients_not_reading(stage: Stage, fault: Fault) -> None:
    for talker in stage.crowd.some(Random(fault.dice), 0.02 + fault.dice * 0.2):
        talker.stop_reading(fault.length_s)
    await asyncio.sleep(fault.length_s)


@fault("lines", BOTH, 1.0, 4.0)
async def link_slow(stage: Stage, fault: Fault) -> None:
    link = stage.link(fault.dice)
    link.delay_s = 0.02 + fault.dice * 0.3
    await asyncio.sleep(fault.length_s)
    link.heal()


@fault("lines", BOTH, 1.0, 4.0)
async def link_in_crumbs(stage: Stage, fault: Fault) -> None:
    link = stage.link(fault.dice)
    link.crumbles = True
    await asyncio.sleep(fault.length_s)
    link.heal()


@fault("lines", BOTH, 0.3, 3.0)
async def link_stalled(stage: Stage, fault: Fault) -> None:
    link = stage.link(fault.dice)
    link.stall(True)
    await asyncio.sleep(fault.length_s)
    link.heal()


@fault("lines", BOTH, 0.0, 0.1)
async def link_cut(stage: Stage, fault: Fault) -> None:
    stage.link(fault.dice).cut()


@fault("lines", BOTH, 0.5, 4.0)
async def link_half_open(stage: Stage, fault: Fault) -> None:
    link = stage.link(fault.dice)
    link.swallow()
    await asyncio.sleep(fault.length_s)
    link.heal()
