"""The listening sockets: systemd's, a unix socket, or a TCP port. Layer 4.

They are opened before the event loop exists, so that a supervisor can open them once and its workers inherit them: a
connection that waits when a worker dies is taken by another, which SO_REUSEPORT would not do.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chat_aiohttp.config import ServerTable
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.systemd import inherited_sockets

BACKLOG: Final = 1024  # connections the kernel holds while we are busy with others
UNSENT_BYTES: Final = 16_384  # that the kernel takes beyond what the peer's window lets go
EX_TEMPFAIL: Final = 75  # sysexits.h

_REMEDIES = {
    errno.EADDRINUSE: "another program listens there: stop it, or give --port another number",
    errno.EACCES: "this user may not listen there: choose a port above 1023 or another folder",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


def open_listeners(
    server: ServerTable, environ: Mapping[str, str], send_buffer: int, receive_buffer: int = 0
) -> list[socket.socket]:
    """Sockets that listen, non-blocking. Raises CannotStart with the cause and the remedy.

    *send_buffer* bounds what the kernel holds for each reader who is behind, *receive_buffer* what it holds of each
    sender who is not read just now, in bytes (0: as it likes, megabytes).
    """
    listeners = _open(server, environ)
    for listener in listeners:
        if send_buffer:
            _bound_sending(listener, send_buffer)
        if receive_buffer:
            # Some hundreds of floods that nobody reads would else fill all the memory that the kernel has for TCP, and
            # then it drops everybody's packets.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    return listeners


def _bound_sending(listener: socket.socket, send_buffer: int) -> None:
    # What is accepted inherits both (tcp(7)): no call per connection. The second is for members who don't read: the
    # kernel keeps a copy for each of them, where our queues share one frame's bytes. While a thousand of them filled
    # their send buffers the kernel was so busy finding memory that those who read waited 200 ms instead of 15.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    if listener.family != socket.AF_UNIX and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _open(server: ServerTable, environ: Mapping[str, str]) -> list[socket.socket]:
    if given := inherited_sockets(environ, os.getpid()):
        return [inherited.socket for inherited in given]
    try:
        return [_unix(Path(server.unix))] if server.unix else _tcp(server.host, server.port)
    except OSError as error:
        where = server.unix or f"{server.host}:{server.port}"
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "check server.host, server.port and server.unix")
        raise CannotStart("cannot_listen", f"can't listen on {where}: {reason}; {remedy}", EX_TEMPFAIL) from None


def address_of(listeners: list[socket.socket]) -> str:
    """Where people find us, for the start line."""
    first = listeners[0]
    if first.family == socket.AF_UNIX:
        return str(first.getsockname())
    host, port = first.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/chat/"


def _tcp(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _listen(listener, (address[0], port, *address[2:]))
        port = listener.getsockname()[1]  # 0 is any free one, and the same for every address of the host
    return listeners


def _unix(path: Path) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _listen(listener, str(path))
    return listener


def _listen(listener: socket.socket, address: tuple[Any, ...] | str) -> None:
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise


def _remove_stale(path: Path) -> None:
    """A socket that nobody listens on any more is in the way; one that somebody answers on is not ours to remove."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # else a full backlog would hold up the start for ever
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            return
