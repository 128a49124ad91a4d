"""A process' life: ready, drained on a signal, and one clear line when it can't start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.instances import Instance, running


async def test_a_drain_sends_everyone_away_with_a_time_to_come_back_and_exits_cleanly(tmp_path: Path) -> None:
    async with running(f"sqlite://{tmp_path}/chat.sqlite3", tmp_path / "a") as instance, aiohttp.ClientSession() as web:
        plain = await web.ws_connect(instance.socket_url("lobby"))
        v1 = await web.ws_connect(instance.socket_url("lobby"), protocols=["chat.v1"])
        await plain.send_str('{"message": "before", "ref": "r1"}')

        instance.signal(signal.SIGTERM)
        texts, close = await _until_closed(plain)
        v1_texts, v1_close = await _until_closed(v1)
        code = await instance.wait()

        assert any('"before"' in text for text in texts)  # under way when the signal came, and still told
        assert (close.data, v1_close.data) == (1012, 1012)
        assert str(close.extra).startswith("come back in ")
        assert any('"going-away"' in text and '"delay"' in text for text in v1_texts)
        assert code == 0
        assert "drained" in instance.log


async def _until_closed(socket: aiohttp.ClientWebSocketResponse) -> tuple[list[str], aiohttp.WSMessage]:
    texts = []
    async with asyncio.timeout(20):
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                texts.append(message.data)
            else:
                return texts, message


async def test_what_was_said_before_a_restart_is_there_after_it(tmp_path: Path) -> None:
    async with running(f"sqlite://{tmp_path}/chat.sqlite3", tmp_path / "a") as instance, aiohttp.ClientSession() as web:
        for room in ("会议室-7", "design reviews", "🎉"):
            member = await web.ws_connect(instance.socket_url(room))
            await member.send_str('{"message": "still here?"}')
            await member.receive(timeout=20)
            await member.close()
        instance.signal(signal.SIGINT)
        assert await instance.wait() == 0

        await instance.start()

        for room in ("会议室-7", "design reviews", "🎉"):
            member = await web.ws_connect(instance.socket_url(room) + "?history=50")
            assert "still here?" in (await member.receive(timeout=20)).data
            await member.close()


async def test_it_is_ready_when_it_listens(tmp_path: Path) -> None:
    async with running("memory:", tmp_path / "a") as instance, aiohttp.ClientSession() as web:
        for path in ("/healthz", "/readyz"):
            async with web.get(instance.url + path) as answer:
                assert answer.status == 200


async def test_a_port_in_use_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, line = await _refused(tmp_path, "memory:", "--port", str(taken.getsockname()[1]))

    assert code == 75
    assert "in use" in line
    assert "--port" in line


async def test_a_folder_that_cannot_be_written_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    code, line = await _refused(tmp_path, f"sqlite://{tmp_path}/file/chat.sqlite3")

    assert code == 74
    assert str(tmp_path / "file") in line


async def test_a_second_server_on_one_file_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    store = f"sqlite://{tmp_path}/chat.sqlite3"
    async with running(store, tmp_path / "a"):
        code, line = await _refused(tmp_path, store)

    assert code == 75
    assert "chat.sqlite3" in line


async def test_a_redis_that_is_not_there_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    code, line = await _refused(tmp_path, f"redis://someone:secret@127.0.0.1:{port}/0")

    assert code == 75
    assert f"127.0.0.1:{port}" in line
    assert "secret" not in line


async def _refused(folder: Path, store: str, *args: str) -> tuple[int, str]:
    instance = Instance(store, folder, *args)
    with pytest.raises(AssertionError):
        await instance.start()
    code = await instance.wait()
    assert "Traceback" not in instance.log
    lines = [line for line in instance.log.splitlines() if line]
    assert len(lines) == 1, instance.log
    return code, lines[0]


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    env = {"CHAT_SERVER_DRAIN_S": "60"}
    async with running("memory:", tmp_path / "a", env=env) as instance, aiohttp.ClientSession() as web:
        reader, writer = await asyncio.open_connection(*_address(instance))
        writer.write(
            b"GET /ws/chat/lobby/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        instance.signal(signal.SIGTERM)
        await asyncio.wait_for(reader.read(100), 20)  # the goodbye, which this peer never answers
        instance.signal(signal.SIGTERM)

        assert await instance.wait() == 130, "not by the end of the drain, nor by the cut of a peer that doesn't answer"
        writer.close()
        assert not web.closed


def _address(instance: Instance) -> tuple[str, int]:
    host, _, port = instance.url.removeprefix("http://").partition(":")
    return host, int(port)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to tell the two limits apart")
async def test_it_raises_its_own_limit_of_descriptors(tmp_path: Path) -> None:
    async with running("memory:", tmp_path / "a") as instance:
        assert instance.process is not None
        limits = Path(f"/proc/{instance.process.pid}/limits").read_text()

    soft, hard = next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3:5]
    assert soft == hard
