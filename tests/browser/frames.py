"""Measures what a reader feels: how soon a room is live, how late a key is answered while 200 messages a second come
in, and how long frames take while ten thousand messages are scrolled through. `python -m tests.browser.frames`, or
`make frames`.

Input delay is from the moment the key was pressed (the event's own time stamp) to the page's listener; painted is to
the end of the frame after it. Both depend on the machine and on what else it does; the page's own part is what its main
thread takes of a core, which holds on a busy machine too.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from tests.browser.chat_server import ChatServer
from tests.browser.library import LONG, write

RATE, SECONDS, SENDERS = 200, 10, 20
KEY_EVERY_S = 0.06
VISITS = 15

MEASURE = """() => {
    window.keys = []; window.frames = [];
    addEventListener('keydown', (event) => {
        const delay = performance.now() - event.timeStamp;
        requestAnimationFrame(() => setTimeout(() => keys.push([delay, performance.now() - event.timeStamp])));
    }, { capture: true });
    let last = performance.now();
    requestAnimationFrame(function turn(now) { frames.push(now - last); last = now; requestAnimationFrame(turn); });
}"""

OPENED = """addEventListener('DOMContentLoaded', () => {
    const state = document.getElementById('people-toggle');
    const look = () => { if (state.dataset.state === 'live') window.liveAt ??= performance.now(); };
    new MutationObserver(look).observe(state, { attributes: true });
    look();
})"""

SCROLL = """async () => {
    const log = document.getElementById('chat-log');
    const start = performance.now();
    let most = 0;
    while (!log.querySelector('.begin') && performance.now() - start < 90_000) {
        log.scrollTop -= 400;
        await new Promise(requestAnimationFrame);
        most = Math.max(most, log.querySelectorAll('.msg').length);
    }
    return { most, seconds: (performance.now() - start) / 1000, whole: Boolean(log.querySelector('.begin')) };
}"""


async def main() -> None:
    """Measure once and print."""
    os.environ.update(CHAT_LIMITS_MESSAGES_PER_SECOND="1000", CHAT_LIMITS_MESSAGE_BURST="1000")
    with tempfile.TemporaryDirectory() as place:
        await write(Path(place) / "chat.db")
        server = ChatServer(Path(place), f"sqlite://{place}/chat.db").start()
        try:
            async with async_playwright() as playwright:
                path = os.environ.get("CHROMIUM") or shutil.which("chromium")
                browser = await playwright.chromium.launch(executable_path=path)
                await _opening(browser, server)
                page = await browser.new_page(viewport={"width": 1100, "height": 700})
                await _typing(page, server, None)
                await _typing(page, server, RATE)
                await _scrolling(page, server)
                await browser.close()
        finally:
            server.stop()


async def _opening(browser: Browser, server: ChatServer) -> None:
    """From the click to a live room: by browsers that were never here, and again by the same."""
    times: dict[str, list[float]] = {"never here": [], "again": []}
    for visit in range(VISITS):
        context = await browser.new_context()
        await context.add_init_script(OPENED)
        page = await context.new_page()
        for found in times.values():
            await page.goto(server.room(f"opened {visit}"))
            await page.wait_for_function("() => window.liveAt")
            found.append(await page.evaluate("() => window.liveAt"))
        await context.close()
    for which, found in times.items():
        print(f"a room is live, {which}, {VISITS} visits")
        print(f"  after ms        {_quantiles(found)}")


async def _enter(page: Page, server: ChatServer, room: str) -> None:
    await page.goto(server.room(room))
    await page.wait_for_selector("#people-toggle[data-state=live]")
    await page.evaluate(MEASURE)


async def _typing(page: Page, server: ChatServer, rate: int | None) -> None:
    await _enter(page, server, f"burst {rate}")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = await _cpu_s(devtools)
    burst = asyncio.create_task(_burst(server, f"burst {rate}", rate)) if rate else None
    began = time.monotonic()
    while time.monotonic() < began + SECONDS:
        await page.keyboard.press("x")
        await asyncio.sleep(KEY_EVERY_S)
    if burst:
        await burst
    share = (await _cpu_s(devtools) - before) / (time.monotonic() - began)
    keys, frames = json.loads(await page.evaluate("JSON.stringify([keys, frames])"))
    print(f"typing, {rate or 0} messages a second for {SECONDS} s: {len(keys)} keys")
    print(f"  input delay ms  {_quantiles([delay for delay, _ in keys])}")
    print(f"  painted ms      {_quantiles([painted for _, painted in keys])}")
    print(f"  main thread     {share:.0%} of a core")
    print(f"  frames ms       {_quantiles(frames)}")


async def _cpu_s(devtools: CDPSession) -> float:
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "ThreadTime"))


async def _burst(server: ChatServer, room: str, rate: int) -> None:
    """*rate* messages a second, from SENDERS people, for SECONDS."""
    async with aiohttp.ClientSession() as http:
        sockets = [await http.ws_connect(_socket(server, room, number)) for number in range(SENDERS)]
        start = time.monotonic()
        for number in range(rate * SECONDS):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            await sockets[number % SENDERS].send_json({"message": f"message {number} of a busy room"})
        for socket in sockets:
            await socket.close()


def _socket(server: ChatServer, room: str, number: int) -> str:
    return f"{server.address}/ws/chat/{room}/?name=Sender {number}"


async def _scrolling(page: Page, server: ChatServer) -> None:
    await _enter(page, server, "long")
    scrolled = await page.evaluate(SCROLL)
    frames = json.loads(await page.evaluate("JSON.stringify(frames)"))
    print(f"scrolling up through {LONG} messages: {scrolled['seconds']:.1f} s, to the end: {scrolled['whole']}")
    print(f"  messages in the page, at most  {scrolled['most']}")
    print(f"  frames ms       {_quantiles(frames)}")


def _quantiles(values: list[float]) -> str:
    ranked = sorted(values)
    named = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return "  ".join(f"{name} {ranked[int(share * (len(ranked) - 1))]:6.1f}" for name, share in named.items())


if __name__ == "__main__":
    asyncio.run(main())
