"""What the documents say is true: commands exist and run, examples work, names in tables are there."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crowd import listen, say
from tests.instances import running

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


async def test_the_bot_of_the_readme_answers(tmp_path: Path) -> None:
    code = blocks(ROOT / "README.md", "python")[0]
    async with running("memory:", tmp_path / "a") as instance:
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code.replace("http://127.0.0.1:8000", instance.url)
        )
        try:
            me, listener = await listen(instance.socket_url("lobby"), keep=True)
            async with asyncio.timeout(20):
                while not any(message["message"] == "pong" for message in listener.messages()):
                    say(me, "ping")  # again: the bot may not be in the room yet
                    await listener.until(listener.received + 100, 20)
            me.close()
        finally:
            bot.kill()
            await bot.wait()


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
