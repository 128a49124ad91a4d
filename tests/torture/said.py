"""What a server says, as far as a client that writes it down needs to understand it."""

from __future__ import annotations

import msgspec


class Said(msgspec.Struct, gc=False):
    """Everything that any frame of either dialect may hold and that matters here."""

    type: str = ""
    id: str = ""
    message: str = ""
    sender: str = msgspec.field(name="from", default="")
    ref: str | None = None
    error: str | None = None
    code: str | None = None
    retryable: bool = True
    position: str = ""
    delay: int = 0


decode = msgspec.json.Decoder(Said).decode
