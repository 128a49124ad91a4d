"""The application: its resources, its middlewares, its routes, on one page. Layer 4.

The only file that picks a store. Resources are cleanup contexts in order of need, released in reverse; what hangs on
the application hangs on typed keys."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom
from urllib.parse import unquote, urlsplit

from aiohttp import web

from chat_aiohttp import keys
from chat_aiohttp.addresses import AddressRules
from chat_aiohttp.assets import Assets
from chat_aiohttp.config import Config, LimitsTable
from chat_aiohttp.gate import GateRules
from chat_aiohttp.hub import Hub, HubRules
from chat_aiohttp.limits import IntakeRules, Rate
from chat_aiohttp.may import May, everybody_may
from chat_aiohttp.proxies import Proxies
from chat_aiohttp.routes import add_routes
from chat_aiohttp.store import Retention, Store
from chat_aiohttp.web import middlewares, pages, rooms, search, unread

_DAY_S = 86_400
_REQUEST_BYTES = 65_536


def create_app(
    config: Config, *, store_url: str, capacity: int = 1_000_000, may: May = everybody_may
) -> web.Application:
    """The chat as an aiohttp application, for `AppRunner` or as a part of yours. *store_url* as in store.url, not
    empty; *capacity*: how many sockets it may hold; *may*: who may write what (may.py)."""
    app = web.Application(middlewares=[middlewares.errors], client_max_size=_REQUEST_BYTES)
    app[keys.CONFIG] = config
    app[keys.ASSETS] = Assets()
    app[keys.PROXIES] = Proxies(config.server.trusted_proxies)
    app[keys.CAPACITY] = capacity
    app[keys.HUB] = _hub(config, store_url, may)
    app.on_response_prepare.append(middlewares.security_headers)
    app.cleanup_ctx.append(_running)
    pages.setup(app)
    rooms.setup(app)
    search.setup(app)
    unread.setup(app)
    add_routes(app)
    return app


@asynccontextmanager
async def _running(app: web.Application) -> AsyncIterator[None]:
    hub = app[keys.HUB]
    try:
        await hub.store.open()
        hub.start()
        yield
    finally:
        await hub.stop()
        await hub.store.close()


def _hub(config: Config, store_url: str, may: May) -> Hub:
    limits, fanout = config.limits, config.fanout
    rules = HubRules(
        message_chars=limits.message_chars,
        frame_bytes=limits.frame_bytes,
        gate=_gate_rules(limits),
        intake=IntakeRules(
            empty_frames=Rate(limits.empty_frames_per_second, limits.empty_frame_burst),
            bytes=Rate(limits.bytes_per_second, limits.byte_burst),
        ),
        queue_bytes=fanout.queue_bytes,
        slice_s=fanout.slice_ms / 1000,
        rest=fanout.rest,
    )
    instance = secrets.token_hex(8)
    store = new_store(config, store_url, instance)
    return Hub(store=store, rules=rules, instance=instance, may=may, random=SystemRandom())


def _gate_rules(limits: LimitsTable) -> GateRules:
    return GateRules(
        member=Rate(limits.messages_per_second, limits.message_burst),
        room=Rate(limits.room_messages_per_second, limits.room_message_burst),
        room_members=limits.room_members,
        address=AddressRules(
            sockets=limits.address_sockets,
            rooms=limits.address_rooms,
            connections=Rate(limits.address_connections_per_second, limits.address_connection_burst),
            new_rooms=Rate(limits.address_new_rooms_per_second, limits.address_new_room_burst),
            messages=Rate(limits.address_messages_per_second, limits.address_message_burst),
        ),
    )


def new_store(config: Config, url: str, instance: str) -> Store:
    """The store that *url* names. Only its own driver is imported: a server on SQLite never loads a Redis client."""
    rooms = config.rooms
    retention = Retention(rooms.keep_messages, rooms.keep_days * _DAY_S, rooms.idle_days * _DAY_S)
    scheme = url.partition(":")[0]
    if scheme == "memory":
        from chat_aiohttp.store.memory import MemoryStore

        return MemoryStore(retention=retention)
    if scheme == "sqlite":
        from chat_aiohttp.store.sqlite import SqliteStore

        path = Path(unquote(urlsplit(url).path))
        return SqliteStore(path=path, synchronous=config.store.synchronous, retention=retention)
    from chat_aiohttp.store.redis_streams import RedisStore

    shards, prefix = config.store.shards, config.store.prefix
    return RedisStore(url=url, shards=shards, prefix=prefix, instance=instance, retention=retention)
