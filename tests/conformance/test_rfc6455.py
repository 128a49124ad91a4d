"""The rules that Autobahn checks, spoken by a second implementation (wsproto) to our echo as its own process.

What a frame may look like is test_frames.py's; here it is what comes back over a real connection, on both loops,
however the bytes are cut: echoes, pongs, close frames and the end of the line.
"""

from __future__ import annotations

import socket as sockets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from tests.frame_bytes import BINARY, CLOSE, PING, PONG, TEXT, client_frame

DEADLINE_S = 20.0
ROOT = Path(__file__).parents[2]
Said = str | bytes


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Where the echo listens."""
    command = [sys.executable, "-m", "tests.conformance.echo", "--port", "0"]
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
        command.append("--uvloop")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            host, port = process.stdout.readline().strip().removeprefix("ws://").rsplit(":", 1)
            yield host, int(port)
        finally:
            process.terminate()


class Client:
    """A connection whose frames wsproto reads, and writes where the test doesn't."""

    def __init__(self, line: sockets.socket) -> None:
        self.line = line
        self.wire = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self.write(self.wire.send(Request(host="localhost", target="/")))
        assert isinstance(self.next(), AcceptConnection)

    def write(self, data: bytes, step: int = 0) -> None:
        for start in range(0, len(data), step or len(data) or 1):
            self.line.sendall(data[start : start + step] if step else data)

    def next(self) -> Event | None:
        """The next event; None at the end of the line."""
        while not self._events:
            try:
                data = self.line.recv(65_536)
            except ConnectionResetError:
                pytest.fail("reset: what was sent before may be lost")
            if not data:
                return None
            self.wire.receive_data(data)
            self._events += self.wire.events()
        return self._events.pop(0)

    def message(self) -> Said:
        """The next message, put together."""
        parts: list[Said] = []
        while True:
            event = self.next()
            assert isinstance(event, Message), event
            parts.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
            if event.message_finished:
                texts = [part for part in parts if isinstance(part, str)]
                return "".join(texts) if texts else b"".join(part for part in parts if isinstance(part, bytes))

    def ends(self) -> int:
        """The code of the close frame that comes next, and then the end."""
        event = self.next()
        assert isinstance(event, CloseConnection), event
        assert self.next() is None
        return int(event.code)


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[Client]:
    with sockets.create_connection(address, DEADLINE_S) as line:
        line.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        yield Client(line)


@pytest.mark.parametrize("step", [0, 1, 7, 997])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65_535, 65_536])
def test_text_and_bytes_come_back(client: Client, size: int, step: int) -> None:
    if step == 1 and size > 1000:
        step = 61
    said: list[Said] = ["*" * size, b"\xfe" * size]
    for one in said:
        client.write(client.wire.send(TextMessage(one) if isinstance(one, str) else BytesMessage(one)), step)
        assert client.message() == one


@pytest.mark.parametrize("size", [1 << 20, 1 << 24])
def test_large_messages_come_back_whole_or_in_fragments(client: Client, size: int) -> None:
    payload = bytes(range(256)) * (size // 256)
    parts = [payload[start : start + size // 8] for start in range(0, size, size // 8)]
    whole = client_frame(BINARY, payload)
    fragments = [client_frame(0 if place else BINARY, part, final=place == 7) for place, part in enumerate(parts)]

    for data in (whole, b"".join(fragments)):
        client.write(data)
        received = bytearray()
        while len(received) < len(payload) + 10:
            received += client.line.recv(1 << 20)
        assert received[:10] == b"\x82\x7f" + size.to_bytes(8, "big")
        assert received[10:] == payload


@pytest.mark.parametrize("step", [0, 1])
def test_pings_come_back_as_pongs_in_order_amid_fragments(client: Client, step: int) -> None:
    client.write(
        client_frame(PING, b"one")
        + client_frame(TEXT, b"frag", final=False)
        + client_frame(PING, b"\x00\xff" * 62)
        + client_frame(PONG, b"unasked")
        + client_frame(0, b"", final=False)
        + client_frame(0, b"ment")
        + client_frame(PING),
        step,
    )

    answers = [client.next() for _ in range(2)]
    assert [bytes(answer.payload) for answer in answers if isinstance(answer, Pong)] == [b"one", b"\x00\xff" * 62]
    assert client.message() == "fragment"
    assert client.next() == Pong(payload=b"")


def test_characters_may_be_cut_between_fragments_anywhere(client: Client) -> None:
    text = "Hello-µ@ßöäüàá-UTF-8!!𐍈🎉"
    pieces = [bytes((byte,)) for byte in text.encode()]
    last = len(pieces) - 1

    client.write(b"".join(client_frame(0 if n else TEXT, piece, final=n == last) for n, piece in enumerate(pieces)))

    assert client.message() == text


@pytest.mark.parametrize(
    "rude",
    [
        *(client_frame(opcode, b"x") for opcode in (3, 7, 11, 15)),
        *(client_frame(TEXT, b"x", bits=bits) for bits in (0x40, 0x20, 0x10)),
        client_frame(PING, b"x", bits=0x40),
        client_frame(TEXT, b"x", mask=False),
        client_frame(PING, b"x", final=False),
        client_frame(PING, b"x" * 126),
        client_frame(0, b"x"),
        client_frame(TEXT, b"x", final=False) + client_frame(TEXT, b"y"),
        client_frame(CLOSE, b"\x03"),
        *(client_frame(CLOSE, code.to_bytes(2, "big")) for code in (0, 999, 1004, 1005, 1006, 1016, 2999, 5000)),
        b"\x81\xfe\x00\x05",
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_a_protocol_error_ends_with_1002_and_what_came_before_it_comes_back(
    client: Client, rude: bytes, step: int
) -> None:
    client.write(client_frame(TEXT, b"good") + rude + client_frame(TEXT, b"bad"), step)

    assert client.message() == "good"
    assert client.ends() == 1002


@pytest.mark.parametrize("text", [b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited", b"\xf4\x90\x80\x80", b"\xc3", b"ok\xff"])
def test_text_that_is_not_utf8_ends_with_1007(client: Client, text: bytes) -> None:
    client.write(client_frame(TEXT, text))

    assert client.ends() == 1007


def test_a_close_reason_that_is_not_utf8_ends_with_1007(client: Client) -> None:
    client.write(client_frame(CLOSE, b"\x03\xe8\xff"))

    assert client.ends() == 1007


def test_text_is_refused_as_soon_as_a_fragment_is_wrong(client: Client) -> None:
    client.write(client_frame(TEXT, b"fine", final=False) + client_frame(0, b"\xff", final=False))

    assert client.ends() == 1007


# 1014 is left to test_frames.py: wsproto does not know it.
@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]
)
def test_a_close_is_answered_with_its_code_and_the_end(client: Client, code: int) -> None:
    client.write(client_frame(CLOSE, code.to_bytes(2, "big") + "tschüß".encode()) + client_frame(PING, b"late"))

    assert client.ends() == code


def test_a_close_without_a_code_is_answered_without_one(client: Client) -> None:
    client.write(client_frame(CLOSE))

    assert client.ends() == 1005


def test_a_close_amid_fragments_ends_it(client: Client) -> None:
    client.write(
        client_frame(TEXT, b"unfin", final=False) + client_frame(CLOSE, b"\x03\xe8") + client_frame(0, b"ished")
    )

    assert client.ends() == 1000


def test_a_ping_of_ours_is_one_wsproto_reads(client: Client) -> None:
    """And the other way round: a client's own close handshake by wsproto."""
    client.write(client.wire.send(Ping(payload=b"x")))
    assert client.next() == Pong(payload=b"x")
    client.write(client.wire.send(CloseConnection(code=1000, reason="bye")))
    assert client.ends() == 1000
