"""How the log is written: text for people, JSON for collectors, priorities for journald. Layer 4: wiring.

Standard logging, one handler on stderr. Whatever a client could smuggle into a line, a forged line or a terminal's
escape sequence, comes out escaped: every record is one line, tracebacks apart, whose lines are escaped one by one.
Query strings, messages and secrets are kept out by those who log, not filtered here: a filter would only be a hope.
Rejected: structlog, for what is three small formatters.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from typing import Literal, TextIO

import msgspec

from chat_aiohttp.config import LogTable

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# sd-daemon(3): what journald reads from a line's start
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def configure(log: LogTable, stream: TextIO, environ: Mapping[str, str]) -> None:
    """Send everything that is logged, warnings too, to *stream* as *log* says. Replaces what was set up before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_FORMATTERS[chosen_format(log.format, stream, environ)]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    logging.captureWarnings(True)


def chosen_format(
    wanted: Literal["auto", "text", "json", "journal"], stream: TextIO, environ: Mapping[str, str]
) -> Literal["text", "json", "journal"]:
    """*wanted*, where auto is journal when journald itself reads *stream*, else text."""
    if wanted != "auto":
        return wanted
    return "journal" if _is_journal(stream, environ.get("JOURNAL_STREAM", "")) else "text"


def _is_journal(stream: TextIO, journal_stream: str) -> bool:
    """systemd.exec(5): $JOURNAL_STREAM is the device and inode of the journal's end; a redirected stderr differs."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.000Z info    chat_aiohttp.hub: words``, then the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} {record.levelname.lower():7} {_words(record)}"


class JournalFormatter(logging.Formatter):
    """A priority before every line, also of a traceback: journald takes each line for a record of its own."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in _words(record).split("\n"))


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message and, where there is one, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _encodable(record.getMessage()),
        }
        if trace := _traceback(record):
            entry["traceback"] = _encodable(trace)
        return msgspec.json.encode(entry).decode()


_FORMATTERS: Mapping[str, type[logging.Formatter]] = {
    "text": TextFormatter,
    "journal": JournalFormatter,
    "json": JsonFormatter,
}


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03}Z"


def _words(record: logging.LogRecord) -> str:
    lines = [f"{record.name}: {record.getMessage()}", *_traceback(record).splitlines()]
    return "\n".join(_UNSAFE.sub(_escaped, line) for line in lines)


def _traceback(record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[0]:
        parts.append(logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def _encodable(text: str) -> str:
    """*text* with lone surrogates escaped, which JSON could not carry."""
    return text.encode("utf-8", "backslashreplace").decode()
