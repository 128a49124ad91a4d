"""What can go wrong between us and Redis, and what is done about it: one table. Layer 2: no I/O here.

A fault's name is the server's own code (the first word of an error reply) or one of ours, in small letters. A code
that is not in the table is one that a later Redis invented: writing waits until the server takes a write again.

Every fault is counted under its name, for metrics; it is logged at most once a second, however often it happens.

Sources: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors and the servers' own texts.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from enum import Enum
from time import monotonic
from typing import Final

from redis.exceptions import RedisError

log = logging.getLogger(__name__)

LOG_EVERY_S: Final = 1.0


class Remedy(Enum):
    """What is done. Whatever a sender is told is retryable, but for FATAL."""

    TEACH = "load our scripts again and ask again: nothing was begun"
    REFUSE = "refuse what was asked, of one shard or room; everything else goes on"
    WAIT = "refuse writing, and try a small write twice a second until it is taken"
    MOVE = "give the connection up, find out who is to be asked now, and connect anew"
    SKIP = "pass over it: it is not ours"
    TELL = "announce it to everyone who may have seen what is gone"
    FATAL = "say that this room needs its operator, and that trying again is of no use"


REMEDIES: Final[dict[str, Remedy]] = {
    # The connection.
    "unreachable": Remedy.MOVE,  # not connected, or nobody there who is fit to be asked
    "lost": Remedy.MOVE,  # hung up, reset, or an answer that is none
    "no_answer": Remedy.MOVE,  # not in time: frozen, half open, or too slow
    "failed_over": Remedy.MOVE,  # Sentinels say that another is the primary now
    # The server, or its place among others.
    "LOADING": Remedy.MOVE,
    "READONLY": Remedy.MOVE,  # it was made a replica
    "MASTERDOWN": Remedy.MOVE,
    "UNBLOCKED": Remedy.MOVE,  # it was made a replica while we waited for news
    "NOAUTH": Remedy.MOVE,
    "WRONGPASS": Remedy.MOVE,
    "MOVED": Remedy.MOVE,
    "CLUSTERDOWN": Remedy.MOVE,
    "ASK": Remedy.WAIT,  # the shard is on its way to another node: until it has arrived, half of it is missing
    "TRYAGAIN": Remedy.WAIT,
    "NOSCRIPT": Remedy.TEACH,
    # Writing.
    "OOM": Remedy.WAIT,
    "MISCONF": Remedy.WAIT,  # it can't save to its disk
    "NOREPLICAS": Remedy.WAIT,
    "BUSY": Remedy.WAIT,  # somebody's script runs for too long
    "NOPERM": Remedy.WAIT,
    "ERR": Remedy.REFUSE,
    "CROSSSLOT": Remedy.REFUSE,
    "WRONGTYPE": Remedy.REFUSE,  # somebody wrote over a key of ours
    # What is kept.
    "room_broken": Remedy.FATAL,  # a room's own keys are no log
    "junk": Remedy.SKIP,  # an entry in a stream of ours that we didn't write
    "gap": Remedy.TELL,  # flushed, trimmed, expired, rolled back
}


def remedy_of(code: str) -> Remedy:
    """What is done about the fault named *code*."""
    return REMEDIES.get(code, Remedy.WAIT)


def words_of(error: Exception) -> str:
    """What *error* says, with the server's own code in front."""
    if isinstance(error, TimeoutError):
        return "no answer"
    code = getattr(error, "status_code", None)
    return f"{code} {error}" if code else str(error) or type(error).__name__


def code_in(words: str) -> str:
    """The server's own code at the beginning of an error reply's *words*."""
    found = re.match(r"[A-Z]{2,}\b", words)
    return found[0] if found else "ERR"


def code_of_failure(error: Exception, *, is_connected: bool) -> str:
    """The name of the fault behind *error*, with which a connection ended."""
    if isinstance(error, RedisError) and (code := getattr(error, "status_code", None)):
        return str(code)
    if not is_connected:
        return "unreachable"
    return "no_answer" if isinstance(error, TimeoutError) else "lost"


class Faults:
    """How often each fault happened. *counts* is for reading."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._logged: dict[str, float] = {}

    def note(self, code: str, words: str = "") -> None:
        """Count one; with *words*, which must not hold what people said, also say it."""
        self.counts[code] += 1
        now = monotonic()
        if words and now - self._logged.get(code, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged[code] = now
            log.warning("%s", words)


class Health:
    """What is wrong between an instance and a log, part by part. Nothing: the log answers."""

    def __init__(self, faults: Faults) -> None:
        self.causes: dict[str, str] = {}
        self.faults = faults
        self._told: set[str] = set()
        self._told_at: dict[str, float] = {}

    @property
    def away(self) -> str | None:
        """Why the log is away, in words; None while it answers."""
        return next(iter(self.causes.values()), None)

    def ail(self, part: str, words: str) -> None:
        """*part* can't go on. Said once, when it has been so for a moment if it was said just before."""
        now = monotonic()
        if part not in self._told and now - self._told_at.get(part, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._told_at[part] = now
            self._told.add(part)
            log.warning("%s: the log is away: %s", part, words)
        self.causes[part] = words

    def heal(self, part: str) -> None:
        """*part* goes on."""
        if self.causes.pop(part, None) is not None and part in self._told:
            self._told.remove(part)
            log.warning("%s: the log is back", part)
