"""RFC 6455 frames, sans I/O: bytes in, messages out; and the frames a server writes. Layer 0: pure.

`FrameReader` holds what is unfinished on one connection. It is made when a read ends inside a frame or a fragmented
message and dropped when both are whole again, so that an idle connection costs no parser: `read_frames` takes the
reader or None and gives back the reader or None.

What a client may not do becomes the last item, a FAULT with the close code RFC 6455 asks for; what came before it in
the same bytes is still delivered. Sizes are checked from the header, before anything is buffered. Extensions are
never negotiated, so every reserved bit is a fault (section 5.2). Client frames must be masked (5.1)."""

from __future__ import annotations

import codecs
from struct import Struct
from typing import Final

from chat_aiohttp.closing import Close, may_be_received

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
FAULT: Final = -1  # not an opcode: the connection failed; the payload is `close_payload(code, reason)`

Item = tuple[int, bytes]
"""(TEXT | BINARY | CLOSE | PING | PONG | FAULT, payload). Text is valid UTF-8, a close payload empty or well formed."""

_LENGTH_16 = Struct("!H")
_HEAD_16 = Struct("!BBH")
_LENGTH_64 = Struct("!Q")
_CODE = Struct("!H")
_MAX_CONTROL = 125
FRAMES_AT_ONCE: Final = 32  # per call: whoever sends thousands of tiny ones in one read is looked at in between
_new_utf8 = codecs.getincrementaldecoder("utf-8")


class FrameReader:
    """What one connection has begun and not finished: bytes of a frame, fragments of a message."""

    __slots__ = ("buffer", "message", "needed", "opcode", "utf8")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.needed = 2  # bytes the buffer must hold before parsing can go on: keeps a large frame's cost linear
        self.opcode = CONTINUATION  # of the message whose fragments are under way; CONTINUATION: none is
        self.message = bytearray()  # its fragments so far; a list of them costs 60 times their size when they are tiny
        self.utf8: codecs.IncrementalDecoder | None = None


DONE: Final = FrameReader()
"""The reader of a connection that has had its FAULT or CLOSE: whatever still comes is not looked at."""


Read = tuple[list[Item], FrameReader | None, int]
"""(what was completed, the reader to go on with, how many frames were read)"""


class _Fault(Exception):
    def __init__(self, code: Close, reason: str) -> None:
        self.item: Item = (FAULT, close_payload(code, reason))


def read_frames(reader: FrameReader | None, data: bytes, max_size: int) -> Read:
    """The items that *data* completes, the reader to go on with (None: nothing is unfinished), and how many frames
    were read. When those are FRAMES_AT_ONCE, the reader may hold more whole ones: call again, with no data.

    *max_size* bounds a message in bytes, fragments together; beyond it the fault is 1009. After a FAULT or a CLOSE
    the reader is DONE and nothing further is read: what follows is the peer's problem (sections 5.5.1 and 7.1.7).
    """
    if reader is None:
        # The common case by far: one read holds exactly one small masked text frame.
        length = len(data)
        if length > 6 and data[0] == 0x81 and 0x80 < data[1] < 0xFE and length == data[1] - 122:
            payload = unmask(data[2:6], data[6:])
            if payload.isascii() or _is_utf8(payload):
                return ([(TEXT, payload)], None, 1) if length - 6 <= max_size else ([_too_big(max_size).item], DONE, 1)
            return [_not_utf8().item], DONE, 1
        reader = FrameReader()
    return _read(reader, data, max_size)


def _read(reader: FrameReader, data: bytes, max_size: int) -> Read:
    items: list[Item] = []
    if reader is DONE:
        return items, DONE, 0
    buffer = reader.buffer
    buffer += data
    start = count = 0
    try:
        while count < FRAMES_AT_ONCE and len(buffer) - start >= reader.needed:
            end, first, payload = _next_frame(reader, start, max_size)
            if end < 0:
                break
            start = end
            count += 1
            item = _take(reader, first, payload, max_size)
            if item is not None:
                items.append(item)
                if item[0] == CLOSE:
                    return items, DONE, count
    except _Fault as fault:
        items.append(fault.item)
        return items, DONE, count
    del buffer[:start]
    if buffer or reader.opcode:
        return items, reader, count
    return items, None, count


def _next_frame(reader: FrameReader, start: int, max_size: int) -> tuple[int, int, bytes]:
    """(where the frame at *start* ends, its first byte, its payload); (-1, …), with `needed` set, if it isn't whole."""
    buffer = reader.buffer
    first, second = buffer[start], buffer[start + 1]
    length = second & 0x7F
    head = start + 2
    _check_header(reader, first, second)
    if length > _MAX_CONTROL:
        width = 2 if length == 126 else 8
        if len(buffer) < head + width:
            reader.needed = 2 + width
            return -1, 0, b""
        length = (_LENGTH_16 if width == 2 else _LENGTH_64).unpack_from(buffer, head)[0]
        _check_length(length, width)
        head += width
    if length + len(reader.message) > max_size and not first & 0x8:
        raise _too_big(max_size)
    end = head + 4 + length
    if len(buffer) < end:
        reader.needed = end - start
        return -1, 0, b""
    reader.needed = 2
    return end, first, unmask(bytes(buffer[head : head + 4]), bytes(buffer[head + 4 : end]))


def _check_header(reader: FrameReader, first: int, second: int) -> None:
    if first & 0x70:
        raise _Fault(Close.PROTOCOL_ERROR, "a reserved bit is set")
    if not second & 0x80:
        raise _Fault(Close.PROTOCOL_ERROR, "a client's frame must be masked")
    opcode = first & 0x0F
    if opcode in (TEXT, BINARY):
        if reader.opcode:
            raise _Fault(Close.PROTOCOL_ERROR, "a new message began before the last one ended")
    elif opcode == CONTINUATION:
        if not reader.opcode:
            raise _Fault(Close.PROTOCOL_ERROR, "a continuation of nothing")
    elif opcode not in (CLOSE, PING, PONG):
        raise _Fault(Close.PROTOCOL_ERROR, f"opcode {opcode} is reserved")
    elif not first & 0x80:
        raise _Fault(Close.PROTOCOL_ERROR, "a control frame can't be fragmented")
    elif second & 0x7F > _MAX_CONTROL:
        raise _Fault(Close.PROTOCOL_ERROR, "a control frame holds at most 125 bytes")


def _check_length(length: int, width: int) -> None:
    # Section 5.2: "the minimal number of bytes MUST be used", and the highest bit of eight must be 0.
    if length < 126 or (width == 8 and not 65_536 <= length < 1 << 63):
        raise _Fault(Close.PROTOCOL_ERROR, "a length not written in its shortest form")


def _take(reader: FrameReader, first: int, payload: bytes, max_size: int) -> Item | None:
    opcode = first & 0x0F
    if opcode >= CLOSE:
        return opcode, _checked_close(payload) if opcode == CLOSE else payload
    final = bool(first & 0x80)
    if final and opcode:
        if opcode == TEXT and not payload.isascii() and not _is_utf8(payload):
            raise _not_utf8()
        return opcode, payload
    if opcode:
        reader.opcode = opcode
        reader.utf8 = _new_utf8() if opcode == TEXT else None
    return _take_fragment(reader, payload, final)


def _take_fragment(reader: FrameReader, payload: bytes, final: bool) -> Item | None:
    # Checked as they come: a long message of garbage should not be gathered first (Autobahn 6.4: fail fast).
    if reader.utf8 is not None:
        try:
            reader.utf8.decode(payload, final)
        except UnicodeDecodeError:
            raise _not_utf8() from None
    reader.message += payload
    if not final:
        return None
    item = reader.opcode, bytes(reader.message)
    reader.opcode, reader.message, reader.utf8 = CONTINUATION, bytearray(), None
    return item


def _checked_close(payload: bytes) -> bytes:
    if not payload:
        return payload
    if len(payload) == 1 or not may_be_received(_CODE.unpack_from(payload)[0]):
        raise _Fault(Close.PROTOCOL_ERROR, "a close frame with an impossible code")
    if not _is_utf8(payload[2:]):
        raise _not_utf8()
    return payload


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _not_utf8() -> _Fault:
    return _Fault(Close.INVALID_DATA, "text must be UTF-8")


def _too_big(max_size: int) -> _Fault:
    return _Fault(Close.TOO_BIG, f"a message may have at most {max_size} bytes")


def unmask(key: bytes, payload: bytes) -> bytes:
    """*payload* XORed with the 4-byte *key* (section 5.3). As one big integer: the fastest way without an extension."""
    length = len(payload)
    keys = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(length, "little")


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole unmasked frame, as a server writes it."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, length)) + payload
    if length < 65536:
        return _HEAD_16.pack(0x80 | opcode, 126, length) + payload
    return bytes((0x80 | opcode, 127)) + _LENGTH_64.pack(length) + payload


def close_payload(code: int, reason: str = "") -> bytes:
    """What a close frame carries: the code and up to 123 bytes of reason, cut between characters."""
    return _CODE.pack(code) + reason.encode()[:123].decode(errors="ignore").encode()


def close_code(payload: bytes) -> int:
    """The code a close payload carries; 1005 when it is empty (section 7.1.5)."""
    code: int = _CODE.unpack_from(payload)[0] if len(payload) >= 2 else 1005
    return code
