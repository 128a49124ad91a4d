"""What can be configured: one frozen struct per table of config.toml. Beside the layers: pure data, read by all wiring.

Every key has its default, its type and range, and in words what would be right; loading a configuration
(settings.py) takes all three from here. The annotated config.toml loads to exactly `Config()`; a test holds them
together. A unit lives in the key's name: `drain_s`, `frame_bytes`, `slice_ms`.

Rejected: pydantic-settings and dataclasses with checks by hand; msgspec is there anyway and its types carry the ranges.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Strings = tuple[str, ...]
PerSecond = Annotated[float, Meta(gt=0, le=10**6, description="a number above 0, at most 1000000")]
Burst = Annotated[int, Meta(ge=1, le=10**6, description="a whole number from 1 to 1000000")]
UpTo = Annotated[int, Meta(ge=0, le=10**7, description="a whole number from 0 (no limit) to 10^7")]


class ServerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it listens, and whom it believes."""

    host: Annotated[str, Meta(min_length=1, description="a host name or address to listen on, such as 127.0.0.1")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="a port from 0 to 65535 (0: any free one)")] = 8000
    # 107 bytes is what the kernel's sockaddr_un holds
    unix: Annotated[str, Meta(pattern=r"^(/.{1,106})?\Z", description="an absolute path, at most 107 characters")] = ""
    site_name: Annotated[str, Meta(max_length=64, description="a name of at most 64 characters")] = ""
    origins: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^https?://[^/?#@\s]+\Z")], ...],
        Meta(description="a list of origins such as https://docs.example.org, without a path"),
    ] = ()
    embed_origins: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^https?://[^/?#@\s;,']+\Z")], ...],
        Meta(description="a list of origins such as https://docs.example.org, without a path"),
    ] = ()
    trusted_proxies: Annotated[
        Strings, Meta(description="a list of networks such as 127.0.0.1/32 or fd00::/8, no bits set beyond the mask")
    ] = ("127.0.0.1/32", "::1/128")
    drain_s: Annotated[float, Meta(ge=0, le=600, description="a number of seconds from 0 to 600")] = 8.0
    loop: Annotated[Literal["auto", "uvloop", "asyncio"], Meta(description="auto, uvloop or asyncio")] = "auto"
    workers: Annotated[int, Meta(ge=1, le=64, description="a whole number from 1 to 64")] = 1


class StoreTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the rooms' logs are kept."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(memory:|sqlite:///.+|rediss?(\+sentinel|\+cluster)?://.+|unix:///.+|unix://.*@/.+)?\Z",
            description="memory:, sqlite:///absolute/path, redis://host:port/db, rediss://…, unix:///path, "
            "redis+sentinel://… or redis+cluster://…",
        ),
    ] = ""
    synchronous: Annotated[
        Literal["OFF", "NORMAL", "FULL", "EXTRA"], Meta(description="OFF, NORMAL, FULL or EXTRA, in capitals")
    ] = "FULL"
    shards: Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")] = 16
    prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z", description="1 to 32 of the characters A-Z a-z 0-9 _ -")
    ] = "chat"


class RoomsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a room shows and keeps."""

    listed: Annotated[bool, Meta(description="true or false")] = True
    keep_messages: Annotated[int, Meta(ge=0, le=10**9, description="a whole number from 0 (no limit) to 10^9")] = 10_000
    keep_days: Annotated[int, Meta(ge=0, le=36500, description="a whole number from 0 (no limit) to 36500")] = 30
    idle_days: Annotated[int, Meta(ge=0, le=36500, description="a whole number from 0 (never) to 36500")] = 90
    history: Annotated[int, Meta(ge=0, le=500, description="a whole number from 0 to 500")] = 50


class LimitsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much one member may ask of everybody else."""

    message_chars: Annotated[int, Meta(ge=1, le=100_000, description="a whole number from 1 to 100000")] = 4000
    frame_bytes: Annotated[int, Meta(ge=1024, le=2**24, description="a whole number from 1024 to 16777216")] = 65_536
    messages_per_second: PerSecond = 10.0
    message_burst: Burst = 40
    empty_frames_per_second: PerSecond = 50.0
    empty_frame_burst: Burst = 200
    bytes_per_second: Annotated[float, Meta(ge=1024, le=10**10, description="a number from 1024 to 10^10")] = 262_144.0
    byte_burst: Annotated[int, Meta(ge=65_536, le=10**10, description="a whole number from 65536 to 10^10")] = 2**20
    receive_buffer_bytes: Annotated[
        int, Meta(ge=0, le=2**30, description="a whole number from 0 (the kernel's own) to 2^30")
    ] = 65_536
    address_sockets: UpTo = 1000
    address_rooms: UpTo = 200
    address_connections_per_second: PerSecond = 20.0
    address_connection_burst: Burst = 500
    address_new_rooms_per_second: PerSecond = 0.2
    address_new_room_burst: Burst = 60
    address_messages_per_second: PerSecond = 200.0
    address_message_burst: Burst = 2000
    address_searches_per_second: PerSecond = 1.0
    address_search_burst: Burst = 20
    address_counts_per_second: PerSecond = 10.0
    address_count_burst: Burst = 500
    room_members: UpTo = 0
    room_messages_per_second: PerSecond = 200.0
    room_message_burst: Burst = 1000
    connections: Annotated[
        int, Meta(ge=0, le=10**7, description="a whole number from 0 (as many as descriptors allow) to 10^7")
    ] = 0


class FanoutTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How messages go out to many members."""

    rest: Annotated[float, Meta(ge=0, le=100, description="a number from 0 to 100")] = 2.0
    slice_ms: Annotated[float, Meta(ge=0.1, le=1000, description="a number of milliseconds from 0.1 to 1000")] = 2.0
    queue_bytes: Annotated[int, Meta(ge=65_536, le=2**30, description="a whole number from 65536 to 2^30")] = 2**20
    send_buffer_bytes: Annotated[
        int, Meta(ge=0, le=2**30, description="a whole number from 0 (the kernel's own) to 2^30")
    ] = 262_144


class LogTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the server says about itself."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error")
    ] = "info"
    format: Annotated[Literal["auto", "text", "json", "journal"], Meta(description="auto, text, json or journal")] = (
        "auto"
    )


class MetricsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may read the counters."""

    allowed: Annotated[
        Strings, Meta(description="a list of networks such as 127.0.0.0/8 or fd00::/8, no bits set beyond the mask")
    ] = ("127.0.0.0/8", "::1/128")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything. `Config()` is the defaults."""

    server: ServerTable = ServerTable()
    store: StoreTable = StoreTable()
    rooms: RoomsTable = RoomsTable()
    limits: LimitsTable = LimitsTable()
    fanout: FanoutTable = FanoutTable()
    log: LogTable = LogTable()
    metrics: MetricsTable = MetricsTable()
