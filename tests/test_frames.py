"""RFC 6455 as bytes: what the reader gives for what a client may send, and what it says to everything else.

The bytes are spelt out by frame_bytes.py; `wsproto` is the second opinion on what is legal.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, ParseFailed

from chat_aiohttp import frames
from chat_aiohttp.closing import Close, may_be_received
from chat_aiohttp.frames import DONE, FAULT, FrameReader, Item, read_frames
from tests.frame_bytes import BINARY, CLOSE, PING, PONG, TEXT, client_frame, masked, server_frames

MAX = 65_536
HELLO = "Hello, Wörld 🎉".encode()


def read(*parts: bytes, max_size: int = MAX) -> list[Item]:
    """The items of a connection whose reads are *parts*."""
    reader: FrameReader | None = None
    items: list[Item] = []
    for part in parts:
        found, reader = read_frames(reader, part, max_size)
        items += found
    return items


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def fault(items: list[Item]) -> int:
    """The code of the fault that *items* ends with, which must be its only one."""
    assert [opcode for opcode, _ in items].count(FAULT) == 1
    assert items[-1][0] == FAULT
    return frames.close_code(items[-1][1])


# -- what is legal


def test_the_rfcs_own_example_of_a_masked_hello() -> None:
    assert read(bytes((0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58))) == [(TEXT, b"Hello")]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_every_way_to_write_a_length(opcode: int, length: int) -> None:
    payload = b"abcdefg" * (length // 7) + b"z" * (length % 7)

    data = client_frame(opcode, payload)

    assert read(data) == [(opcode, payload)]
    assert read(data[:3], data[3:]) == [(opcode, payload)]


@pytest.mark.parametrize("parts", [1, 2, 3, len(HELLO)])
def test_fragments_become_one_message_with_control_frames_in_between(parts: int) -> None:
    size = -(-len(HELLO) // parts)
    pieces = [HELLO[start : start + size] for start in range(0, len(HELLO), size)]

    data = b""
    for place, piece in enumerate(pieces):
        data += client_frame(0 if place else TEXT, piece, final=place == len(pieces) - 1)
        data += client_frame(PING, b"%d" % place)

    items = read(data)
    assert [item for item in items if item[0] == TEXT] == [(TEXT, HELLO)]
    assert [payload for opcode, payload in items if opcode == PING] == [b"%d" % place for place in range(len(pieces))]
    assert items == read(*byte_by_byte(data))


def test_empty_fragments_are_legal() -> None:
    data = client_frame(TEXT, b"", final=False) + client_frame(0, b"", final=False) * 3 + client_frame(0, b"")

    assert read(data) == [(TEXT, b"")]


def test_nothing_is_kept_for_a_connection_that_finished_what_it_began() -> None:
    whole = client_frame(TEXT, HELLO)

    assert read_frames(None, whole, MAX) == ([(TEXT, HELLO)], None)
    _, reader = read_frames(None, whole[:-1], MAX)
    assert reader is not None
    assert read_frames(reader, whole[-1:], MAX) == ([(TEXT, HELLO)], None)
    _, reader = read_frames(None, client_frame(TEXT, HELLO, final=False), MAX)
    assert reader is not None
    assert read_frames(reader, client_frame(0, b""), MAX) == ([(TEXT, HELLO)], None)


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_control_frames_carry_up_to_125_bytes(opcode: int) -> None:
    for payload in (b"", b"\xff\x00", b"x" * 125):
        assert read(client_frame(opcode, payload)) == [(opcode, payload)]


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
def test_a_close_frame_with_a_code_a_peer_may_send(code: int) -> None:
    payload = code.to_bytes(2, "big") + "tschüß".encode()

    assert read(client_frame(CLOSE, payload)) == [(CLOSE, payload)]
    assert frames.close_code(payload) == code


def test_a_close_frame_without_a_code() -> None:
    assert read(client_frame(CLOSE)) == [(CLOSE, b"")]
    assert frames.close_code(b"") == 1005


# -- what is not


@pytest.mark.parametrize("bits", [0x40, 0x20, 0x10, 0x70])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_a_reserved_bit_is_a_fault(opcode: int, bits: int) -> None:
    assert fault(read(client_frame(opcode, b"", bits=bits))) == Close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_a_reserved_opcode_is_a_fault(opcode: int) -> None:
    assert fault(read(client_frame(opcode, b"x"))) == Close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_an_unmasked_frame_is_a_fault(opcode: int) -> None:
    assert fault(read(client_frame(opcode, b"", mask=False))) == Close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_a_control_frame_is_neither_fragmented_nor_long(opcode: int) -> None:
    assert fault(read(client_frame(opcode, b"", final=False))) == Close.PROTOCOL_ERROR
    assert fault(read(client_frame(opcode, b"x" * 126)[:4])) == Close.PROTOCOL_ERROR


def test_fragments_out_of_place_are_faults() -> None:
    began = client_frame(TEXT, b"a", final=False)

    assert fault(read(client_frame(0, b"a"))) == Close.PROTOCOL_ERROR
    assert fault(read(client_frame(0, b"a", final=False))) == Close.PROTOCOL_ERROR
    assert fault(read(began + client_frame(TEXT, b"b"))) == Close.PROTOCOL_ERROR
    assert fault(read(began + client_frame(BINARY, b"b", final=False))) == Close.PROTOCOL_ERROR
    assert fault(read(began + client_frame(0, b"b") + client_frame(0, b"c"))) == Close.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "payload",
    [b"\x03", *(code.to_bytes(2, "big") for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535))],
)
def test_a_close_frame_no_peer_may_send(payload: bytes) -> None:
    assert fault(read(client_frame(CLOSE, payload))) == Close.PROTOCOL_ERROR


def test_a_close_reason_must_be_utf8() -> None:
    assert fault(read(client_frame(CLOSE, b"\x03\xe8\xff\xff"))) == Close.INVALID_DATA


@pytest.mark.parametrize(
    "head",
    [
        b"\x81\xfe\x00\x7d",
        b"\x81\xfe\x00\x00",
        b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x7d",
        b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff",
        b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00",
    ],
)
def test_a_length_is_written_in_its_shortest_form(head: bytes) -> None:
    assert fault(read(head)) == Close.PROTOCOL_ERROR
    assert fault(read(*byte_by_byte(head))) == Close.PROTOCOL_ERROR


BROKEN_UTF8 = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"a\xc3"]


@pytest.mark.parametrize("text", BROKEN_UTF8)
def test_text_that_is_not_utf8_is_a_fault_whole_or_in_fragments(text: bytes) -> None:
    pieces = byte_by_byte(text)
    fragmented = [client_frame(0 if place else TEXT, piece, final=False) for place, piece in enumerate(pieces)]

    assert fault(read(client_frame(TEXT, text))) == Close.INVALID_DATA
    assert fault(read(client_frame(TEXT, b"x" * 200 + text))) == Close.INVALID_DATA
    assert fault(read(*fragmented, client_frame(0, b""))) == Close.INVALID_DATA
    assert read(client_frame(BINARY, text)) == [(BINARY, text)]


def test_a_fragment_that_can_never_be_utf8_is_a_fault_before_the_message_ends() -> None:
    assert fault(read(client_frame(TEXT, b"abc\xff", final=False))) == Close.INVALID_DATA


@given(st.text(min_size=1, max_size=40), st.data())
def test_a_character_may_be_cut_anywhere_between_fragments(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    sent = [
        client_frame(0 if place else TEXT, piece, final=place == len(pieces) - 1) for place, piece in enumerate(pieces)
    ]

    assert read(b"".join(sent)) == [(TEXT, whole)]


# -- after the end


@pytest.mark.parametrize(
    "last", [client_frame(CLOSE), client_frame(3), client_frame(TEXT, b"\xff"), client_frame(TEXT, b"\xff" * 200)]
)
def test_what_comes_after_the_end_is_not_looked_at(last: bytes) -> None:
    items, reader = read_frames(None, client_frame(TEXT, b"a") + last + client_frame(TEXT, b"b"), MAX)
    assert [opcode for opcode, _ in items] == [TEXT, items[-1][0]]
    assert reader is DONE

    _, reader = read_frames(None, last, MAX)
    assert reader is DONE
    for garbage in (client_frame(TEXT, b"c"), client_frame(CLOSE), b"\xff" * 100_000):
        assert read_frames(reader, garbage, MAX) == ([], DONE)
    assert not DONE.buffer


# -- sizes


def test_a_message_of_exactly_the_limit_passes_and_one_more_byte_does_not() -> None:
    assert read(client_frame(TEXT, b"x" * 1000), max_size=1000) == [(TEXT, b"x" * 1000)]
    assert fault(read(client_frame(TEXT, b"x" * 1001), max_size=1000)) == Close.TOO_BIG
    assert fault(read(client_frame(TEXT, b"x" * 11), max_size=10)) == Close.TOO_BIG


def test_a_size_is_refused_by_its_header_before_anything_is_buffered() -> None:
    for head in (b"\x81\xff" + (MAX + 1).to_bytes(8, "big"), b"\x82\xff" + (2**63 - 1).to_bytes(8, "big")):
        reader: FrameReader | None = None
        items: list[Item] = []
        for byte in byte_by_byte(head):
            found, reader = read_frames(reader, byte, MAX)
            items += found

        assert fault(items) == Close.TOO_BIG


def test_fragments_count_together_and_control_frames_do_not() -> None:
    half = client_frame(TEXT, b"x" * 500, final=False)

    assert read(half, client_frame(PING, b"y" * 125), client_frame(0, b"x" * 500), max_size=1000)[-1] == (
        TEXT,
        b"x" * 1000,
    )
    assert fault(read(half, client_frame(0, b"x" * 501)[:4], max_size=1000)) == Close.TOO_BIG
    assert fault(read(half, *[client_frame(0, b"x" * 100, final=False)] * 6, max_size=1000)) == Close.TOO_BIG


def test_a_second_message_has_the_whole_limit_again() -> None:
    message = client_frame(TEXT, b"x" * 600, final=False) + client_frame(0, b"x" * 400)

    assert read(message * 3, max_size=1000) == [(TEXT, b"x" * 1000)] * 3


def test_twenty_thousand_fragments_of_a_byte_cost_little_more_than_their_bytes() -> None:
    fragment = client_frame(0, b"x", final=False)
    _, reader = read_frames(None, client_frame(TEXT, b"x", final=False), MAX)

    tracemalloc.start()
    try:
        for _ in range(20_000):
            _, reader = read_frames(reader, fragment, MAX)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 60_000
    assert read_frames(reader, client_frame(0, b"!"), MAX)[0] == [(TEXT, b"x" * 20_001 + b"!")]


def test_endless_empty_fragments_cost_nothing() -> None:
    empty = client_frame(0, b"", final=False) * 1000
    _, reader = read_frames(None, client_frame(TEXT, b"", final=False), MAX)

    tracemalloc.start()
    try:
        for _ in range(20):
            _, reader = read_frames(reader, empty, MAX)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 20_000


def seconds_for(data: bytes, step: int, expected: int) -> float:
    """CPU seconds to read *data* in reads of *step* bytes, which must give one message of *expected* bytes."""
    started = time.process_time()
    items = read(*(data[start : start + step] for start in range(0, len(data), step)), max_size=1 << 25)
    took = time.process_time() - started
    assert [(opcode, len(payload)) for opcode, payload in items] == [(BINARY, expected)]
    return took


def test_a_large_message_in_small_reads_costs_in_proportion_to_its_size() -> None:
    small, large = 1 << 21, 1 << 24

    # Eight times the bytes: eight times the work if linear, sixty-four times if not.
    base = min(seconds_for(client_frame(BINARY, b"x" * small), 16_384, small) for _ in range(3))
    assert seconds_for(client_frame(BINARY, b"x" * large), 16_384, large) < 24 * base + 0.05


def test_many_fragments_cost_in_proportion_to_their_number() -> None:
    def message(count: int) -> bytes:
        middle = client_frame(0, b"x" * 1000, final=False) * count
        return client_frame(BINARY, b"", final=False) + middle + client_frame(0, b"")

    base = min(seconds_for(message(2000), 16_384, 2_000_000) for _ in range(3))
    assert seconds_for(message(16_000), 16_384, 16_000_000) < 20 * base + 0.05


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
