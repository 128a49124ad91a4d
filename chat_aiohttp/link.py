"""A WebSocket that heals. Beside the server: imports aiohttp's client and layer 0; knows texts, not rooms.

It comes back after every close that a client may come back from (closing.py): after the delay the server asked for,
else with full jitter between 0.5 s and 20 s, so that a thousand clients don't return in one second. It ends on the
others, and on HTTP's 4xx. A link can die without a close (a changed network, a proxy that vanished): the server pings
every 25 s, and silence for SILENT_S counts as a close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import random
from typing import Final

import aiohttp

from chat_aiohttp.closing import NO_CLOSE, Close, invited_in_s, return_delay_s, should_return

log = logging.getLogger(__name__)

PROTOCOL: Final = "chat.v1"
OPENING_S: Final = 15.0  # then an attempt to connect has failed
SILENT_S: Final = 60.0  # then the link is dead
CLOSING_S: Final = 2.0  # for the server to answer our goodbye
STABLE_S: Final = 60.0  # connected for so long, and the next fault starts again with short delays
LONGEST_WISH_S: Final = 300.0  # no server keeps us away for longer
_TRANSIENT = (408, 425, 429)  # the other 4xx mean that asking again won't help

Send = Callable[[bytes], Awaitable[None]]
End = tuple[int, str]
"""(a close code, or HTTP's status; the reason)"""


class Link:
    """One address, connected to again and again.

    *address()* gives the next attempt's URL; *heard* gets each text; *write*, given what sends a text, runs beside each
    connection and is cancelled with it; *lost* is told when one that was open is over.
    """

    def __init__(
        self,
        *,
        address: Callable[[], str],
        write: Callable[[Send], Awaitable[None]],
        heard: Callable[[str], None],
        lost: Callable[[], None],
    ) -> None:
        self._address = address
        self._write = write
        self._heard = heard
        self._lost = lost
        self._failures = 0  # in a row
        self._lost_at = 0.0  # loop time; 0: never
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.wish_s: float | None = None  # after how long the server wants us back, once

    async def stay(self) -> End:
        """Be connected until the server ends it for good, and how it did."""
        async with aiohttp.ClientSession() as http:
            while should_return((end := await self._visit(http))[0]):
                delay_s = self._delay_s(end[1])
                log.info("%s: lost (%d %s), back in %.3f s", self._place, *end, delay_s)
                await asyncio.sleep(delay_s)
        return end

    async def again(self) -> None:
        """Close what is open, and come back at once. Nothing while there is none: it comes back anyway."""
        if self._socket is not None:
            self.wish_s, socket, self._socket = 0.0, self._socket, None
            await socket.close()

    @property
    def _place(self) -> str:
        return self._address().partition("?")[0]  # the query holds the session's secret: never logged

    async def _visit(self, http: aiohttp.ClientSession) -> End:
        patience = aiohttp.ClientWSTimeout(ws_receive=SILENT_S, ws_close=CLOSING_S)
        try:
            async with asyncio.timeout(OPENING_S):
                socket = await http.ws_connect(self._address(), protocols=(PROTOCOL,), timeout=patience)
        except aiohttp.WSServerHandshakeError as error:
            return self._turned_away(error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return NO_CLOSE, str(error) or "no answer"
        return await self._talk(socket)

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> End:
        clock = asyncio.get_running_loop().time
        self._socket, began = socket, clock()
        if self._lost_at:
            log.info("%s: back after %.3f s", self._place, began - self._lost_at)
        try:
            async with socket, asyncio.TaskGroup() as group:
                if socket.protocol != PROTOCOL:
                    return Close.PROTOCOL_ERROR, f"what answers there does not speak {PROTOCOL}"
                writing = group.create_task(self._write_to(socket))
                end = await self._listen(socket)
                writing.cancel()
        finally:
            self._socket, self._lost_at = None, clock()
            self._lost()
        if clock() - began > STABLE_S:
            self._failures = 0
        return end

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> End:
        while True:
            try:
                got = await socket.receive()
            except TimeoutError:
                return NO_CLOSE, f"silent for {SILENT_S:g} s"
            if got.type is aiohttp.WSMsgType.CLOSE:
                return got.data or NO_CLOSE, got.extra or ""
            if got.type is not aiohttp.WSMsgType.TEXT:
                return NO_CLOSE, "no goodbye"
            self._heard(got.data)

    async def _write_to(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async def send(text: bytes) -> None:
            await socket.send_frame(text, aiohttp.WSMsgType.TEXT)

        try:
            await self._write(send)
        except (aiohttp.ClientError, OSError):
            pass  # whoever listens finds out too, and how it ended

    def _turned_away(self, error: aiohttp.WSServerHandshakeError) -> End:
        if 400 <= error.status < 500 and error.status not in _TRANSIENT:
            return error.status, "no room's socket answers there; behind a proxy: does it pass the upgrade on?"
        after = error.headers.get("Retry-After", "") if error.headers else ""
        if after.isascii() and after.isdigit() and len(after) < 6:
            self._failures += 1
            self.wish_s = int(after) + return_delay_s(self._failures, random())
        return NO_CLOSE, f"HTTP {error.status}"

    def _delay_s(self, reason: str) -> float:
        told, self.wish_s = self.wish_s, None
        if told is None and (told := invited_in_s(reason)) is None:
            self._failures += 1
            return return_delay_s(self._failures, random())
        return min(told, LONGEST_WISH_S)
