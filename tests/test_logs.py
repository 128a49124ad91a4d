"""What a log line looks like to a person, a collector and journald, and what can't be smuggled into it."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from chat_aiohttp.config import LogTable
from chat_aiohttp.logs import chosen_format, configure

HOSTILE = "a\nFORGED\r\x1b[2J\u202e\u2028\ud800é会"
ESCAPED = "a\\nFORGED\\r\\x1b[2J\\u202e\\u2028\\ud800é会"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)


def logged(shape: Literal["text", "json", "journal"], *, fail: bool = False, level: str = "info") -> list[str]:
    stream = io.StringIO()
    configure(msgspec.convert({"level": level, "format": shape}, LogTable), stream, {})
    log = logging.getLogger("chat_aiohttp.test")
    if not fail:
        log.warning("said %s", HOSTILE)
        log.debug("only when asked for")
    else:
        try:
            raise RuntimeError(HOSTILE)
        except RuntimeError:
            log.exception("failed")
    stream.getvalue().encode()
    return stream.getvalue().removesuffix("\n").split("\n")


def test_text_is_one_line_with_time_level_and_logger() -> None:
    (line,) = logged("text")

    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    assert len(time) == len("2026-01-31T12:00:00.000Z")
    assert rest == f"warning chat_aiohttp.test: said {ESCAPED}"


def test_a_level_shows_what_is_asked_for() -> None:
    assert len(logged("text", level="debug")) == 2
    assert logged("text", level="error") == [""]


def test_a_traceback_follows_its_record_with_nothing_forged() -> None:
    lines = logged("text", fail=True)

    assert lines[1] == "Traceback (most recent call last):"
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert "\\x1b[2J" in "".join(lines)


def test_journal_has_a_priority_before_every_line() -> None:
    assert logged("journal") == [f"<4>chat_aiohttp.test: said {ESCAPED}"]

    lines = logged("journal", fail=True)
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)


def test_json_is_one_object_a_line() -> None:
    (line,) = logged("json", fail=True)

    entry = msgspec.json.decode(line)
    assert entry.keys() == {"time", "level", "logger", "message", "traceback"}
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "chat_aiohttp.test", "failed")
    assert "RuntimeError" in entry["traceback"]


def test_json_carries_any_text() -> None:
    (line,) = logged("json")

    assert msgspec.json.decode(line)["message"] == "said " + HOSTILE.replace("\ud800", "\\ud800")


def test_warnings_are_logged_too() -> None:
    stream = io.StringIO()
    configure(LogTable(), stream, {})

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("careful", stacklevel=1)

    assert "careful" in stream.getvalue()


def test_auto_is_journal_only_when_journald_reads_the_stream(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as stream:
        status = os.fstat(stream.fileno())
        here = f"{status.st_dev}:{status.st_ino}"

        assert chosen_format("auto", stream, {"JOURNAL_STREAM": here}) == "journal"
        assert chosen_format("auto", stream, {"JOURNAL_STREAM": "8:1"}) == "text"
        assert chosen_format("auto", stream, {}) == "text"
        assert chosen_format("json", stream, {"JOURNAL_STREAM": here}) == "json"
    assert chosen_format("auto", io.StringIO(), {"JOURNAL_STREAM": here}) == "text"
