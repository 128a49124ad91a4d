"""What the listening sockets give to every connection they accept."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from chat_aiohttp.config import ServerTable
from chat_aiohttp.errors import CannotStart
from chat_aiohttp.listeners import UNSENT_BYTES, open_listeners


def test_an_accepted_connection_bounds_what_the_kernel_keeps_for_it() -> None:
    (listener,) = open_listeners(ServerTable(port=0), {}, 131_072)
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            # the kernel doubles what it is asked for (socket(7))
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * 131_072
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES


def test_a_peer_who_never_reads_is_given_little_beyond_its_window() -> None:
    (listener,) = open_listeners(ServerTable(port=0), {}, 1_048_576)
    with listener, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        deaf.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(False)
            assert _taken(accepted) < 65_536 + 8 * UNSENT_BYTES


def test_a_unix_socket_has_only_the_send_buffer(tmp_path: Path) -> None:
    (listener,) = open_listeners(ServerTable(unix=str(tmp_path / "chat.sock")), {}, 131_072)
    with listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * 131_072


def test_a_flood_that_nobody_reads_fills_its_own_buffer_alone() -> None:
    (listener,) = open_listeners(ServerTable(port=0), {}, 0, 65_536)
    with listener, socket.socket() as flood:
        flood.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
        flood.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            flood.setblocking(False)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 65_536
            assert _taken(flood) < 400_000


def _taken(full: socket.socket) -> int:
    """How many bytes it takes before it would block."""
    taken = 0
    while taken < 4_000_000:
        try:
            taken += os.write(full.fileno(), bytes(4096))
        except BlockingIOError:
            break
    return taken


def test_port_0_is_the_same_free_port_on_every_address_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    listeners = open_listeners(ServerTable(port=0), {}, 0)

    addresses = [listener.getsockname() for listener in listeners]
    for listener in listeners:
        listener.close()
    assert [address for address, _ in addresses] == ["127.0.0.1", "127.0.0.2"]
    assert addresses[0][1] == addresses[1][1] != 0


def test_a_unix_socket_that_a_killed_server_left_is_taken_over(tmp_path: Path) -> None:
    path = str(tmp_path / "chat.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)

    (listener,) = open_listeners(ServerTable(unix=path), {}, 0)

    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_unix_socket_that_is_served_is_left_alone_however_busy_its_server_is(tmp_path: Path) -> None:
    path = str(tmp_path / "chat.sock")
    with socket.socket(socket.AF_UNIX) as served, socket.socket(socket.AF_UNIX) as waiting:
        served.bind(path)
        served.listen(0)
        waiting.connect(path)  # the kernel takes no more, and a connect would wait

        with pytest.raises(CannotStart, match="another program listens there"):
            open_listeners(ServerTable(unix=path), {}, 0)

        assert Path(path).is_socket()


def test_a_file_where_the_unix_socket_should_be_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    path.write_text("mine")

    with pytest.raises(CannotStart, match="another program listens there"):
        open_listeners(ServerTable(unix=str(path)), {}, 0)

    assert path.read_text() == "mine"
