"""Taking a connection over from aiohttp: nothing that came early is lost, and nothing of aiohttp stays behind.

This is what a new aiohttp must still pass before it may be used.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from chat_aiohttp import frames
from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config
from chat_aiohttp.errors import Refused
from chat_aiohttp.web.upgrade import take_over
from tests.conformance.echo import Echo, echo_app
from tests.frame_bytes import CLOSE, TEXT, client_frame, server_frames

DEADLINE_S = 20.0
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def handshake(path: str = "/", **headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


def on_uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    return pytest.importorskip("uvloop").new_event_loop  # type: ignore[no-any-return]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[object, object, None]], None]:
    """Run a coroutine to its end on one of the two loops."""
    factory = on_uvloop() if request.param == "uvloop" else None

    def run(coroutine: Coroutine[object, object, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(coroutine)

    return run


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[int]:
    """The port at which *app* is served, as server.py does."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def call(port: int, *parts: bytes) -> Line:
    """A connection on which *parts* were sent, one write each, without waiting for an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0)
    return reader, writer


async def hang_up(line: Line) -> None:
    line[1].close()
    async with asyncio.timeout(DEADLINE_S):
        await line[1].wait_closed()


async def answer(reader: asyncio.StreamReader) -> str:
    async with asyncio.timeout(DEADLINE_S):
        return (await reader.readuntil(b"\r\n\r\n")).decode()


async def echoes(reader: asyncio.StreamReader, *payloads: bytes) -> None:
    async with asyncio.timeout(DEADLINE_S):
        for payload in payloads:
            expected = frames.frame(TEXT, payload)
            assert await reader.readexactly(len(expected)) == expected


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_answer_is_the_rfcs(run: Callable[[Coroutine[object, object, None]], None]) -> None:
    async def check() -> None:
        async with serving(echo_app(Echo())) as port:
            reader, writer = await call(port, handshake())
            head = await answer(reader)
            await hang_up((reader, writer))

        status, *lines = head.strip().split("\r\n")
        assert status == "HTTP/1.1 101 Switching Protocols"
        assert set(lines) == {"Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {ACCEPT}"}

    run(check())


def test_frames_that_come_with_the_handshake_are_heard_a_hundred_times_of_a_hundred(
    run: Callable[[Coroutine[object, object, None]], None],
) -> None:
    one, two = client_frame(TEXT, b"one"), client_frame(TEXT, b"two")
    long = client_frame(TEXT, b"x" * 30_000)

    async def check() -> None:
        async with serving(echo_app(Echo())) as port:
            for _ in range(100):
                together = await call(port, handshake() + one + two[:4])
                apart = await call(port, handshake(), one, two[:4])
                large = await call(port, handshake() + one + long[:20_000])
                for reader, writer in (together, apart):
                    assert "101" in await answer(reader)
                    await echoes(reader, b"one")
                    writer.write(two[4:] + one)
                    await echoes(reader, b"two", b"one")
                    await hang_up((reader, writer))
                reader, writer = large
                writer.write(long[20_000:])
                assert "101" in await answer(reader)
                await echoes(reader, b"one", b"x" * 30_000)
                await hang_up(large)

    run(check())


def of_aiohttp() -> list[object]:
    """What aiohttp keeps for a connection or a request, wherever it may hang."""
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, (RequestHandler, web.BaseRequest))]


def test_nothing_of_aiohttp_stays_with_a_connection(run: Callable[[Coroutine[object, object, None]], None]) -> None:
    async def check() -> None:
        echo = Echo()
        async with serving(echo_app(echo)) as port:
            tasks, before = len(asyncio.all_tasks()), len(of_aiohttp())
            lines = [await call(port, handshake() + client_frame(TEXT, b"hi")) for _ in range(20)]
            for reader, _ in lines:
                await answer(reader)
                await echoes(reader, b"hi")
            for _ in range(3):
                await asyncio.sleep(0)

            assert echo.switchboard.count == 20
            assert len(asyncio.all_tasks()) == tasks
            assert len(of_aiohttp()) == before
            for line in lines:
                await hang_up(line)

    run(check())


def test_no_descriptor_is_left_behind(run: Callable[[Coroutine[object, object, None]], None]) -> None:
    async def check() -> None:
        echo = Echo()
        async with serving(echo_app(echo)) as port:
            before = descriptors()
            for _ in range(30):
                reader, writer = await call(port, handshake() + client_frame(CLOSE, b"\x03\xe8"))
                await answer(reader)
                async with asyncio.timeout(DEADLINE_S):
                    assert server_frames(await reader.read()) == [(CLOSE, b"\x03\xe8")]
                await hang_up((reader, writer))
            async with asyncio.timeout(DEADLINE_S):
                while echo.switchboard.count or descriptors() > before:
                    await asyncio.sleep(0.005)

    run(check())


def test_a_client_that_went_away_before_the_answer_is_refused_quietly(
    run: Callable[[Coroutine[object, object, None]], None],
) -> None:
    outcomes: list[str] = []

    async def check() -> None:
        arrived, gone = asyncio.Event(), asyncio.Event()

        async def late(request: web.Request) -> web.Response:
            arrived.set()
            await gone.wait()
            for _ in range(3):
                await asyncio.sleep(0.01)
            try:
                take_over(request, None)
            except Refused as refusal:
                outcomes.append(refusal.code)
            return web.Response()

        app = web.Application()
        app.router.add_get("/", late)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        before = descriptors()
        _, writer = await call(runner.addresses[0][1], handshake())
        async with asyncio.timeout(DEADLINE_S):
            await arrived.wait()
        writer.transport.abort()
        gone.set()
        async with asyncio.timeout(DEADLINE_S):
            while not outcomes:
                await asyncio.sleep(0.005)
        await runner.cleanup()
        assert descriptors() <= before

    run(check())

    assert outcomes == ["gone"]


async def test_without_a_descriptor_to_spare_it_says_so_and_goes_on_when_there_is_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(create_app(Config(), store_url="memory:")) as port:
        reader, writer = await call(port, b"")
        spare = os.dup(0)
        os.close(spare)
        try:
            # One is left for the connection itself, if it is not accepted yet; none for its duplicate.
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 1, hard))
            blocker = -1
            for _ in range(20):
                await asyncio.sleep(0.005)
            try:
                blocker = os.dup(0)
            except OSError:
                pass
            writer.write(handshake("/ws/chat/lobby/"))
            head = await answer(reader)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            if blocker >= 0:
                os.close(blocker)
        await hang_up((reader, writer))
        assert head.startswith("HTTP/1.1 503 ")
        assert "Retry-After:" in head

        reader, writer = await call(port, handshake("/ws/chat/lobby/"))
        assert (await answer(reader)).startswith("HTTP/1.1 101 ")
        await hang_up((reader, writer))
