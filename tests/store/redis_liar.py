"""A server before a server, which answers what a test wants for some commands and passes on all others."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Self

import hiredis

from chat_aiohttp.store.redis_turn import TURN


class Liar:
    """Answers *lies*, by the command's name in capitals, with an error reply in those words."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.lies: dict[bytes, str] = {}
        self.delay_s = 0.0  # before each answer

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        answers, asks = await asyncio.open_connection("127.0.0.1", self._target)
        commands = hiredis.Reader()
        try:
            while piece := await reader.read(65_536):
                commands.feed(piece)
                while (command := commands.gets()) is not False:
                    writer.write(await self._answer(command, answers, asks))
        except OSError:
            pass
        finally:
            writer.close()
            asks.close()

    async def _answer(self, command: list[bytes], answers: asyncio.StreamReader, asks: asyncio.StreamWriter) -> bytes:
        if (lie := self.lies.get(command[0].upper())) is not None:
            return b"-%b\r\n" % lie.encode()
        await asyncio.sleep(self.delay_s)
        asks.write(hiredis.pack_command(tuple(command)))  # type: ignore[arg-type]  # its stub says: one item
        reply, whole = b"", hiredis.Reader()
        while True:
            piece = await answers.read(65_536)
            if not piece:
                raise ConnectionError
            reply += piece
            whole.feed(piece)
            if whole.gets() is not False:
                return reply


class Cutter(Liar):
    """Passes everything on, but hangs up instead of answering a *share* of the batches: they were carried out."""

    def __init__(self, port: int, random: Random, *, share: float) -> None:
        super().__init__(port)
        self._random = random
        self._share = share
        self.cut = 0
        self.answered = 0

    async def _answer(self, command: list[bytes], answers: asyncio.StreamReader, asks: asyncio.StreamWriter) -> bytes:
        reply = await super()._answer(command, answers, asks)
        if command[0] == b"EVALSHA" and TURN.sha in command:
            if self._random.random() < self._share:
                self.cut += 1
                raise ConnectionError
            self.answered += 1
        return reply
