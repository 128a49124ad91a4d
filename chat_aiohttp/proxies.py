"""Who is on the other end of a request, when proxies may stand between. Layer 5.

`X-Forwarded-*` is believed only from the configured networks and from unix sockets; anyone else could write anything
there. The chain is read from the right, past our own proxies: the first address that isn't one of them is the client.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from chat_aiohttp.addresses import network

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Peer(NamedTuple):
    """The client as the outermost proxy saw it: its *address*, and the *scheme* and *host* it asked for."""

    address: str
    scheme: str
    host: str


class Proxies:
    """The networks whose word on clients is taken."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(network) for network in networks]
        # A proxy is asked about with every request; a thousand strangers at once fit as well.
        self._trusts = lru_cache(maxsize=1024)(self._is_ours)

    def peer(self, request: web.Request) -> Peer:
        """The client behind *request*."""
        remote = request.remote or ""
        if not self._trusts(remote):
            return Peer(remote, request.scheme, request.headers.get("Host", ""))
        headers = request.headers
        scheme = headers.get("X-Forwarded-Proto", request.scheme).strip().lower()
        host = headers.get("X-Forwarded-Host", headers.get("Host", "")).partition(",")[0].strip()
        chain = [hop.strip() for hop in ",".join(headers.getall("X-Forwarded-For", ())).split(",") if hop.strip()]
        return Peer(self._client(chain, remote), scheme if scheme in _DEFAULT_PORTS else request.scheme, host)

    def network(self, request: web.Request) -> bytes | None:
        """What the limits of an address count *request* under: the client's network; None when it has none of its own,
        on a unix socket or on a machine that is trusted and names nobody."""
        remote = request.remote or ""
        if self._trusts(remote) and "X-Forwarded-For" not in request.headers:
            return None
        return network(self.peer(request).address)

    def is_among(self, request: web.Request, networks: Iterable[str]) -> bool:
        """Whether the client behind *request* is in one of *networks*. One without an address is on this machine."""
        address = _parsed(self.peer(request).address or "127.0.0.1")
        return address is not None and any(address in ip_network(one) for one in networks)

    def _client(self, chain: list[str], remote: str) -> str:
        for hop in reversed(chain):
            if not self._trusts(hop):
                return hop
        return chain[0] if chain else remote

    def _is_ours(self, address: str) -> bool:
        if not address:
            return True  # a unix socket has no address: whoever may open it is trusted by its file's permissions
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def is_foreign(origin: str | None, host: str, allowed: Iterable[str]) -> bool:
    """Whether a browser page of *origin* is not one of ours: neither of this *host* and port nor *allowed*.

    No Origin is no browser and allowed (RFC 6454 section 7.3: a browser sends ``null`` where it will not tell).
    """
    if origin is None:
        return False
    ours = [_host_and_port(entry) for entry in allowed]
    theirs = _host_and_port(origin)
    if theirs is None:
        return True
    scheme = origin.partition(":")[0].lower()
    return theirs not in ours and theirs[1:] != (_host_and_port(f"{scheme}://{host}") or ("",))[1:]


def _host_and_port(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin)
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):
        return None
    is_origin = parts.hostname and not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    return (parts.scheme, parts.hostname or "", port) if is_origin else None
