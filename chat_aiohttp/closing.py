"""Close codes, and whether a client should come back. Layer 0: pure.

A client decides mechanically, without knowing our codes one by one:

    1000, 1001, 1006, 1011, 1012, 1013 and 4000-4499   come back, after the delay given, else full jitter 0.5 s to 20 s
    1002, 1003, 1007-1010 and 4500-4999                don't, and don't send again what caused it

RFC 6455 section 7.4 defines the codes below 1016; 4000-4999 are for applications (section 7.4.2).
"""

from __future__ import annotations

from enum import IntEnum

NO_CLOSE = 1006
"""Never on the wire: the connection ended without a close frame (RFC 6455 section 7.1.5)."""


class Close(IntEnum):
    """The codes this server sends."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
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
