"""A Python client that heals. Beside the server: over link.py and layer 0, it knows nothing else of it.

It speaks chat.v1 (docs/protocol.md) as the page does: comes back by itself and resumes after the last id it heard, so
that nothing is missed (G4), shown twice (G6) or lost in silence (G5); what it sends is stored once (G7), in order (G2).

Whoever reads slower than the room speaks has what a full inbox doesn't take dropped, and fetched again once through:
memory is bounded, and a bot that never reads may still send. Rejected: not reading the socket meanwhile, which would
keep a sender's acknowledgements from it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from random import random
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from chat_aiohttp.commands import MAX_REF
from chat_aiohttp.errors import BadInput, Ended, NotSent
from chat_aiohttp.events import EventId, Gap, parse_id
from chat_aiohttp.inbox import Frame, Inbox, Message, decode
from chat_aiohttp.link import Link, Send
from chat_aiohttp.names import person_name, room_key
from chat_aiohttp.outbox import Outbox
from chat_aiohttp.sessions import query_session

__all__ = ["Ended", "Gap", "Message", "NotSent", "Room"]
log = logging.getLogger(__name__)

_PLACE = re.compile(r"(.*?)(?:/ws)?/chat/([^/]+)/?")


class Room:
    """A room, for as long as the context lasts. Iterating gives every `Message` from now on, one's own too, each once
    and in the room's order, and a `Gap` where some can't be had any more. It raises Ended when the server ended it.

    *url*: the room's page or socket, http(s) or ws(s); a query in it is kept. *name*: how others see you, else a
    guest's. *session*: a secret of 22 to 128 random A-Z a-z 0-9 _ -, by which you are the same person the next time;
    else the query's, else a new one. *after*: everything after that id first; else *history*: that many messages of
    before first. Raises ValueError, NotAName or BadInput, in words, for what can't be one of these. One context each.
    """

    def __init__(
        self, url: str, *, name: str = "", session: str = "", after: EventId | str | None = None, history: int = 0
    ) -> None:
        self.me = ""  # your public id, once you are in the room: what others see as `Message.sender`
        self._address, self._query = _socket_of(url)
        self._query["session"] = session = session or self._query.get("session") or secrets.token_urlsafe(32)
        query_session(session)  # raises
        self._query |= ({"name": person_name(name)} if name else {}) | ({"history": str(history)} if history else {})
        self._inbox = Inbox(None if after is None else parse_id(str(after)))
        self._outbox: Outbox[asyncio.Future[EventId]] = Outbox()
        self._frame_bytes = 0
        self._end: Exception | None = None
        self._entered, self._news, self._outgoing = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._link = Link(address=self._resumed, write=self._write, heard=self._hear, lost=self._lost)

    async def __aenter__(self) -> Room:
        """Be in the room, however long it takes: `asyncio.timeout` bounds it. Raises Ended if it can't be."""
        self._task = asyncio.create_task(self._stay())
        try:
            await self._entered.wait()
            if self._end is not None:
                raise self._end
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._finish(StopAsyncIteration(), NotSent("left", "The room was left before an answer came."))
        self._task.cancel()
        await asyncio.wait([self._task])

    def __aiter__(self) -> Room:
        return self

    async def __anext__(self) -> Message | Gap:
        while not self._inbox:
            if self._end is not None:
                raise self._end
            self._news.clear()
            if self._inbox.is_behind:
                await self._link.again()
            await self._news.wait()
        return self._inbox.read()

    async def send(self, text: str, *, ref: str = "") -> EventId:
        """Say *text*; the id it is stored under, however long that takes. Stored once, and in the order of the calls.
        *ref*: your own id for this send, 1 to 64 characters, else a random one. Cancelling ends the wait, not the send.

        Raises NotSent when it failed for good, Refused (``outbox_full``) while 200 wait for an answer, or ValueError.
        """
        ref = ref or secrets.token_urlsafe(12)
        if len(ref) > MAX_REF:
            raise ValueError(f"a ref has at most {MAX_REF} characters; this one has {len(ref)}")
        frame = msgspec.json.encode({"type": "send", "message": text, "ref": ref})
        if self._end is not None or not self._entered.is_set():
            raise NotSent("left", "A send belongs inside the room's context, before its end.")
        if len(frame) > self._frame_bytes:
            raise NotSent("message_too_long", f"This takes {len(frame)} bytes; the server takes {self._frame_bytes}.")
        stored: asyncio.Future[EventId] = asyncio.get_running_loop().create_future()
        self._outbox.add(ref, frame, stored)
        self._outgoing.set()
        return await stored

    async def _stay(self) -> None:
        try:
            code, reason = await self._link.stay()
            self._finish(Ended(code, reason), NotSent("ended", str(Ended(code, reason))))
        except Exception as error:
            log.exception("%s: the client failed", self._address)
            self._finish(error, NotSent("ended", "The client failed; its log says how."))

    def _resumed(self) -> str:
        resume = {} if self._inbox.last is None else {"after": str(self._inbox.last)}
        return f"{self._address}?{urlencode(self._query | resume)}"

    def _lost(self) -> None:
        self._inbox.is_behind = False  # the next connection brings what was dropped
        self._outbox.shut()

    async def _write(self, send: Send) -> None:
        while True:
            self._outgoing.clear()
            await asyncio.sleep(self._outbox.pause_s(random()))
            while (frame := self._outbox.next()) is not None:
                await send(frame)
            await self._outgoing.wait()

    def _hear(self, text: str) -> None:
        try:
            self._obey(decode(text))
        except (msgspec.DecodeError, BadInput) as error:
            log.warning("%s: skipped a frame that can't be understood: %s", self._address, error)
        self._outgoing.set()

    def _obey(self, frame: Frame) -> None:
        match frame.type:
            case "welcome":
                self.me, self._frame_bytes = frame.you["id"], frame.limits["frame"]
            case "message" | "edit" | "reaction" | "delete" | "gap" | "live":
                self._inbox.hear(frame)
                self._news.set()
                if frame.type == "live":
                    self._outbox.open()
                    self._entered.set()
                elif frame.sender == self.me and frame.ref:
                    self._settle(frame.ref, parse_id(frame.id))
            case "ack":
                self._settle(str(frame.ref), parse_id(frame.id))
            case "error" if frame.ref and frame.retryable:
                self._outbox.refuse(frame.ref)
            case "error" if frame.ref:
                self._settle(frame.ref, NotSent(frame.code, frame.words))
            case "error":
                log.warning("%s: %s: %s", self._address, frame.code, frame.words)
            case "going-away":
                self._link.wish_s = frame.delay / 1000

    def _settle(self, ref: str, outcome: EventId | Exception) -> None:
        if (stored := self._outbox.take(ref)) is not None:
            _answer(stored, outcome)

    def _finish(self, end: Exception, unsent: NotSent) -> None:
        self._end = self._end or end
        for stored in self._outbox.empty():
            _answer(stored, unsent)
        self._news.set()
        self._entered.set()


def _answer(stored: asyncio.Future[EventId], outcome: EventId | Exception) -> None:
    if stored.done():
        return  # nobody waits for it any more
    if isinstance(outcome, Exception):
        stored.set_exception(outcome)
    else:
        stored.set_result(outcome)


def _socket_of(url: str) -> tuple[str, dict[str, str]]:
    """The address of the socket of the room at *url*, and the query in it."""
    parts = urlsplit(url)
    place = _PLACE.fullmatch(parts.path)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc or place is None:
        raise ValueError(f"“{url}” is no room's address: it should look like https://host/chat/lobby/")
    room_key(unquote(place[2]))  # raises NotAName
    return f"{parts.scheme}://{parts.netloc}{place[1]}/ws/chat/{place[2]}/", dict(parse_qsl(parts.query))
