"""docs/redis.md is true: its settings leave nothing to complain about, its commands restore a backup."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store.redis_checks import persistence
from chat_aiohttp.store.redis_faults import REMEDIES, Remedy
from chat_aiohttp.store.redis_urls import servers_at
from tests.servers import REDIS, VALKEY, Server, need, start_server
from tests.store.redis_clusters import AT_ONCE, certificate, until
from tests.store.redis_sides import Open, said, when

DOC = (Path(__file__).parents[2] / "docs/redis.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```", DOC, re.DOTALL | re.MULTILINE)


def arguments(settings: str) -> list[str]:
    """*settings* as a server's command line takes them."""
    return [word for line in settings.splitlines() for word in f"--{line}".split()]


@pytest.mark.parametrize("kind", [VALKEY, REDIS])
async def test_a_server_with_the_documented_settings_is_not_complained_about(
    tmp_path: Path, start: Open, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    with start_server(tmp_path, *arguments(blocks("conf")[0]), kind=kind) as server:
        side = await start(server.url)

        assert side.store.durability.startswith("AOF always")
        assert caplog.records == []


async def test_a_primary_with_the_documented_settings_stops_when_its_replica_is_gone(
    tmp_path: Path, start: Open
) -> None:
    with (
        start_server(tmp_path, *arguments(blocks("conf")[1])) as server,
        pytest.raises(CannotStart, match="NOREPLICAS"),
    ):
        await start(server.url)


def test_every_url_of_the_table_can_be_read(tmp_path: Path) -> None:
    urls = re.findall(r"`((?:rediss?(?:\+\w+)?|unix)://[^`]+)`", DOC)
    authority, _ = certificate(tmp_path)

    assert len(urls) >= 9
    for url in urls:
        if not url.endswith("://"):
            servers_at(url.replace("/etc/ssl/redis-ca.pem", str(authority)), client_name="test")


def test_every_fault_stands_in_the_table_of_faults() -> None:
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\|", DOC, re.MULTILINE)
    named = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    by_remedy = [{code for code, one in REMEDIES.items() if one is remedy} for remedy in Remedy]

    assert sorted(map(sorted, named)) == sorted(map(sorted, by_remedy))


def test_what_the_start_says_agrees_with_the_table_of_what_survives() -> None:
    assert "up to 30 s" in DOC
    assert "~30 s" in persistence({"aof_enabled": "1", "appendfsync": "no"})
    assert "up to 2 s" in DOC
    assert "~2 s" in persistence({"aof_enabled": "1", "appendfsync": "everysec"})


async def test_a_backup_is_restored_by_the_documented_commands(tmp_path: Path, start: Open) -> None:
    if shutil.which("redis-cli") is None:
        pytest.skip("no redis-cli here: apt install redis-tools")
    back_up, restore = blocks("sh")
    folder = tmp_path / "data"
    with start_server(folder, *AT_ONCE, kind=REDIS, aof=True) as server:
        side = await start(server.tcp_url)
        await side.store.attach("lobby")
        kept = await said(side, "lobby", "kept", "k1")
        _run(back_up, server, folder)
        await said(side, "lobby", "said later", "k2")
        await side.told("lobby", 2)
        server.kill()
        try:
            _run(restore, server, folder)
            until(lambda: _tcp(server, "info", "persistence").count("aof_rewrite_in_progress:0"))
            await when(lambda: side.recorder.gaps)
            await when(lambda: side.store.away is None)

            assert [gap.position for _, gap in side.recorder.gaps] == [kept.id]
            assert await side.history("lobby") == ["kept"]
        finally:
            _tcp(server, "shutdown", "nosave")
        server.start()  # with its append-only file, as ever

        assert await (await start(server.tcp_url)).history("lobby") == ["kept"]


def _run(commands: str, server: Server, folder: Path) -> None:
    """Run *commands* as they stand, but for the port."""
    script = commands.replace("6379", str(server.port)).replace("redis-server", f"{need(REDIS)} --bind 127.0.0.1")
    script = re.sub(
        r"(--daemonize yes)", rf"\1 && until redis-cli -p {server.port} ping | grep -q PONG; do :; done", script
    )
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True, timeout=60, capture_output=True)


def _tcp(server: Server, *command: str) -> str:
    return subprocess.run(
        ["redis-cli", "-p", str(server.port), *command], check=False, timeout=60, capture_output=True, text=True
    ).stdout
