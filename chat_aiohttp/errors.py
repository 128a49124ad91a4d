"""What can go wrong, as one small tree. Layer 0: pure.

    ChatError                 has a code for programs, words for people, and says whether to try again
    ├── BadInput              what a client sent cannot be understood or is not allowed; the connection stays
    ├── Refused               not now; the same thing with the same ref may be sent again
    │   ├── Limited           for now as far as a limit goes; says when it is worth trying again
    │   └── Unknown           it may or may not be in the log: send again with the same ref
    ├── NotAName              a room's or a person's name the validator refuses
    ├── CannotStart           the server refuses to start; the words name the cause and the remedy
    └── NotSent, Ended        what a client (client.py) raises when trying again won't help

A code never changes its meaning: clients act on it. Words may change: people read them.
Raised where the fault is known and translated once, at the edge: web/middlewares.py for HTTP, hub.py for sockets.
"""

from __future__ import annotations


class ChatError(Exception):
    """An error with a *code* a client acts on and *words* a person reads."""

    retryable = False

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code, words)
        self.code = code
        self.words = words

    def __str__(self) -> str:
        return self.words


class BadInput(ChatError):
    """Raised when a client sent something that can't be accepted. *ref*: the send's own id where one could be read."""

    def __init__(self, code: str, words: str, ref: str | None = None) -> None:
        super().__init__(code, words)
        self.ref = ref


class Refused(ChatError):
    """Raised, or given as an outcome, when nothing was stored and the same send may come again."""

    retryable = True


class Limited(Refused):
    """Raised when a client, an address or a room is at its limit. Worth trying again after *wait_s* seconds."""

    def __init__(self, code: str, words: str, wait_s: float) -> None:
        super().__init__(code, words)
        self.wait_s = wait_s


class Unknown(Refused):
    """The outcome of a send whose answer never came: it may be in the log. Safe to repeat with the same ref."""


class NotAName(ChatError):
    """Raised when a name can't be a room's or a person's name. The words give the reason."""


class CannotStart(ChatError):
    """Raised before the server listens. *exit_code* follows sysexits.h: 78 configuration, 75 try later, 74 I/O."""

    def __init__(self, code: str, words: str, exit_code: int = 1) -> None:
        super().__init__(code, words)
        self.exit_code = exit_code


class NotSent(ChatError):
    """A send that failed for good. *code* is the server's (docs/protocol.md), or ``left`` or ``ended``: these two say
    nothing about whether it was stored. Sent again in the same session with the same ref, it is stored once."""


class Ended(ChatError):
    """The server won't have us back. *close_code* and *reason* as it gave them; a code below 600 is HTTP's."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__("ended", f"The server ended this for good: {close_code} {reason}".rstrip())
        self.close_code = close_code
        self.reason = reason
