"""Debian's Chromium, driven by Playwright. Where it is missing these tests are skipped; where CI is set they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chat_server import ChatServer
from tests.browser.visitor import WITHIN_MS, Visitor
from tests.servers import start_server

Arrive = Callable[..., Visitor]

expect.set_options(timeout=WITHIN_MS)


@pytest.fixture(scope="module")  # not longer: while Playwright's own loop runs, no test may run another in this thread
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium: apt install chromium fonts-noto-cjk, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    """For tests that only need rooms of their own: name them after the test."""
    server = ChatServer(tmp_path_factory.mktemp("server")).start()
    yield server
    server.stop()


@pytest.fixture
def sqlite_server(tmp_path: Path) -> Iterator[ChatServer]:
    server = ChatServer(tmp_path, f"sqlite://{tmp_path}/chat.db").start()
    yield server
    server.stop()


@pytest.fixture
def valkey_server(tmp_path: Path) -> Iterator[ChatServer]:
    with start_server(tmp_path / "valkey") as valkey:
        server = ChatServer(tmp_path, valkey.url).start()
        yield server
        server.stop()


@pytest.fixture
def arrive(chromium: Browser) -> Iterator[Arrive]:
    """Makes visitors; at the end none of them may have met a fault."""
    visitors: list[Visitor] = []

    def make(server: ChatServer, **context: Any) -> Visitor:
        visitors.append(Visitor(chromium, server, **context))
        return visitors[-1]

    yield make
    faults = [fault for visitor in visitors for fault in visitor.faults]
    for visitor in visitors:
        visitor.close()
    assert faults == []
