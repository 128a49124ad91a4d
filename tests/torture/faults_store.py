"""What happens to the store: to SQLite's file and its disk, to Redis and the way there, to rooms that may lose."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from time import monotonic, sleep

from tests.torture.evidence import LOSSY, Loss, as_id, redis_key
from tests.torture.plan import Fault
from tests.torture.scene import Scene
from tests.torture.stage import REDIS, SQLITE, Stage, fault

KEPT = 10  # entries that a room cut by hand is left with
AWAY_S = 0.8  # some of a room's clients are, while it is robbed

# -- the file


@fault("ground", SQLITE, 0.0, 0.5)
async def instance_killed_at_a_write(stage: Stage, fault: Fault) -> None:
    await asyncio.to_thread(_await_write, stage.scene, fault.length_s + 1.0)
    await stage.instance(0).kill()
    await stage.instance(0).start()


def _await_write(scene: Scene, deadline_s: float) -> None:
    """Return the moment the write-ahead log has grown: its transaction is probably not synced yet."""
    size, ends = scene.wal_size(), monotonic() + deadline_s
    while scene.wal_size() <= size and monotonic() < ends:
        pass


@fault("ground", SQLITE, 0.1, 0.8)
async def file_locked_for_a_moment(stage: Stage, fault: Fault) -> None:
    await asyncio.to_thread(_hold, stage.scene, "BEGIN IMMEDIATE", fault.length_s)


@fault("ground", SQLITE, 1.2, 4.0)
async def file_locked_for_long(stage: Stage, fault: Fault) -> None:
    await asyncio.to_thread(_hold, stage.scene, "BEGIN IMMEDIATE", fault.length_s)


@fault("ground", SQLITE, 0.5, 4.0)
async def file_held_open_by_a_reader(stage: Stage, fault: Fault) -> None:
    await asyncio.to_thread(_hold, stage.scene, "BEGIN", fault.length_s)


def _hold(scene: Scene, begin: str, seconds: float) -> None:
    connection = sqlite3.connect(scene.file, isolation_level=None, timeout=5.0)
    try:
        connection.execute(begin)
        connection.execute("SELECT max(id) FROM entry").fetchone()
        sleep(seconds)
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        pass  # somebody else holds it: no harm done
    finally:
        connection.close()


@fault("ground", SQLITE, 0.3, 3.0)
async def disk_takes_nothing(stage: Stage, fault: Fault) -> None:
    pid = stage.pid(0)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        await asyncio.sleep(fault.length_s)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


# -- Redis


@fault("ground", REDIS, 0.0, 2.0)
async def redis_killed(stage: Stage, fault: Fault) -> None:
    redis = stage.scene.redis
    assert redis is not None
    await asyncio.to_thread(redis.kill)
    await asyncio.sleep(fault.length_s)
    await asyncio.to_thread(redis.start)


@fault("ground", REDIS, 0.3, 4.0)
async def redis_stopped(stage: Stage, fault: Fault) -> None:
    redis = stage.scene.redis
    assert redis is not None
    redis.freeze()
    try:
        await asyncio.sleep(fault.length_s)
    finally:
        redis.thaw()


@fault("ground", REDIS, 0.5, 4.0)
async def redis_far_away(stage: Stage, fault: Fault) -> None:
    bus = stage.bus(fault.dice)
    bus.delay_s = 0.02 + fault.dice * 0.3
    await asyncio.sleep(fault.length_s)
    bus.heal()


@fault("ground", REDIS, 0.0, 0.1)
async def redis_connections_cut(stage: Stage, fault: Fault) -> None:
    stage.bus(fault.dice).cut()


@fault("ground", REDIS, 0.3, 4.0)
async def redis_connections_stalled(stage: Stage, fault: Fault) -> None:
    bus = stage.bus(fault.dice)
    bus.stall(True)
    await asyncio.sleep(fault.length_s)
    bus.heal()


@fault("ground", REDIS, 0.3, 4.0)
async def redis_connections_half_open(stage: Stage, fault: Fault) -> None:
    bus = stage.bus(fault.dice)
    bus.swallow()
    await asyncio.sleep(fault.length_s)
    bus.heal()


@fault("ground", REDIS, 0.02, 1.0)
async def redis_replies_lost(stage: Stage, fault: Fault) -> None:
    bus = stage.bus(fault.dice)
    bus.is_mute = True
    await asyncio.sleep(fault.length_s)
    bus.cut()
    bus.heal()


@fault("ground", REDIS, 0.0, 0.1)
async def redis_forgets_its_scripts(stage: Stage, fault: Fault) -> None:
    await stage.redis("SCRIPT", "FLUSH")


@fault("ground", REDIS, 0.0, 0.1)
async def redis_kills_its_clients(stage: Stage, fault: Fault) -> None:
    await stage.redis("CLIENT", "KILL", "TYPE", "normal")


# In one script: nothing may be written between looking at the edge and cutting.
_TRIM = """
local found = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1] + 1)
if #found <= tonumber(ARGV[1]) then return false end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', ARGV[1])
return found[#found][1]
"""
_DELETE = """
local found = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #found == 0 then return false end
redis.call('DEL', KEYS[1])
return found[1][1]
"""


@fault("ground", REDIS, 0.0, 0.1)
async def room_cut_short(stage: Stage, fault: Fault) -> None:
    await _rob(stage, fault, _TRIM)


@fault("ground", REDIS, 0.0, 0.1)
async def room_deleted(stage: Stage, fault: Fault) -> None:
    await _rob(stage, fault, _DELETE)


async def _rob(stage: Stage, fault: Fault, script: str) -> None:
    rooms = [room for room in stage.crowd.rooms if room.startswith(LOSSY)]
    if not rooms:
        return
    room = rooms[int(fault.dice * len(rooms))]
    for talker in [talker for talker in stage.crowd.talkers if talker.room == room][::2]:
        talker.cut(AWAY_S)
    await asyncio.sleep(AWAY_S * 0.8)
    at = monotonic()
    edge = await stage.redis("EVAL", script, 1, redis_key(room), KEPT)
    if edge:
        stage.losses.append(Loss(at, room, as_id(edge.decode())))
