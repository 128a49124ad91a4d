"""A process' life: listen, serve, drain, go. Layer 4.

Not `web.run_app`: READY=1 must be said after the sockets listen, and a drain has an order: not ready, no new
connections, what is under way settles, everybody is sent away with a time to come back, then the log is closed. A
second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress

from aiohttp import web

from chat_aiohttp import __version__, keys
from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.listeners import BACKLOG, address_of, open_listeners
from chat_aiohttp.logs import configure
from chat_aiohttp.settings import masked, store_url
from chat_aiohttp.siblings import Sibling, Siblings
from chat_aiohttp.supervisor import BEAT_S, Supervisor
from chat_aiohttp.systemd import Notifier, watchdog_interval_s
from chat_aiohttp.web import ops

log = logging.getLogger(__name__)

RESERVED_FDS = 64  # for the log, the listeners, pages and probes: never given to sockets
KEEPALIVE_S = 75.0  # longer than a proxy keeps an idle connection to us, so that the proxy is the one to close it
EX_UNUSABLE = 78  # sysexits.h: EX_CONFIG
LoopFactory = Callable[[], asyncio.AbstractEventLoop] | None


def run(config: Config, source: str) -> int:
    """Serve until a signal says stop; the exit code. *source* says in words where *config* came from.

    Raises CannotStart before anything is served.
    """
    configure(config.log, sys.stderr, os.environ)
    url = store_url(config, os.environ)
    loop_factory = _loop_factory(config.server.loop)
    listeners = open_listeners(
        config.server, os.environ, config.fanout.send_buffer_bytes, config.limits.receive_buffer_bytes
    )
    process = Process(config, url, source, listeners)
    if config.server.workers == 1:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(process.serve(Notifier(os.environ).ready, Notifier(os.environ)))
    return _supervise(process, loop_factory)


def _supervise(process: Process, loop_factory: LoopFactory) -> int:
    server = process.config.server
    siblings = Siblings(server.workers)

    def serve(number: int, beating: int, leash: int) -> int:
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(process.serve_as_worker(siblings.member(number), beating, leash))
        except CannotStart as error:
            log.critical("%s", error)
            return error.exit_code

    log.info("%d workers on %s", server.workers, address_of(process.listeners))
    notifier = Notifier(os.environ)
    supervisor = Supervisor(
        count=server.workers, serve=serve, notifier=notifier, drain_s=server.drain_s, refused=EX_UNUSABLE
    )
    with closing(siblings):
        return supervisor.run()


def _loop_factory(name: str) -> LoopFactory:
    if name == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if name == "uvloop":
            words = "server.loop is uvloop, which is not installed: pip install uvloop"
            raise CannotStart("no_uvloop", words, EX_UNUSABLE) from None
        return None
    return uvloop.new_event_loop


class Process:
    """What one serving process does with the sockets it was given."""

    def __init__(self, config: Config, url: str, source: str, listeners: list[socket.socket]) -> None:
        self.config = config
        self.listeners = listeners
        self._url = url
        self._source = source

    async def serve(self, ready: Callable[[str], None], notifier: Notifier) -> int:
        """Serve until a signal; *ready* is told when the sockets are served."""
        stop = _stop_on_signals()
        async with _beside(_tell_alive(notifier, watchdog_interval_s(os.environ, os.getpid()))):
            await self._serve_until(stop, ready, notifier)
        return 0

    async def serve_as_worker(self, sibling: Sibling, beating: int, leash: int) -> int:
        """Serve until a signal or until the supervisor is gone; tell it when ready and that the loop turns."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        # As often as it comes: whoever signals all processes does it beside the supervisor, which also sees to haste.
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_reader(leash, stop.set)  # readable only when its other end is closed
        ready = asyncio.Event()
        async with _beside(_beat(beating, ready)):
            await self._serve_until(stop, lambda _: ready.set(), Notifier({}), sibling)
        return 0

    async def _serve_until(
        self, stop: asyncio.Event, ready: Callable[[str], None], notifier: Notifier, sibling: Sibling | None = None
    ) -> None:
        config = self.config
        app = create_app(config, store_url=self._url, capacity=_capacity(config.limits.connections))
        if sibling is not None:
            app[keys.SIBLING] = sibling
            app.cleanup_ctx.append(ops.tell_siblings)
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=KEEPALIVE_S,
            tcp_keepalive=False,
            shutdown_timeout=1.0,
        )
        try:
            await runner.setup()
            for listener in self.listeners:
                await web.SockSite(runner, listener, backlog=BACKLOG).start()
            where, durability = address_of(self.listeners), app[keys.HUB].store.durability
            log.info(_START, __version__, where, masked(self._url), durability, self._source)
            ready(f"Serving {where}")
            await stop.wait()
            notifier.stopping("Sending members away")
            for site in list(runner.sites):
                await site.stop()
            await app[keys.HUB].drain(config.server.drain_s)
            log.info("drained; goodbye")
        finally:
            await runner.cleanup()


_START = "chat_aiohttp %s on %s · rooms in %s (%s) · configured by %s"


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """*work* goes on for as long as the context lasts. Not a TaskGroup: what the context raises should stay bare."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _tell_alive(notifier: Notifier, interval_s: float | None) -> None:
    """As long as this is cancelled in time, the loop turns: systemd's watchdog is told so."""
    while interval_s is not None:
        await asyncio.sleep(interval_s)
        notifier.alive()


async def _beat(beating: int, ready: asyncio.Event) -> None:
    await ready.wait()
    while True:
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(beating, b".")
        await asyncio.sleep(BEAT_S)


def _capacity(configured: int) -> int:
    """How many sockets this process may hold. Raises our own soft limit of descriptors to the hard one: systemd keeps
    the soft one low on purpose, for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(16, soft - RESERVED_FDS) if soft != resource.RLIM_INFINITY else 10**7
    return min(configured, room) if configured else room


def _stop_on_signals() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            os._exit(130)  # asked twice: whoever asks is in a hurry, and what is acknowledged is in the log
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop
