"""An echo on the very switchboard that serves the rooms: `python -m tests.conformance.echo --port P`.

What a conformance suite talks to. Nothing here knows frames: aiohttp does the handshake, take_over takes the
connection, and every message goes back as it came. Size limits are lifted, since suites send up to 16 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from chat_aiohttp import frames, switchboard
from chat_aiohttp.limits import IntakeRules, Rate
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.switchboard import Switchboard
from chat_aiohttp.web.upgrade import take_over

LIMIT = 1 << 26  # of a message, and of what a peer that doesn't read may have waiting


class Echo:
    """A switchboard whose every socket hears itself."""

    def __init__(self, *, max_message_bytes: int = LIMIT, queue_bytes: int = LIMIT) -> None:
        self.ended: list[int] = []  # the close codes of those who are gone
        self.switchboard = Switchboard(
            on_message=self._echo,
            on_gone=lambda _, code: self.ended.append(code),
            max_message_bytes=max_message_bytes,
            queue_bytes=queue_bytes,
            slice_s=0.002,
            intake=IntakeRules(
                empty_frames=Rate(1e6, 1e6), bytes=Rate(1e10, 1e10)
            ),  # the limits have tests of their own
        )

    def _echo(self, socket: Socket, opcode: int, payload: bytes) -> None:
        self.switchboard.send(socket, frames.frame(opcode, payload))

    async def socket(self, request: web.Request) -> web.Response:
        if not web.WebSocketResponse().can_prepare(request):
            raise web.HTTPBadRequest(text="This is no WebSocket handshake.\n")
        fd, early = take_over(request, None)
        socket = Socket()
        self.switchboard.adopt(socket, fd)
        if early:
            self.switchboard.feed(socket, early)
        return web.Response()


def echo_app(echo: Echo) -> web.Application:
    """An application that takes every GET for a WebSocket."""

    @asynccontextmanager
    async def running(_: web.Application) -> AsyncIterator[None]:
        echo.switchboard.start()
        try:
            yield
        finally:
            echo.switchboard.stop()

    app = web.Application()
    app.cleanup_ctx.append(running)
    app.router.add_get("/{path:.*}", echo.socket)
    return app


async def _serve(host: str, port: int) -> None:
    runner = web.AppRunner(echo_app(Echo()), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        print(f"ws://{host}:{runner.addresses[0][1]}", flush=True)  # the line a test waits for
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.echo", description="A WebSocket echo.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001, help="0: any free one; it is printed")
    parser.add_argument("--uvloop", action="store_true", help="on uvloop instead of asyncio's own loop")
    arguments = parser.parse_args()
    setattr(switchboard, "PING_S", 3600)  # noqa: B010 - no ping of ours between the frames that a test compares
    try:
        with asyncio.Runner(loop_factory=_uvloop() if arguments.uvloop else None) as runner:
            runner.run(_serve(arguments.host, arguments.port))
    except KeyboardInterrupt:
        pass


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
