"""A served application and clients in its rooms, in both dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient

from chat_aiohttp import keys
from chat_aiohttp.hub import Hub

Client = TestClient[web.Request, web.Application]
MakeClient = Callable[[web.Application], Awaitable[Client]]
Fields = dict[str, Any]

UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
LOBBY = "/ws/chat/lobby/"
V1 = "chat.v1"
DEADLINE_S = 20.0  # a leave alone waits for 5 (presence.LINGER_S)


class Server:
    """The whole application, served; and the sockets that were opened to it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sockets: list[ClientWebSocketResponse] = []

    @property
    def hub(self) -> Hub:
        return self.client.app[keys.HUB]

    async def plain(self, room: str = "lobby", **query: str) -> Member:
        return await self._open(room, (), query)

    async def v1(self, room: str = "lobby", **query: str) -> Member:
        """A chat.v1 member who has been welcomed and is live."""
        member = await self._open(room, (V1,), query)
        member.welcome = await member.next("welcome")
        await member.next("live")
        return member

    async def _open(self, room: str, protocols: tuple[str, ...], query: dict[str, str]) -> Member:
        path = f"/ws/chat/{quote(room, safe='')}/"
        socket = await self.client.ws_connect(path, protocols=protocols, params=query, autoping=True)
        self.sockets.append(socket)
        return Member(socket)

    async def refusal(self, path: str = LOBBY, drop: str = "", **headers: str) -> tuple[int, str, Any]:
        """(status, words, headers) of a handshake with *headers* changed and *drop* left out."""
        sent = {**UPGRADE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent.pop(drop, None)
        async with self.client.get(path, headers=sent) as answer:
            return answer.status, await answer.text(), answer.headers


class Member:
    """A client in a room."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.welcome: Fields = {}

    @property
    def transport(self) -> asyncio.Transport:
        """What lies below aiohttp's client, which writes no broken frames."""
        connection = self.socket._response.connection
        assert connection is not None
        assert isinstance(connection.transport, asyncio.Transport)
        return connection.transport

    async def say(self, message: object, ref: str | None = None) -> None:
        fields: Fields = {"message": message} if self.socket.protocol is None else {"type": "send", "message": message}
        await self.socket.send_json(fields if ref is None else {**fields, "ref": ref})

    async def get(self) -> Fields:
        """The next frame."""
        fields = await self.socket.receive_json(timeout=DEADLINE_S)
        assert isinstance(fields, dict)
        return fields

    async def next(self, kind: str) -> Fields:
        """The next event of this type; presence in between is passed over."""
        while (fields := await self.get()).get("type") != kind:
            assert fields.get("type", "").startswith("presence"), fields
        return fields

    async def error(self) -> Fields:
        """The next frame, which must be an error."""
        fields = await self.get()
        while fields.get("type", "").startswith("presence"):
            fields = await self.get()
        assert "error" in fields or fields.get("type") == "error", fields
        return fields

    async def ends(self) -> tuple[int | None, str]:
        """The close frame that must come; and after it the end."""
        message = await self.socket.receive(timeout=DEADLINE_S)
        while message.type == WSMsgType.TEXT:
            message = await self.socket.receive(timeout=DEADLINE_S)
        assert message.type == WSMsgType.CLOSE, message
        return message.data, str(message.extra)


async def change(member: Member, kind: str, target: str, ref: str = "c1", **more: Any) -> None:
    await member.socket.send_json({"type": kind, "id": target, "ref": ref, **more})


async def said(member: Member, text: str = "hi", ref: str = "r1") -> str:
    """The id of a message that *member* just sent."""
    await member.say(text, ref)
    return str((await member.next("message"))["id"])
