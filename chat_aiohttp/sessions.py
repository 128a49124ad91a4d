"""Who someone is without an account: a session, and what others see of it. Layer 0: pure.

A session is a 16-byte hash of a secret that only its owner holds: the page's cookie, a bot's token, a bare client's
`session=`. The hashes of different kinds of secrets live in namespaces apart, so that one can't be used as another.
Everything that is stored or shown derives from the hash, one way; the secret itself is never kept and never logged.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b

from chat_aiohttp.errors import BadInput

_SECRET = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)  # 22 characters of 6 bits: at least 128 bits, if random


def cookie_session(secret: str) -> bytes:
    """The session of a page's cookie."""
    return _hash(b"cookie", secret)


def query_session(secret: str) -> bytes:
    """The session of a bare client's `session=`. Raises BadInput (``bad_session``) if it can't hold 128 random bits."""
    if not _SECRET.fullmatch(secret):
        raise BadInput("bad_session", "“session” must be 22 to 128 random characters of A-Z, a-z, 0-9, - and _.")
    return _hash(b"query", secret)


def public_id(session: bytes) -> str:
    """What everyone sees as `from`: 12 of A-Z a-z 0-9 - _. Nobody can have another's without the session's secret."""
    return urlsafe_b64encode(blake2b(session, digest_size=9, person=b"chat public id").digest()).decode()


def _hash(namespace: bytes, secret: str) -> bytes:
    return blake2b(secret.encode(), digest_size=16, person=b"chat " + namespace).digest()
