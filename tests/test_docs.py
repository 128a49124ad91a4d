"""What the documents say is true: commands exist and run, examples work, names in tables are there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from chat_aiohttp import settings
from chat_aiohttp.sessions import query_session
from tests.crowd import Listener, listen, say
from tests.instances import Instance, running

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of *page* in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_finds_it(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_proof_that_guarantees_names_exists() -> None:
    proofs = set(re.findall(r"`(tests/[^`]+)`", (ROOT / "docs/guarantees.md").read_text("utf-8")))

    assert proofs
    assert [proof for proof in proofs if not (ROOT / proof).exists()] == []


def test_every_file_that_architecture_names_exists() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    names = set(re.findall(r"`((?:\w+/)*\w+\.py)`", text))

    assert [name for name in names if not any((ROOT / base / name).exists() for base in ("chat_aiohttp", "."))] == []


BOTS = [
    pytest.param(code, id=f"{page.name}-{place}")
    for page in (ROOT / "README.md", ROOT / "docs/bots.md")
    for place, code in enumerate(blocks(page, "python"))
]


@asynccontextmanager
async def bot(code: str, instance: Instance, folder: Path) -> AsyncIterator[None]:
    """A bot of the documents at work in *folder*, killed with the block."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "BOT_SECRET": "documented-secret-0123"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code.replace("http://127.0.0.1:8000", instance.url), cwd=folder, env=env
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def heard(listener: Listener, text: str) -> list[dict[str, object]]:
    return [message for message in listener.messages() if message["message"] == text]


async def until(is_so: Callable[[], bool], ask: Callable[[], None] = lambda: None) -> None:
    """Wait until *is_so*, asking three times a second: a bot may not be in the room yet."""
    asked_at = 0.0
    async with asyncio.timeout(60):
        while not is_so():
            if monotonic() - asked_at > 0.3:
                ask()
                asked_at = monotonic()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("code", BOTS)
async def test_the_bots_answer(code: str, tmp_path: Path) -> None:
    async with running("memory:", tmp_path / "a") as instance, bot(code, instance, tmp_path):
        me, listener = await listen(instance.socket_url("lobby"), keep=True)
        await until(lambda: bool(heard(listener, "pong")), lambda: say(me, "ping"))
        me.close()


async def test_the_bot_that_may_die_answers_every_ping_once_whatever_it_had_written_down(tmp_path: Path) -> None:
    code = blocks(ROOT / "docs/bots.md", "python")[-1]

    def refs() -> list[str]:
        return sorted(str(pong["ref"]) for pong in heard(listener, "pong"))

    def pings() -> list[str]:
        return sorted(f"pong {ping['id']}" for ping in heard(listener, "ping"))

    async with running("memory:", tmp_path / "a") as instance:
        me, listener = await listen(instance.socket_url("lobby"), keep=True)
        async with bot(code, instance, tmp_path):
            await until(lambda: bool(refs()), lambda: say(me, "ping"))
        (tmp_path / "last-id").write_text("0-0")  # as if it had died before it wrote
        say(me, "ping")

        async with bot(code, instance, tmp_path):
            await until(lambda: set(refs()) >= set(pings()))

        assert refs() == pings()
        me.close()


def test_the_command_that_makes_a_bots_secret_makes_a_good_one() -> None:
    (command,) = blocks(ROOT / "docs/bots.md", "sh")

    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)

    assert len(query_session(made.stdout.strip())) == 16


async def test_the_counters_come_with_the_documented_command(tmp_path: Path) -> None:
    command = blocks(ROOT / "docs/operate.md", "sh")[0]
    async with running("memory:", tmp_path / "a") as instance:
        curl = await asyncio.create_subprocess_shell(
            command.replace("http://127.0.0.1:8000", instance.url), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        told, _ = await asyncio.wait_for(curl.communicate(), 60)

    if curl.returncode == 127:
        pytest.skip("curl is not installed")
    assert b"\nchat_ready 1.0\n" in told


def test_every_command_of_the_readme_is_one_we_have() -> None:
    shell = "".join(blocks(ROOT / "README.md", "sh"))
    words = set(re.findall(r"^make (\w+)", shell, re.MULTILINE))
    flags = set(re.findall(r"chat-aiohttp.*?(--[a-z-]+)", shell))
    help_text = subprocess.run(
        [sys.executable, "-m", "chat_aiohttp", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert words == {"run"}
    assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in words)
    assert flags
    assert [flag for flag in flags if flag not in help_text] == []


def test_the_configuration_that_embedding_asks_for_is_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(blocks(ROOT / "docs/embed.md", "toml")[0])

    loaded = settings.load(file=tmp_path / "config.toml", environ={}, flags={})

    assert loaded.config.server.embed_origins == ("https://docs.example.org",)


def test_nginx_takes_the_documented_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed: apt install nginx-light")
    site = blocks(ROOT / "docs/deploy.md", "nginx")[0].replace("listen 80", "listen 127.0.0.1:8080")
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/nginx.pid; error_log stderr; events {{}} http {{ access_log off; {site} }}")

    tried = subprocess.run([nginx, "-t", "-c", str(config), "-p", str(tmp_path)], capture_output=True, text=True)

    assert tried.returncode == 0, tried.stderr


def test_the_service_file_that_deploying_names_is_there() -> None:
    text = (ROOT / "docs/deploy.md").read_text("utf-8")
    named = set(re.findall(r"deploy/systemd/[\w@.-]+", text))

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
