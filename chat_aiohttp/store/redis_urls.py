"""What a Redis URL says, and the options that connections are made with. Layer 2.

    redis://host:6379/0        rediss://…  unix:///path?db=0        one server
    redis+sentinel://host:26379,host:26379/mymaster/0               rediss+sentinel://…
    redis+cluster://host:6379,host:6379                             rediss+cluster://…

All take user:password@ before the hosts and redis-py's own options behind a question mark (ssl_ca_certs=/path, …), as
far as they are not fixed here.
"""

from __future__ import annotations

from pathlib import Path
from ssl import SSLError
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store.redis_cluster import Cluster
from chat_aiohttp.store.redis_keys import EXIT_CONFIG
from chat_aiohttp.store.redis_sentinel import Watched
from chat_aiohttp.store.redis_servers import CONNECT_S, GUIDE_S, PORT, Address, Dialer, One, Servers

READ_CHUNK: Final = 262_144  # bytes a connection takes from its socket at once
SENTINEL_PORT: Final = 26_379
FILES: Final = {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"}


def servers_at(url: str, *, client_name: str) -> Servers:
    """What *url* leads to. Raises CannotStart when it can't be read."""
    try:
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if kind == "sentinel":
            return _watched(parts, scheme, client_name)
        if kind == "cluster":
            addresses = _addresses(parts, PORT)
            if parts.path.strip("/") not in ("", "0"):
                raise ValueError("a cluster has no numbered databases")
            return Cluster(addresses, Dialer(_options(_single(parts, scheme, "/0"), client_name)))
        _port(parts)
        if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdigit():
            raise ValueError("after the host comes the number of a database, such as /0")
        return One(Dialer(_options(url, client_name)))
    except SSLError as error:
        words = f"The certificates that the Redis URL names can't be used: {error}."
        raise CannotStart("bad_redis_url", words, EXIT_CONFIG) from error
    except (ValueError, TypeError) as error:
        raise CannotStart("bad_redis_url", f"The Redis URL can't be read: {error}.", EXIT_CONFIG) from error


def _watched(parts: SplitResult, scheme: str, client_name: str) -> Watched:
    addresses = _addresses(parts, SENTINEL_PORT)
    name, _, db = unquote(parts.path).strip("/").partition("/")
    if not name or not (db or "0").isdigit():
        raise ValueError("after the Sentinels comes the primary's name, and perhaps a database: /mymaster/0")
    options = _options(_single(parts, scheme, f"/{db or 0}"), client_name)
    sentinel: dict[str, Any] = {key: options[key] for key in options if key.startswith("ssl_")}
    if options.get("connection_class") is SSLConnection:
        sentinel["ssl"] = True
    for key in ("username", "password"):
        if (value := options.pop(f"sentinel_{key}", None)) is not None:
            sentinel[key] = value
    sentinel |= {
        # With one, redis-py writes through asyncio.wait_for, which on Python 3.11 swallows cancellations.
        "socket_timeout": None,  # redis_servers.py puts a deadline around every question
        "socket_connect_timeout": GUIDE_S,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "protocol": 2,
        "client_name": client_name,
        "driver_info": None,
    }
    sentinels = {
        address: Sentinel([address], sentinel_kwargs=sentinel)  # type: ignore[no-untyped-call]
        for address in addresses
    }
    return Watched(Dialer(options), name, sentinels)


def _single(parts: SplitResult, scheme: str, path: str) -> str:
    """A URL of one server with the user and the options of *parts*; its host is of no importance."""
    if scheme not in ("redis", "rediss"):
        raise ValueError(f"it should begin with redis+ or rediss+, not {scheme}+")
    user, at, _ = parts.netloc.rpartition("@")
    return f"{scheme}://{user}{at}localhost{path}" + (f"?{parts.query}" if parts.query else "")


def _addresses(parts: SplitResult, port: int) -> list[Address]:
    """The hosts that stand in *parts*, separated by commas."""
    found = []
    for text in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{text}")
        if not one.hostname:
            raise ValueError("a host is missing")
        found.append((one.hostname, _port(one) or port))
    return found


def _port(parts: SplitResult) -> int | None:
    """The port in *parts*. Python's own words would show what stands there, and that may be part of a password."""
    try:
        return parts.port
    except ValueError:
        words = "a port is a number up to 65535 (odd characters of a password have to be percent-encoded)"
        raise ValueError(words) from None


def _options(url: str, client_name: str) -> dict[str, Any]:
    """What a connection to *url* is made with. Raises ValueError."""
    options: dict[str, Any] = {**parse_url(url), **_explicit(client_name)}
    for key in FILES & options.keys():
        if not Path(options[key]).exists():  # else TLS would fail later, without saying which file
            raise ValueError(f"there is no {options[key]}, which {key} names")
    if "path" in options:
        del options["socket_keepalive"]  # a unix socket has none
    return options


def _explicit(client_name: str) -> dict[str, Any]:
    """redis-py's defaults are not ours: ten silent retries that double an XADD, 5 s of patience, three reply shapes."""
    return {
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "retry_on_timeout": False,
        "socket_timeout": None,  # redis_link.py puts a deadline around every question
        "socket_connect_timeout": CONNECT_S,
        "socket_read_size": READ_CHUNK,
        "socket_keepalive": True,
        "health_check_interval": 0,  # the follower's reading is the health check
        "protocol": 2,  # replies as plain lists: what the hot paths index
        "legacy_responses": False,
        "decode_responses": False,
        "client_name": client_name,
        "driver_info": None,
        "maint_notifications_config": None,
    }
