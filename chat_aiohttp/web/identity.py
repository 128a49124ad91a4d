"""The session of a request: a page's cookie, a bare client's `session=`, or the connection itself. Layer 5.

The cookie holds 256 random bits that mean nothing but "the same browser as before". Under https it carries the
`__Host-` prefix, so that no sibling domain can plant one (RFC 6265bis section 4.1.3.2); the name without it is not
even looked at there, else a planted one would make somebody speak as whoever planted it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from aiohttp import web

from chat_aiohttp import keys
from chat_aiohttp.sessions import cookie_session, query_session

_AGE_S = 400 * 86_400  # as long as browsers keep any cookie
_SECRET_BYTES = 32
_MAX_SECRET = 128
_NAMES = {True: "__Host-chat", False: "chat"}  # by whether the browser came by https


def session_of(request: web.Request, query: Mapping[str, str]) -> bytes:
    """The 16-byte session of *request*; a new one when it has none. Raises BadInput for a bad `session=`."""
    if secret := query.get("session"):
        return query_session(secret)
    if secret := _cookie(request):
        return cookie_session(secret)
    return secrets.token_bytes(16)


def give_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Set the session cookie on *response* if *request* came without one."""
    if _cookie(request) is None:
        secure = _is_secure(request)
        response.set_cookie(
            _NAMES[secure],
            secrets.token_urlsafe(_SECRET_BYTES),
            max_age=_AGE_S,
            path="/",
            httponly=True,
            secure=secure,
            samesite="Lax",
        )


def _cookie(request: web.Request) -> str | None:
    if "Cookie" not in request.headers:
        return None
    secret = request.cookies.get(_NAMES[_is_secure(request)])
    return secret if secret and len(secret) <= _MAX_SECRET else None


def _is_secure(request: web.Request) -> bool:
    return request.app[keys.PROXIES].peer(request).scheme == "https"
