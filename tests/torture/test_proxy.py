"""The bad line is as bad as it says, and loses or reorders nothing it doesn't say it loses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.torture.proxy import Proxy

DEADLINE_S = 20.0
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo_behind_proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""
    writers: set[asyncio.StreamWriter] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = await Proxy(server.sockets[0].getsockname()[1]).start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.05)


async def call(proxy: Proxy) -> Ends:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def comes_back(ends: Ends, data: bytes) -> bool:
    """Whether *data* is echoed, whole and in order."""
    reader, writer = ends
    writer.write(data)
    async with asyncio.timeout(DEADLINE_S):
        return await reader.readexactly(len(data)) == data


@pytest.mark.parametrize(("delay_s", "crumbles"), [(0.0, False), (0.05, False), (0.0, True), (0.02, True)])
async def test_a_slow_line_keeps_everything_in_order(delay_s: float, crumbles: bool) -> None:
    async with echo_behind_proxy() as proxy:
        proxy.delay_s, proxy.crumbles = delay_s, crumbles
        ends = await call(proxy)
        data = bytes(range(256)) * 40

        assert await comes_back(ends, data)
        proxy.heal()  # what is still on its way is not overtaken
        assert await comes_back(ends, data[::-1])
        ends[1].close()


async def test_a_stalled_line_gives_everything_when_it_is_over() -> None:
    async with echo_behind_proxy() as proxy:
        ends = await call(proxy)
        assert await comes_back(ends, b"before")
        proxy.stall(True)
        late = asyncio.create_task(comes_back(ends, b"meanwhile"))
        done, _ = await asyncio.wait([late], timeout=0.2)
        assert not done

        proxy.heal()

        assert await late
        ends[1].close()


async def test_swallowed_replies_never_come() -> None:
    async with echo_behind_proxy() as proxy:
        reader, writer = await call(proxy)
        assert await comes_back((reader, writer), b"before")
        proxy.is_mute = True
        writer.write(b"lost")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)

        proxy.heal()

        assert await comes_back((reader, writer), b"after")
        writer.close()


async def test_a_half_open_line_stays_dead_and_a_new_one_lives() -> None:
    async with echo_behind_proxy() as proxy:
        reader, writer = await call(proxy)
        assert await comes_back((reader, writer), b"before")
        proxy.swallow()
        writer.write(b"lost")
        proxy.heal()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)

        fresh = await call(proxy)

        assert await comes_back(fresh, b"after")
        writer.close()
        fresh[1].close()


async def test_a_cut_line_ends_for_its_client() -> None:
    async with echo_behind_proxy() as proxy:
        reader, writer = await call(proxy)
        assert await comes_back((reader, writer), b"before")

        proxy.cut()

        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(1), DEADLINE_S) == b""
        writer.close()
