"""RFC 6455 as bytes: what the reader gives for what a client may send, and what it says to everything else."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp import frames
from chat_aiohttp.closing import Close
from chat_aiohttp.frames import DONE, FRAMES_AT_ONCE, FrameReader, Item, read_frames
from tests.frame_bytes import BINARY, CLOSE, PING, PONG, TEXT, client_frame
from tests.frame_reads import MAX, byte_by_byte, fault, read

HELLO = "Hello, Wörld 🎉".encode()


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

    assert read_frames(None, whole, MAX) == ([(TEXT, HELLO)], None, 1)
    _, reader, _ = read_frames(None, whole[:-1], MAX)
    assert reader is not None
    assert read_frames(reader, whole[-1:], MAX) == ([(TEXT, HELLO)], None, 1)
    _, reader, _ = read_frames(None, client_frame(TEXT, HELLO, final=False), MAX)
    assert reader is not None
    assert read_frames(reader, client_frame(0, b""), MAX) == ([(TEXT, HELLO)], None, 1)


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
    items, reader, _ = read_frames(None, client_frame(TEXT, b"a") + last + client_frame(TEXT, b"b"), MAX)
    assert [opcode for opcode, _ in items] == [TEXT, items[-1][0]]
    assert reader is DONE

    _, reader, _ = read_frames(None, last, MAX)
    assert reader is DONE
    for garbage in (client_frame(TEXT, b"c"), client_frame(CLOSE), b"\xff" * 100_000):
        assert read_frames(reader, garbage, MAX) == ([], DONE, 0)
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
            found, reader, _ = read_frames(reader, byte, MAX)
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
    _, reader, _ = read_frames(None, client_frame(TEXT, b"x", final=False), MAX)

    tracemalloc.start()
    try:
        for _ in range(20_000):
            _, reader, _ = read_frames(reader, fragment, MAX)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 60_000
    assert read_frames(reader, client_frame(0, b"!"), MAX)[0] == [(TEXT, b"x" * 20_001 + b"!")]


def test_endless_empty_fragments_cost_nothing() -> None:
    empty = client_frame(0, b"", final=False) * FRAMES_AT_ONCE
    _, reader, _ = read_frames(None, client_frame(TEXT, b"", final=False), MAX)

    tracemalloc.start()
    try:
        for _ in range(20_000 // FRAMES_AT_ONCE):
            _, reader, count = read_frames(reader, empty, MAX)
            assert count == FRAMES_AT_ONCE
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


def test_a_read_of_very_many_frames_is_taken_in_steps_that_lose_nothing() -> None:
    said = [b"%d" % number for number in range(FRAMES_AT_ONCE + 5)]

    first, reader, count = read_frames(None, b"".join(client_frame(TEXT, text) for text in said), MAX)
    second, rest, last = read_frames(reader, b"", MAX)

    assert (count, last, rest) == (FRAMES_AT_ONCE, 5, None)
    assert [payload for _, payload in first + second] == said
