"""What a server must be before we build on it, and what it is worth. Layer 2.

Asked once, at the start. What can't work refuses to start with the remedy; what is only weaker than it could be is
said in the words of `durability`. What the server doesn't let us ask (ACLs) is said, too.
"""

from __future__ import annotations

from typing import Final

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store.redis_keys import EXIT_CONFIG, EXIT_TRY_LATER, Layout
from chat_aiohttp.store.redis_link import Link, LinkLost, Reply, words_of

OLDEST: Final = (7, 0)  # XADD with partial ids and GT/NX details, effects replication by default, listpacks
NODE_BYTES: Final = 1_024  # what an idle room's first message makes Redis set aside for it
CHECK_S: Final = 2.0


async def check(link: Link, layout: Layout) -> str:
    """What an acknowledgement by this server is worth, in words. Raises CannotStart."""
    try:
        replies = await link.ask(
            [
                (b"INFO",),
                (b"CONFIG", b"GET", b"appendfsync"),
                (b"CONFIG", b"GET", b"save"),
                (b"CONFIG", b"GET", b"stream-node-max-bytes"),
            ],
            CHECK_S,
        )
        facts = _facts(replies)
        _check_kind(facts)
        await _check_shards(link, layout)
    except LinkLost as lost:
        raise unreachable(lost.words) from lost
    return _durability(facts)


def unreachable(words: str) -> CannotStart:
    """The server can't be reached now."""
    return CannotStart(
        "redis_away", f"{words}. Start it, or correct the Redis URL in the configuration.", EXIT_TRY_LATER
    )


def _facts(replies: list[Reply]) -> dict[str, str]:
    """INFO's lines and the settings, as far as the server lets us know them."""
    info, *settings = replies
    if isinstance(info, Exception):
        words = words_of(info)
        if words.startswith("NOPERM"):
            return {}
        raise unreachable(f"Redis refuses: {words}")
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    facts = {key: value for key, colon, value in lines if colon}
    for setting in settings:
        if isinstance(setting, list) and len(setting) == 2:
            facts[setting[0].decode()] = setting[1].decode(errors="replace")
    return facts


def _check_kind(facts: dict[str, str]) -> None:
    version = facts.get("redis_version", "")
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts and parts < OLDEST:
        raise CannotStart(
            "redis_too_old",
            f"This is Redis {version}; it must be 7.0 or newer (or any Valkey). Upgrade it.",
            EXIT_CONFIG,
        )
    if facts.get("redis_mode") not in (None, "standalone"):
        words = f"This Redis runs as {facts['redis_mode']}; only a single server can be used yet. Give the URL of one."
        raise CannotStart("redis_mode", words, EXIT_CONFIG)
    if facts.get("role") == "slave":
        words = "This Redis is a replica and takes no writes. Give the URL of its primary."
        raise CannotStart("redis_replica", words, EXIT_CONFIG)


async def _check_shards(link: Link, layout: Layout) -> None:
    """The number of shards decides where rooms are found, so it is the same for ever."""
    wrote, stored = await link.ask(
        [(b"SET", layout.count_key, layout.count, b"NX"), (b"GET", layout.count_key)], CHECK_S
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


def _durability(facts: dict[str, str]) -> str:
    return "; ".join([_persistence(facts), *_warnings(facts)])


def _persistence(facts: dict[str, str]) -> str:
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
    return "no persistence: only while Redis runs (set appendonly yes)"


def _warnings(facts: dict[str, str]) -> list[str]:
    warnings = []
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and facts.get("maxmemory", "0") != "0":
        warnings.append(f"maxmemory-policy {policy} throws rooms away when memory is short (set noeviction)")
    node_bytes = facts.get("stream-node-max-bytes", "")
    if node_bytes.isdigit() and not 0 < int(node_bytes) <= NODE_BYTES:
        warnings.append(f"an idle room costs over 4 KB of Redis' memory (set stream-node-max-bytes {NODE_BYTES})")
    return warnings
