"""Close codes, and whether a client should come back. Layer 0: pure.

A client decides mechanically, without knowing our codes one by one:

    1000, 1001, 1006, 1011, 1012, 1013 and 4000-4499   come back, after the delay given, else full jitter 0.5 s to 20 s
    1002, 1003, 1007-1010 and 4500-4999                don't, and don't send again what caused it

RFC 6455 section 7.4 defines the codes below 1016; 4000-4999 are for applications (section 7.4.2).
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

NO_CLOSE = 1006
"""Never on the wire: the connection ended without a close frame (RFC 6455 section 7.1.5)."""

SHORTEST_RETURN_S: Final = 0.5
LONGEST_RETURN_S: Final = 20.0
_INVITATION = re.compile(r"come back in (\d{1,9}) ms", re.ASCII)


class Close(IntEnum):
    """The codes this server sends."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    RUDE = 1008  # policy violation: it sent frames that say nothing, too fast for too long
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    RESTARTING = 1012
    TRY_AGAIN_LATER = 1013
    SLOW = 4008  # the member read slower than its room spoke; it resumes by id
    REMOVED = 4500  # a moderator's decision


def should_return(code: int) -> bool:
    """Whether a client whose connection ended with *code* should come back. 1006 is "no close frame at all"."""
    return code in (1000, 1001, 1006, 1011, 1012, 1013) or 4000 <= code <= 4499


def may_be_received(code: int) -> bool:
    """Whether a peer may send *code* in a close frame (RFC 6455 section 7.4.1 and the IANA registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def invitation(delay_ms: int) -> str:
    """The reason of a close that says when to come back."""
    return f"come back in {delay_ms} ms"


def invited_in_s(reason: str) -> float | None:
    """After how many seconds a close with *reason* asks its client back; None when it does not say."""
    found = _INVITATION.search(reason)
    return int(found[1]) / 1000 if found else None


def return_delay_s(failures: int, lot: float) -> float:
    """Full jitter: how long to stay away after the *failures*-th fault in a row (1 and up), nobody having said.

    *lot* is drawn from 0 to 1. Between 0.5 s and a ceiling of 1 s that doubles with each fault, up to 20 s.
    """
    ceiling = min(LONGEST_RETURN_S, SHORTEST_RETURN_S * (1 << min(failures, 10)))
    return SHORTEST_RETURN_S + lot * (ceiling - SHORTEST_RETURN_S)
