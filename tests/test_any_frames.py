"""Any bytes at all, in any reads; `wsproto` is the second opinion on what is legal. And the frames we write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, ParseFailed

from chat_aiohttp import frames
from chat_aiohttp.closing import Close, may_be_received
from chat_aiohttp.frames import FAULT, Item
from tests.frame_bytes import BINARY, CLOSE, PING, PONG, TEXT, client_frame, masked, server_frames
from tests.frame_reads import MAX, byte_by_byte, read

# -- anything at all

legal_frames = st.lists(
    st.one_of(
        st.builds(client_frame, st.just(TEXT), st.text(max_size=60).map(str.encode)),
        st.builds(client_frame, st.just(BINARY), st.binary(max_size=200)),
        st.builds(client_frame, st.sampled_from([PING, PONG]), st.binary(max_size=125)),
        st.builds(
            lambda first, rest: (
                client_frame(BINARY, first, final=False)
                + b"".join(client_frame(PING, piece) + client_frame(0, piece, final=False) for piece in rest)
                + client_frame(0, b"end")
            ),
            st.binary(max_size=140),
            st.lists(st.binary(max_size=20), max_size=4),
        ),
        st.binary(max_size=12),
    ),
    max_size=6,
).map(b"".join)


@given(legal_frames, st.data())
def test_any_split_into_reads_gives_the_same_items(sent: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(sent)), max_size=8)))
    parts = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    whole = read(sent)

    assert read(*[part for part in parts if part]) == whole
    assert read(*byte_by_byte(sent)) == whole


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=10), st.sampled_from([10, 1000, MAX]))
def test_garbage_never_raises_and_ends_at_its_first_fault(parts: list[bytes], max_size: int) -> None:
    items = read(*parts, max_size=max_size)

    assert all(opcode in (TEXT, BINARY, CLOSE, PING, PONG, FAULT) for opcode, _ in items)
    assert not any(opcode in (FAULT, CLOSE) for opcode, _ in items[:-1])
    for opcode, payload in items:
        assert len(payload) <= max(max_size, 125)
        if opcode == TEXT:
            payload.decode()


any_frame = st.builds(
    client_frame,
    st.sampled_from([0, TEXT, BINARY, PING, PONG, CLOSE, 3, 11]),
    st.one_of(
        st.binary(max_size=4), st.text(max_size=80).map(str.encode), st.sampled_from([b"\x03\xe8ok", b"x" * 130])
    ),
    final=st.booleans(),
    bits=st.sampled_from([0, 0, 0, 0, 0x40, 0x10]),
    mask=st.sampled_from([True, True, True, True, False]),
)


def read_by_wsproto(sent: list[bytes]) -> list[Item]:
    """What wsproto finds: messages, control frames, a close without its payload, a fault with only its code."""
    other = FrameProtocol(client=False, extensions=[])
    items: list[Item] = []
    message = b""
    try:
        for frame in sent:
            other.receive_bytes(frame)
            for found in other.received_frames():
                payload = found.payload.encode() if isinstance(found.payload, str) else found.payload
                if found.opcode == CLOSE:
                    return [*items, (CLOSE, b"")]
                assert isinstance(payload, (bytes, bytearray))
                if found.opcode in (PING, PONG):
                    items.append((found.opcode, bytes(payload)))
                    continue
                message += payload
                if found.message_finished:
                    items.append((found.opcode, message))
                    message = b""
    except ParseFailed as error:
        items.append((FAULT, int(error.code).to_bytes(2, "big")))
    return items


@given(st.lists(any_frame, max_size=6))
def test_wsproto_gives_the_same_messages_and_calls_the_same_things_illegal(sent: list[bytes]) -> None:
    length = {CLOSE: 0, FAULT: 2}

    assert [(opcode, payload[: length.get(opcode)]) for opcode, payload in read(*sent)] == read_by_wsproto(sent)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_unmasking_twice_changes_nothing(payload: bytes, key: bytes) -> None:
    assert frames.unmask(key, payload) == masked(payload, key)
    assert frames.unmask(key, frames.unmask(key, payload)) == payload


# -- what a server writes


@given(st.sampled_from([TEXT, BINARY, CLOSE, PING, PONG]), st.binary(max_size=300))
def test_a_frame_we_write_is_whole_unmasked_and_short_in_its_header(opcode: int, payload: bytes) -> None:
    assert server_frames(frames.frame(opcode, payload)) == [(opcode, payload)]


@pytest.mark.parametrize("length", [125, 126, 65_535, 65_536, 100_000])
def test_lengths_are_written_in_their_shortest_form(length: int) -> None:
    assert server_frames(frames.frame(BINARY, b"x" * length)) == [(BINARY, b"x" * length)]


@given(st.integers(3000, 4999), st.text(max_size=200))
def test_a_close_payload_is_always_one_that_a_peer_may_read(code: int, reason: str) -> None:
    payload = frames.close_payload(code, reason)

    assert len(payload) <= 125
    assert read(client_frame(CLOSE, payload)) == [(CLOSE, payload)]
    assert reason.startswith(payload[2:].decode())


def test_every_code_we_send_is_one_a_peer_may_receive() -> None:
    assert all(may_be_received(code) for code in Close)
