"""GET /ws/chat/<room>/: from a request to a member. Layer 5.

Everything that can be refused is refused here, as HTTP, before the socket opens, with a status that says what to do and
words that say why. Every wait comes before the 101; from there to the switchboard there is none.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from aiohttp import web

from chat_aiohttp import keys
from chat_aiohttp.errors import BadInput, Limited, NotAName
from chat_aiohttp.events import EventId, parse_id
from chat_aiohttp.names import guest_name, person_name, room_key
from chat_aiohttp.proxies import is_foreign
from chat_aiohttp.rooms import Room
from chat_aiohttp.sessions import public_id
from chat_aiohttp.web.identity import session_of
from chat_aiohttp.web.language import choose
from chat_aiohttp.web.upgrade import DEPARTED, take_over

V1 = "chat.v1"
MAX_HISTORY = 500


class Wish(NamedTuple):
    """What a client asks for with its handshake."""

    v1: bool
    session: bytes
    may_change: bool
    who: str
    name: str
    after: EventId | None
    history: int


async def room_socket(request: web.Request) -> web.StreamResponse:
    """Bring the client into the room it asks for, or say why not."""
    key, title = _room(request)
    _check_upgrade(request)
    _check_origin(request)
    wish = _wish(request)
    _check_handshake(request)
    _check_capacity(request)
    address = request.app[keys.PROXIES].network(request)
    async with request.app[keys.HUB].door(key, title, address) as room:
        return _enter(request, room, wish, address)


def _enter(request: web.Request, room: Room, wish: Wish, address: bytes | None) -> web.StreamResponse:
    hub = request.app[keys.HUB]
    member = hub.member(
        room,
        session=wish.session,
        who=wish.who,
        name=wish.name,
        v1=wish.v1,
        may_change=wish.may_change,
        address=address,
    )
    fd, early = take_over(request, V1 if wish.v1 else None)
    hub.enter(member, fd, early=early, after=wish.after, history=wish.history)
    return DEPARTED


def _room(request: web.Request) -> tuple[str, str]:
    try:
        return room_key(request.match_info["room"])
    except NotAName as error:
        raise web.HTTPNotFound(text=error.words) from None


def _check_upgrade(request: web.Request) -> None:
    missing = next((name for name, wanted in _UPGRADE if wanted not in request.headers.get(name, "").lower()), None)
    if missing is not None:
        raise web.HTTPUpgradeRequired(
            text=f"This is a WebSocket's address, and the request's “{missing}” header does not ask for one. Behind a "
            "proxy: pass “Upgrade” and “Connection” on.",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )


_UPGRADE = (("Connection", "upgrade"), ("Upgrade", "websocket"))


def _check_handshake(request: web.Request) -> None:
    # Not WebSocketResponse.can_prepare: it makes a whole response to look at two headers (a tenth of a connection's
    # cost), and takes the versions of two drafts.
    headers = request.headers
    if headers.get("Sec-WebSocket-Version") != "13" or not _is_key(headers.get("Sec-WebSocket-Key", "")):
        raise web.HTTPBadRequest(
            text="This is no WebSocket handshake: it needs Sec-WebSocket-Version: 13 and a 16-byte Sec-WebSocket-Key.",
            headers={"Sec-WebSocket-Version": "13"},
        )


def _is_key(text: str) -> bool:
    """RFC 6455 section 4.1: 16 bytes in base64."""
    try:
        return len(b64decode(text, validate=True)) == 16
    except ValueError:
        return False


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if origin is None:
        return  # no browser
    host = request.app[keys.PROXIES].peer(request).host
    if is_foreign(origin, host, request.app[keys.CONFIG].server.origins):
        raise web.HTTPForbidden(
            text=f"Pages of {origin[:100]} may not open rooms here: this server is {host[:100]}. "
            "Its operator can allow them in server.origins."
        )


def _check_capacity(request: web.Request) -> None:
    if request.app[keys.HUB].switchboard.count >= request.app[keys.CAPACITY]:
        raise Limited("full", "This server is full. Try again in a moment.", 5.0)


def _wish(request: web.Request) -> Wish:
    query = request.query if request.query_string else _NOTHING_ASKED
    try:
        session = session_of(request, query)
        after = parse_id(query["after"]) if "after" in query else None
        who = public_id(session)
        name = person_name(query["name"]) if query.get("name", "").strip() else _guest(request, who)
        # A secret in an address gets around: it may speak, and repeat itself, but change nothing.
        may_change = not query.get("session")
        return Wish(_protocol(request), session, may_change, who, name, after, _history(query.get("history", "0")))
    except (BadInput, NotAName) as error:
        raise web.HTTPBadRequest(text=error.words) from None


_NOTHING_ASKED: Mapping[str, str] = MappingProxyType({})


def _guest(request: web.Request, who: str) -> str:
    return guest_name(who, choose(request.cookies.get("lang"), request.headers.get("Accept-Language")))


def _protocol(request: web.Request) -> bool:
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()]
    if offered and V1 not in offered:
        raise BadInput(
            "unknown_protocol", f"This server speaks {V1}, or plain without a sub-protocol; not {offered[0][:40]}."
        )
    return bool(offered)


def _history(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadInput("bad_limit", f"“history” must be a whole number from 0 to {MAX_HISTORY}.")
    return min(int(text), MAX_HISTORY)
