"""docs/protocol.md says what the code does: every literal frame decodes, every code is there, no limit has drifted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import chat_aiohttp
from chat_aiohttp import commands, hub, rich
from chat_aiohttp.closing import Close, should_return
from chat_aiohttp.config import Config
from chat_aiohttp.events import DELETE, EDIT, EMOJI_MOST, MESSAGE, REACTION, parse_id
from chat_aiohttp.switchboard import PING_S
from chat_aiohttp.web import socket

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")

EVENTS = {MESSAGE, EDIT, DELETE, REACTION}
ANSWERS = {
    "welcome",
    "live",
    "ack",
    "history",
    "got",
    "presence",
    "presence-diff",
    "typing",
    "gap",
    "error",
    "going-away",
    "pong",
}
IDS = ("id", "position", "before", "target", "after")


def literal_frames(who: str) -> list[str]:
    """The literal frames of the blocks marked *who*, one a line."""
    blocks = re.findall(rf"```json {who}\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_literal_frame_stands_in_a_marked_block() -> None:
    marks = re.findall(r"^```(.+)$", PAGE, re.MULTILINE)

    assert set(marks) == {"json client", "json client v1", "json server", "json server v1", "json server v1 search"}


@pytest.mark.parametrize("text", literal_frames("client"))
def test_what_a_plain_client_sends_decodes(text: str) -> None:
    commands.decode_plain(text.encode(), 4000)


@pytest.mark.parametrize("text", literal_frames("client v1"))
def test_what_a_v1_client_sends_decodes(text: str) -> None:
    commands.decode_v1(text.encode(), 4000)


@pytest.mark.parametrize("text", literal_frames("server"))
def test_what_a_plain_client_gets_is_a_message_or_an_error(text: str) -> None:
    fields = json.loads(text)

    assert fields.get("type") == MESSAGE or {"error", "message", "retryable"} <= fields.keys()
    check_ids(fields)


@pytest.mark.parametrize("text", literal_frames("server v1"))
def test_what_a_v1_client_gets_has_a_known_type(text: str) -> None:
    fields = json.loads(text)

    assert fields["type"] in EVENTS | ANSWERS
    check_ids(fields)
    if fields["type"] in EVENTS:
        assert fields["time"] == parse_id(fields["id"]).ms


def check_ids(fields: dict[str, object]) -> None:
    for name in IDS:
        if name in fields:
            parse_id(str(fields[name]))


def test_every_type_a_v1_client_may_get_is_on_the_page() -> None:
    assert {json.loads(text)["type"] for text in literal_frames("server v1")} == EVENTS | ANSWERS


def test_every_error_code_in_the_code_is_on_the_page_and_the_other_way_round() -> None:
    table = PAGE.split("## Error codes")[1].split("## Closing")[0]
    told = {code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)}

    package = Path(chat_aiohttp.__file__).parent
    names = ("commands", "events", "texts", "hub", "reception", "speech", "gate", "changes", "may")
    sources = [package / f"{name}.py" for name in names]
    sources += (package / "store").glob("*.py")
    raised = set()
    for source in sources:
        raised |= set(
            re.findall(r'\b(?:BadInput|Refused|Limited|Unknown|_too_fast)\(\s*"(\w+)"', source.read_text("utf-8"))
        )

    before_the_socket_opens = {"draining", "room_full"}
    assert raised - before_the_socket_opens <= told
    assert told - raised <= {"gap"}


def test_every_reason_for_refusing_a_handshake_is_on_the_page() -> None:
    package = Path(chat_aiohttp.__file__).parent
    told = set(re.findall(r"`(\w+)`", PAGE.split("`X-Error-Code` why:")[1].split("\n\n")[0]))

    for source in ("addresses.py", "gate.py", "web/socket.py"):
        codes = set(re.findall(r'\bLimited\(\s*"(\w+)"', (package / source).read_text("utf-8")))
        assert codes
        assert codes <= told


def test_every_close_code_is_on_the_page_with_whether_to_come_back() -> None:
    table = PAGE.split("## Closing")[1]
    told: dict[int, bool] = {}
    for codes, back in re.findall(r"^\| ([\d, ]+) \|.*\| (yes|no)[^|]*\|$", table, re.MULTILINE):
        told |= {int(code): back == "yes" for code in codes.split(",")}

    assert told == {int(code): should_return(code) for code in Close}


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    limits = Config().limits
    welcome = next(json.loads(text) for text in literal_frames("server v1") if '"welcome"' in text)

    assert welcome["limits"]["message"] == limits.message_chars == hub.HubRules().message_chars == 4000
    assert welcome["limits"]["frame"] == limits.frame_bytes == hub.HubRules().frame_bytes == 64 * 1024
    assert welcome["ping"] == PING_S
    assert f"at most {socket.MAX_HISTORY})" in PAGE
    assert f"up to {commands.MAX_GET} messages by their ids" in PAGE
    assert f"at most\n{EMOJI_MOST} different emoji" in PAGE
    assert f"more than {rich.MARKS_MOST} marks, {rich.LINES_MOST} lines or {rich.ADDRESSES_MOST} addresses" in PAGE
    assert f"more than {rich.DEPTH_MOST} lists" in PAGE
    assert f"over {limits.message_chars:,} characters" in PAGE
