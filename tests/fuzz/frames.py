"""What a hostile client writes once the socket is open: frames that are nearly right, not right at all, or too many.

Everything comes from one random.Random, so that a seed gives the same bytes again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from tests.frame_bytes import BINARY, CLOSE, PING, PONG, TEXT, client_frame

KINDS = ("send", "typing", "ping", "rename", "history", "edit", "delete", "reaction", "read", "", "__proto__", None, 7)
FIELDS = ("message", "ref", "type", "name", "before", "limit", "target", "emoji", "on", "id", "session", "\ud800", "")
Burst = tuple[list[bytes], bool]
LARGEST = 70_000  # bytes of a payload: a little over the largest message


def burst(random: Random) -> Burst:
    """One frame or a few that belong together; and whether they may be the last that the server reads."""
    (make,) = random.choices([make for make, _ in WEIGHTS], [weight for _, weight in WEIGHTS])
    return make(random)


def hostile_json(random: Random) -> bytes:
    """JSON as nobody writes it, or nearly JSON."""
    kind = random.randrange(12)
    if kind < 5:
        return _text(_command(random))
    if kind == 5:
        depth = random.choice((5, 100, 1000, 20_000))
        return b'{"message":' + b"[" * depth + b"]" * random.choice((depth, depth - 1, 0)) + b"}"
    if kind == 6:
        number = random.choice((b"9" * 5000, b"1e999999", b"-0", b"1." + b"0" * 9000, b"NaN", b"-Infinity", b"1e-400"))
        return b'{"type":"history","before":"1-0","limit":' + number + b"}"
    if kind == 7:
        return b'{"message":"a",' * random.choice((1, 2, 2000)) + b'"message":"b"}'
    if kind == 8:
        return b'{"type":"send","ref":"' + _escapes(random) + b'","message":"' + _escapes(random) + b'"}'
    if kind == 9:
        return (
            b'{"message":"' + random.choice(("\u0301", "\u202e", "\u200d", "﷽", "\U000e0041")).encode() * 3000 + b'"}'
        )
    return _mutated(random, _text(_command(random)))


def _command(random: Random) -> object:
    if random.random() < 0.05:
        return random.choice(([], "x", 1, None, True, [[]], [{}]))
    fields: dict[str, object] = {"type": random.choice(KINDS)}
    for _ in range(random.randrange(6)):
        fields[random.choice(FIELDS)] = _value(random)
    return fields


def _value(random: Random) -> object:
    values: tuple[Callable[[], object], ...] = (
        lambda: random.choice((None, True, False, 0, -1, 2**63, 2**64, 10**400, 0.5, 1e308, [], {}, [[]], {"a": {}})),
        lambda: random.choice(
            ("", "x", "0-0", "1-0", "9" * 16 + "-" + "9" * 16, "1-0\n", "-", "\x00", "\u202e", "lobby")
        ),
        lambda: "x" * random.choice((1, 64, 65, 4000, 4001, 60_000)),
        lambda: "".join(chr(random.randrange(0x20, 0xD7FF)) for _ in range(random.randrange(40))),
        lambda: random.randrange(-5, 600),
    )
    return random.choice(values)()


def _text(fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=True).encode()


def _escapes(random: Random) -> bytes:
    return b"".join(
        random.choice((rb"\ud800", rb"\udc00", rb"\ud83d\ude42", rb"\u0000", rb"\x", b"\\")) for _ in range(4)
    )


def _mutated(random: Random, data: bytes) -> bytes:
    """*data* with some bytes flipped, cut out, doubled or put in."""
    mutant = bytearray(data or b"{}")
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(mutant) + 1)
        match random.randrange(4):
            case 0:
                mutant[at : at + 1] = random.randbytes(1)
            case 1:
                del mutant[at : at + random.randrange(1, 8)]
            case 2:
                mutant[at:at] = mutant[at : at + random.randrange(1, 30)]
            case _:
                mutant[at:at] = random.choice((b'"', b"{", b"\xff", b"\xed\xa0\x80", b"\\u", b",", b"\xf4\x90\x80\x80"))
    return bytes(mutant)


# -- bursts


def _message(random: Random) -> Burst:
    payload = hostile_json(random)[:LARGEST]
    return [client_frame(TEXT, payload)], _is_broken(payload)


def _fragments(random: Random) -> Burst:
    payload = hostile_json(random)[:4000]
    cuts = sorted(random.randrange(len(payload) + 1) for _ in range(random.randrange(1, 6)))
    parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    frames: list[bytes] = []
    for number, part in enumerate(parts):
        frames.append(client_frame(0 if number else TEXT, part, final=number == len(parts) - 1))
        if random.random() < 0.2:
            frames.append(client_frame(PING, random.randbytes(random.randrange(126))))
    return frames, _is_broken(payload)


def _control(random: Random) -> Burst:
    return [client_frame(random.choice((PING, PONG)), random.randbytes(random.randrange(126))) for _ in range(3)], False


def _binary(random: Random) -> Burst:
    return [client_frame(BINARY, random.randbytes(random.randrange(300)))], True


def _goodbye(random: Random) -> Burst:
    code = random.choice((1000, 1001, 1005, 1006, 1015, 999, 2999, 3000, 4999, 5000, 65535)).to_bytes(2, "big")
    return [
        client_frame(CLOSE, random.choice((b"", b"\x03", code, code + b"bye", code + b"\xff", code + b"x" * 130)))
    ], True


def _wrong_header(random: Random) -> Burst:
    frame = client_frame(
        random.choice((3, 4, 7, 11, 15, 0, TEXT, PING)),
        random.randbytes(random.choice((0, 5, 126, 200))),
        final=random.random() < 0.5,
        bits=random.choice((0, 0x40, 0x20, 0x10, 0x70)),
        mask=random.random() < 0.5,
    )
    return [frame], True


def _huge_length(random: Random) -> Burst:
    length = random.choice((65_537, 2**24, 2**31, 2**32 + 5, 2**40, 2**63 - 1, 2**63, 2**64 - 1, 5))
    head = bytes((0x80 | random.choice((TEXT, BINARY)), 0xFF)) + length.to_bytes(8, "big")
    return [head + random.randbytes(random.randrange(400))], True


def _garbage(random: Random) -> Burst:
    return [random.randbytes(random.randrange(1, 2000))], True


def _mutant(random: Random) -> Burst:
    return [_mutated(random, client_frame(TEXT, hostile_json(random)[:500]))], True


def _half(random: Random) -> Burst:
    frame = client_frame(TEXT, hostile_json(random)[:1000])
    return [frame[: random.randrange(1, len(frame))]], True


def _tiny_fragments(random: Random) -> Burst:
    count = random.randrange(1, 100)
    return [client_frame(TEXT, final=False), *[client_frame(0, final=False)] * count, client_frame(0)], False


def _is_broken(payload: bytes) -> bool:
    if len(payload) > 65_536:
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return True
    return False


WEIGHTS = (
    (_message, 60), (_fragments, 12), (_control, 6), (_tiny_fragments, 1), (_binary, 1), (_goodbye, 2),
    (_wrong_header, 2), (_huge_length, 2), (_garbage, 2), (_mutant, 6), (_half, 1),
)  # fmt: skip
