"""What the servers must be before we build on them, and what an acknowledgement by them is worth. Layer 2.

Asked once, at the start, of every server that takes writes. What can't work refuses to start with the remedy. What is
weaker than it could be is a warning, a line each, with the setting that mends it; what the server doesn't let us ask
(an ACL without INFO or CONFIG) is said, too. What the settings are worth: docs/redis.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from redis.exceptions import RedisError

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store.redis_faults import Faults, words_of
from chat_aiohttp.store.redis_keys import EXIT_CONFIG, EXIT_TRY_LATER, Layout
from chat_aiohttp.store.redis_link import Link, LinkLost, Reply
from chat_aiohttp.store.redis_servers import Server, Servers

log = logging.getLogger(__name__)

OLDEST: Final = (7, 0)  # XADD with partial ids and GT/NX details, effects replication by default, listpacks
NODE_BYTES: Final = 1_024  # what an idle room's first message makes Redis set aside for it
CHECK_S: Final = 2.0
ATTEMPTS: Final = 3  # to find out which servers there are
# The settings that INFO doesn't tell.
SETTINGS: Final = (
    "appendfsync",
    "save",
    "no-appendfsync-on-rewrite",
    "stream-node-max-bytes",
    "min-replicas-to-write",
)

Facts = Mapping[str, str]


async def check(servers: Servers, layout: Layout, faults: Faults) -> str:
    """What an acknowledgement by *servers* is worth, in words; the warnings are logged. Raises CannotStart."""
    each = await _each(servers)
    worths: dict[str, str] = {}
    for server in each:
        facts = await _facts(server, faults)
        _check_kind(facts, is_cluster=servers.is_cluster)
        for warning in warnings(facts, fails_over=servers.fails_over):
            log.warning("Redis at %s: %s", server.words, warning)
        worths.setdefault(persistence(facts), server.words)
    await _check_shards(servers.of_key(layout.count_key), layout, faults)
    if len(worths) == 1:
        return next(iter(worths))
    return "; ".join(f"{server}: {worth}" for worth, server in worths.items())


async def _each(servers: Servers) -> list[Server]:
    """All servers. A busy machine may be slow at the start, so they are asked for more than once."""
    attempts = 0
    while True:
        try:
            return await servers.each()
        except (TimeoutError, OSError, RedisError) as error:
            attempts += 1
            if attempts == ATTEMPTS:
                raise unreachable(words_of(error)) from error


def unreachable(words: str) -> CannotStart:
    """The server can't be reached now."""
    return CannotStart(
        "redis_away", f"{words}. Start it, or correct the Redis URL in the configuration.", EXIT_TRY_LATER
    )


def persistence(facts: Facts) -> str:
    """What an acknowledgement survives (G3)."""
    if not facts:
        return "unknown: this Redis user may not read INFO"
    if facts.get("aof_enabled") == "1":
        return {
            "always": "AOF always: survives Redis being killed, and power loss",
            # Redis answers before it writes for up to 2 s while the last fsync is still going on (aof_delayed_fsync).
            "everysec": "AOF everysec: up to ~1 s lost at power loss, ~2 s if Redis is killed while the disk is slow",
            "no": "AOF no: up to ~30 s lost at power loss, little or nothing if only Redis is killed",
        }.get(facts.get("appendfsync", ""), "AOF: survives Redis being killed, mostly")
    if facts.get("save", ""):
        return "snapshots only: what came since the last one is lost when Redis stops unexpectedly (set appendonly yes)"
    if "save" in facts:
        return "no persistence: only while Redis runs (set appendonly yes)"
    return "no AOF: at most what the last snapshot holds survives Redis being stopped (set appendonly yes)"


def warnings(facts: Facts, *, fails_over: bool) -> list[str]:
    """What should be different, a sentence each, the setting in brackets."""
    if not facts:
        return ["its user may not read INFO, so nothing is known of how it keeps what is acknowledged (+info)"]
    found = []
    if facts.get("aof_enabled") != "1":
        found.append(f"acknowledged messages are not safe here. {persistence(facts)}")
    if not facts.keys() & set(SETTINGS):
        found.append("its user may not read CONFIG, so appendfsync and other settings are not known (+config|get)")
    if facts.get("aof_last_write_status", "ok") != "ok" or facts.get("aof_last_bgrewrite_status", "ok") != "ok":
        found.append("it can't write its append-only file: look at its log and its disk")
    if facts.get("appendfsync") == "always" and facts.get("no-appendfsync-on-rewrite") == "yes":
        found.append("while it rewrites its file nothing is synced (set no-appendfsync-on-rewrite no)")
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and facts.get("maxmemory", "0") != "0":
        found.append(f"when memory is short it throws rooms away: maxmemory-policy {policy} (set noeviction)")
    if (fails_over or facts.get("connected_slaves", "0") != "0") and facts.get("min-replicas-to-write") == "0":
        found.append(
            "a failover loses what no replica has got yet (set min-replicas-to-write 1 and min-replicas-max-lag 2)"
        )
    node_bytes = facts.get("stream-node-max-bytes", "")
    if node_bytes.isdigit() and not 0 < int(node_bytes) <= NODE_BYTES:
        found.append(f"an idle room costs over 4 KB of its memory (set stream-node-max-bytes {NODE_BYTES})")
    return found


async def _facts(server: Server, faults: Faults) -> Facts:
    """INFO's lines and the settings, as far as the server lets us know them."""
    calls = [(b"INFO",), *((b"CONFIG", b"GET", name) for name in SETTINGS)]
    info, *settings = await _ask(server, faults, calls)
    if isinstance(info, Exception):
        words = words_of(info)
        if words.startswith("NOPERM"):
            return {}
        raise unreachable(f"Redis at {server.words} refuses: {words}")
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    facts = {key: value for key, colon, value in lines if colon}
    for setting in settings:
        if isinstance(setting, list) and len(setting) == 2:
            facts[setting[0].decode()] = setting[1].decode(errors="replace")
    return facts


async def _ask(server: Server, faults: Faults, calls: list[tuple[bytes | str, ...]]) -> list[Reply]:
    link = Link(server=server, faults=faults)
    try:
        await link.open()
        return await link.ask(calls, CHECK_S)
    except LinkLost as lost:
        raise unreachable(lost.words) from lost
    finally:
        await link.close()


def _check_kind(facts: Facts, *, is_cluster: bool) -> None:
    version = facts.get("redis_version", "")
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts and parts < OLDEST:
        raise CannotStart(
            "redis_too_old",
            f"This is Redis {version}; it must be 7.0 or newer (or any Valkey). Upgrade it.",
            EXIT_CONFIG,
        )
    mode = facts.get("redis_mode") or facts.get("server_mode")  # Redis, Valkey
    if mode == "sentinel":
        words = "This is a Sentinel, not a server. Give the URL as redis+sentinel://host:port/primary/0."
        raise CannotStart("redis_mode", words, EXIT_CONFIG)
    if mode == "cluster" and not is_cluster:
        words = "This Redis is a node of a cluster. Give the URL as redis+cluster://host:port."
        raise CannotStart("redis_mode", words, EXIT_CONFIG)
    if facts.get("role") == "slave":
        words = "This Redis is a replica and takes no writes. Give the URL of its primary."
        raise CannotStart("redis_replica", words, EXIT_CONFIG)


async def _check_shards(server: Server, layout: Layout, faults: Faults) -> None:
    """The number of shards decides where rooms are found, so it is the same for ever."""
    wrote, stored = await _ask(
        server, faults, [(b"SET", layout.count_key, str(layout.count), b"NX"), (b"GET", layout.count_key)]
    )
    if refusal := next((reply for reply in (wrote, stored) if isinstance(reply, Exception)), None):
        raise unreachable(f"Redis refuses to write: {words_of(refusal)}")
    if stored != str(layout.count).encode():
        found = stored.decode(errors="replace")
        raise CannotStart(
            "wrong_shards",
            f"The rooms in this Redis are spread over {found} shards, the configuration says {layout.count}. "
            f"Set shards = {found}, or use another prefix or database for an empty start.",
            EXIT_CONFIG,
        )
