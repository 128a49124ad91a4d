"""A process' life: listen, serve, drain, go. Layer 4.

Not `web.run_app`: READY=1 must be said after the sockets listen, and a drain has an order: not ready, no new
connections, what is under way settles, everybody is sent away with a time to come back, then the log is closed. A
second signal ends it at once."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from chat_aiohttp import __version__, keys
from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.logs import configure
from chat_aiohttp.settings import masked, store_url
from chat_aiohttp.systemd import Notifier, inherited_sockets, watchdog_interval_s

log = logging.getLogger(__name__)

BACKLOG = 1024  # connections the kernel holds while we are busy with others
RESERVED_FDS = 64  # for the log, the listeners, pages and probes: never given to sockets
KEEPALIVE_S = 75.0  # longer than a proxy keeps an idle connection to us, so that the proxy is the one to close it
EX_TEMPFAIL, EX_CANTCREAT, EX_NOPERM = 75, 73, 77  # sysexits.h


def run(config: Config, source: str) -> int:
    """Serve until a signal says stop; the exit code. *source* says in words where *config* came from.

    Raises CannotStart before anything is served.
    """
    configure(config.log, sys.stderr, os.environ)
    with asyncio.Runner(loop_factory=_loop_factory(config.server.loop)) as runner:
        return runner.run(_serve(config, source))


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if name == "uvloop":
            raise CannotStart(
                "no_uvloop", "server.loop is uvloop, which is not installed: pip install uvloop"
            ) from None
        return None
    return uvloop.new_event_loop


async def _serve(config: Config, source: str) -> int:
    url = store_url(config.store.url, os.environ)
    notifier = Notifier(os.environ)
    app = create_app(config, store_url=url, capacity=_capacity(config.limits.connections))
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=1.0
    )
    stop = _stop_on_signals()
    try:
        await runner.setup()
        where = await _listen(runner, config)
        hub = app[keys.HUB]
        log.info(
            "chat_aiohttp %s · %s · %s · %s · configured by %s",
            __version__,
            where,
            masked(url),
            hub.store.durability,
            source,
        )
        notifier.ready(f"Serving {where}")
        await _until(stop, notifier)
        notifier.stopping("Sending members away")
        for site in list(runner.sites):
            await site.stop()
        await hub.drain(config.server.drain_s)
        log.info("drained; goodbye")
    finally:
        await runner.cleanup()
    return 0


def _capacity(configured: int) -> int:
    """How many sockets this process may hold. Raises our own soft limit of descriptors to the hard one: systemd keeps
    the soft one low on purpose, for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(16, soft - RESERVED_FDS) if soft != resource.RLIM_INFINITY else 10**7
    return min(configured, room) if configured else room


async def _listen(runner: web.AppRunner, config: Config) -> str:
    """Open the sockets; where people find us."""
    given = inherited_sockets(os.environ, os.getpid())
    if given:
        for inherited in given:
            await web.SockSite(runner, inherited.socket, backlog=BACKLOG).start()
        return f"{len(given)} inherited sockets"
    server = config.server
    try:
        if server.unix:
            _remove_stale(Path(server.unix))
            await web.UnixSite(runner, server.unix, backlog=BACKLOG).start()
            return server.unix
        site = web.TCPSite(runner, server.host, server.port, backlog=BACKLOG)
        await site.start()
    except OSError as error:
        raise _cannot_listen(config, error) from None
    return _address(runner, server.host)


def _address(runner: web.AppRunner, host: str) -> str:
    port = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/chat/"


def _cannot_listen(config: Config, error: OSError) -> CannotStart:
    server = config.server
    where = server.unix or f"{server.host}:{server.port}"
    reason = os.strerror(error.errno) if error.errno else str(error)
    remedy = {
        98: "another program listens there: stop it, or give --port another number",
        13: "this user may not listen there: choose a port above 1023 or another folder",
        99: "this machine does not have that address",
    }.get(error.errno or 0, "check server.host, server.port and server.unix")
    return CannotStart("cannot_listen", f"can't listen on {where}: {reason.lower()}; {remedy}", EX_TEMPFAIL)


def _remove_stale(path: Path) -> None:
    """A socket that nobody listens on any more is in the way; one that somebody answers on is not ours to remove."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def _stop_on_signals() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            os._exit(130)  # asked twice: whoever asks is in a hurry, and what is acknowledged is in the log
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


async def _until(stop: asyncio.Event, notifier: Notifier) -> None:
    """Wait for *stop*; meanwhile tell systemd that the loop turns, if it wants to know."""
    interval = watchdog_interval_s(os.environ, os.getpid())
    while not stop.is_set():
        try:
            async with asyncio.timeout(interval):
                await stop.wait()
        except TimeoutError:
            notifier.alive()
