"""A lively place, for looking at: what was said this morning, and people who are there."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp

from chat_aiohttp.bodies import change_body, message_body
from chat_aiohttp.commands import React
from chat_aiohttp.events import MESSAGE, REACTION, Draft
from chat_aiohttp.names import room_key
from chat_aiohttp.sessions import public_id, query_session
from chat_aiohttp.store.sqlite import SqliteStore
from tests.browser.chat_server import ChatServer
from tests.store.listener import Recorder

Line = tuple[str, str, str]  # "9:41", who, what

LOBBY: list[Line] = [
    ("9:38", "deploy-bot", "✓ main 8a41d07 · 412 tests passed"),
    ("9:41", "Ada", "Morning! The rolling restart went out at 9:30. Nobody noticed, which was the point."),
    ("9:41", "Ada", "5,000 sockets, ten restarts, **0 closed**: https://status.example.org/restarts"),
    (
        "9:44",
        "小伟",
        "看到了，漂亮。我把 `XREAD` 的批量也合了：\n```\np99  24 ms  →  11 ms   (1000 members, 100 msg/s)\n```",
    ),
    ("9:52", "Björn", "Same box, same run? I'd love to put that next to nchan and uWebSockets."),
    ("9:53", "小伟", "👍"),
    ("10:03", "Noor", "@Mira the embed works inside our docs site now. One line of HTML, no cookies."),
    ("10:04", "deploy-bot", "✓ main 3f9c2e1 · 412 tests passed"),
]
LOBBY_ZH: list[Line] = [
    ("9:38", "deploy-bot", "✓ main 8a41d07 · 412 项测试通过"),
    ("9:41", "Ada", "早！九点半滚动重启完了，没有一个人掉线，这正是我们要的。"),
    ("9:41", "Ada", "5000 个连接，重启十次，**断开 0 个**：https://status.example.org/restarts"),
    (
        "9:44",
        "小伟",
        "看到了，漂亮。我把 `XREAD` 的批量也合了：\n```\np99  24 ms  →  11 ms   （1000 人，每秒 100 条）\n```",
    ),
    ("9:52", "Björn", "同一台机器、同一次运行？我想把它和 nchan、uWebSockets 放在一起。"),
    ("9:53", "小伟", "👍"),
    ("10:03", "Noor", "@Mira 嵌入到文档站点已经好了，一行 HTML，不用 cookie。"),
    ("10:04", "deploy-bot", "✓ main 3f9c2e1 · 412 项测试通过"),
]
ANSWERS = "Björn"  # to the one with the code, too
REACTIONS = {"🎉": ["Ada", "Björn", "Noor", "Mira"], "👏": ["Ada", "Noor"]}  # to the one with the code
ROOMS: dict[str, list[Line]] = {
    "随便聊聊": [("7:12", "Noor", "有人看过那部新片子吗？")],
    "ops": [("8:40", "Ada", "quiet night, nothing to report"), ("9:38", "deploy-bot", "✓ main 8a41d07, 412 passed")],
    "design reviews": [("9:55", "Björn", "second draft is calmer, ship it")],
    "会议室-7": [("9:58", "小伟", "下午三点，别忘了带上图"), ("9:59", "Noor", "收到")],
    "大厅": LOBBY_ZH,
    "Lobby": LOBBY,
}
PRESENT: dict[str, list[str]] = {
    "Lobby": ["Ada", "小伟", "Björn", "Noor", "deploy-bot"],
    "大厅": ["Ada", "小伟", "Björn", "Noor", "deploy-bot"],
    "会议室-7": ["小伟", "Noor", "Ada"],
    "design reviews": ["Björn", "Ada"],
    "ops": ["deploy-bot"],
}


def secret(name: str) -> str:
    """The session of the person called *name*."""
    return (name.encode().hex() + "0" * 32)[:64]


async def write_down(path: Path, day: datetime) -> None:
    """Everything that was said, into the SQLite file *path*, at its time of *day*."""
    now = day
    store = SqliteStore(path=path, clock=lambda: now.timestamp())
    store.bind(Recorder())
    await store.open()
    code: dict[str, str] = {}  # room -> the message with the code
    lines = [(at, room, who, what) for room, said in ROOMS.items() for at, who, what in said]
    for at, room, who, what in sorted(lines, key=lambda line: _of_day(line[0])):
        now = day + _of_day(at)
        key, title = room_key(room)
        reply = code.get(key) if who == ANSWERS else None
        message = Draft(key, title, MESSAGE, message_body(what, _id(who), who, None, reply))
        store.append(message)
        await store.drain()
        if "```" in what:
            code[key] = str(message.id)
        for emoji, fans in REACTIONS.items() if "```" in what else ():
            for fan in fans:
                body = change_body(React(message.id, "", emoji, on=True), _id(fan), fan)
                store.append(Draft(key, title, REACTION, body, target=message.id))
    await store.close()


def _id(name: str) -> str:
    return public_id(query_session(secret(name)))


def _of_day(at: str) -> timedelta:
    hours, minutes = at.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


class Crowd:
    """The people who are there, each on a socket, until `close`."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self._http = aiohttp.ClientSession()
        self._sockets: dict[tuple[str, str], aiohttp.ClientWebSocketResponse] = {}

    async def arrive(self) -> None:
        for room, people in PRESENT.items():
            await asyncio.gather(*[self._enter(room, name) for name in people])

    async def type(self, room: str, *names: str) -> None:
        for name in names:
            await self._sockets[room, name].send_json({"type": "typing"})

    async def close(self) -> None:
        await self._http.close()

    async def _enter(self, room: str, name: str) -> None:
        address = f"{self._server.address}/ws/chat/{quote(room, safe='')}/?name={quote(name)}&session={secret(name)}"
        self._sockets[room, name] = await self._http.ws_connect(address, protocols=("chat.v1",))
