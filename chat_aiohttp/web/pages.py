"""The pages people open: the index, a room, an error; and the files they are made of. Layer 5.

A page is a thin frame: the room's talk comes over the socket, never in the HTML, so a page is the same for everyone but
for its language, and knows nothing secret. Words and settings for the modules travel in one JSON data block.

There is one Jinja environment per language, made at start: a template's words are chosen with the environment, so no
request-wide "current language" exists. The index works without JavaScript; a room can't, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp_jinja2
import jinja2
from aiohttp import web
from yarl import URL

from chat_aiohttp import keys, names
from chat_aiohttp.assets import Assets
from chat_aiohttp.errors import NotAName, Refused
from chat_aiohttp.web import language as languages
from chat_aiohttp.web import lobby
from chat_aiohttp.web.identity import give_cookie
from chat_aiohttp.web.language import Language

INDEX: Final = "/chat/"
LANGUAGE: Final = "/language"
LISTED: Final = 50  # rooms on the index; whoever has more knows their names

LANGUAGES: Final = web.AppKey("LANGUAGES", dict[str, Language])
_JINJA: Final = {code: web.AppKey(f"JINJA_{code}", jinja2.Environment) for code in languages.CODES}


def setup(app: web.Application) -> None:
    """Make *app* speak every language. Needs ASSETS; call it once, before the first request."""
    assets = app[keys.ASSETS]
    app[LANGUAGES] = languages.load(assets.folder)
    for language in app[LANGUAGES].values():
        _environment(app, assets, language)


def _environment(app: web.Application, assets: Assets, language: Language) -> None:
    env = aiohttp_jinja2.setup(
        app,
        app_key=_JINJA[language.code],
        loader=jinja2.FileSystemLoader(assets.folder),
        extensions=["jinja2.ext.i18n"],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.install_gettext_translations(language.gettext, newstyle=True)  # type: ignore[attr-defined]
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    env.globals.update(
        asset=assets.url,
        import_map=assets.import_map,
        language=language,
        languages=list(app[LANGUAGES].values()),
        language_path=LANGUAGE,
        index_path=INDEX,
    )


def language_of(request: web.Request) -> str:
    """The code of the language this request's answer should speak: ``en`` or ``zh``."""
    return languages.choose(request.cookies.get(languages.COOKIE), request.headers.get("Accept-Language"))


# -- pages


async def home(request: web.Request) -> web.Response:
    """GET /: the rooms are at /chat/."""
    raise web.HTTPFound(INDEX)


async def index(request: web.Request) -> web.Response:
    """GET /chat/: name a room, or see who is where. ``?room=`` is the form's way in, which needs no script."""
    wanted = request.query.get("room", "")
    if not wanted.strip():
        return answer(request, "index.html", await _lobby(request))
    try:
        _, title = names.room_key(wanted)
    except NotAName as refusal:
        return answer(
            request, "index.html", {**await _lobby(request), **_refused(request, wanted, refusal)}, status=400
        )
    raise web.HTTPSeeOther(room_url(title))


async def room(request: web.Request) -> web.Response:
    """GET /chat/<room>/: the room, which exists because someone is in it."""
    wanted = request.match_info["room"]
    try:
        key, title = names.room_key(wanted)
    except NotAName as refusal:
        return answer(request, "error.html", _no_such_room(request, wanted, refusal), status=404)
    if title != wanted:  # another way to write the same letters; a case that differs is left as it was typed
        raise web.HTTPFound(room_url(title))
    return answer(request, "room.html", {"title": title, "page": room_data(request, key, title), "embed": False})


def render_error(request: web.Request, status: int, title: str | None = None, words: str | None = None) -> web.Response:
    """The page for *status*, in the reader's language. Titles and words are English; what the catalogue knows is
    translated. Without them the status speaks for itself."""
    gettext = request.app[LANGUAGES][language_of(request)].gettext.gettext
    known_title, known_words = _FAULTS.get(status, _FAULTS[500])
    context = {"status": status, "heading": gettext(title or known_title), "words": gettext(words or known_words)}
    return answer(request, "error.html", {"wanted": "", "refusal": "", **context}, status=status)


def _(text: str) -> str:
    """Marks *text* for the catalogue; it is translated where it is shown."""
    return text


_FAULTS: Final = {
    400: (_("That didn't make sense."), _("The address or the form can't be understood.")),
    403: (_("Not from here."), _("This came from another site, so it was refused.")),
    404: (_("Nothing here."), _("There is no page at this address. Every room is, though: name one.")),
    405: (_("Not like that."), _("This address can't be used in that way.")),
    413: (_("Too much at once."), _("What was sent is larger than this server takes.")),
    500: (_("Something broke."), _("That is our fault, not yours. It has been noted; try again.")),
    503: (_("One moment."), _("This server is starting, stopping or full. Try again in a few seconds.")),
}
NO_EMBEDDING: Final = _("No site may show these rooms in a frame. The operator can name some in server.embed_origins.")
_NO_ROOM: Final = _("That can't be a room.")


def room_url(title: str) -> URL:
    """The address of the room called *title*."""
    return URL(f"{INDEX}{quote(title, safe='')}/", encoded=True)


def room_data(request: web.Request, key: str, title: str) -> dict[str, Any]:
    """What the room's modules need to know."""
    config = request.app[keys.CONFIG]
    name = quote(title, safe="")
    return {
        **_page_data(request),
        "site": site_of(request),
        "room": {"key": key, "title": title, "path": f"{INDEX}{name}/"},
        "socket": f"/ws/chat/{name}/",
        "history": config.rooms.history,
    }


def _page_data(request: web.Request) -> dict[str, Any]:
    language = request.app[LANGUAGES][language_of(request)]
    return {"lang": language.tag, "words": language.words}


def _refused(request: web.Request, wanted: str, refusal: NotAName) -> dict[str, str]:
    return {"wanted": wanted[:200], "refusal": languages.refusal(refusal.words, language_of(request))}


def _no_such_room(request: web.Request, wanted: str, refusal: NotAName) -> dict[str, Any]:
    heading = request.app[LANGUAGES][language_of(request)].gettext.gettext(_NO_ROOM)
    return {"status": 404, "heading": heading, "words": "", **_refused(request, wanted, refusal)}


def site_of(request: web.Request) -> str:
    """What this place is called."""
    return request.app[keys.CONFIG].server.site_name or request.app[keys.PROXIES].peer(request).host


def _theme(request: web.Request) -> str:
    """The colours chosen by hand (cookie ``theme``): light, dark, or empty for the system's. A page has them from its
    first line, so that nothing flashes."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in ("light", "dark") else ""


def answer(
    request: web.Request, template: str, context: Mapping[str, Any], status: int = 200, *, cookie: bool = True
) -> web.Response:
    """*template*, filled and in the reader's language. With *cookie* it gives whoever has none a session."""
    env = _JINJA[language_of(request)]
    shared = {"site": site_of(request), "here": request.rel_url.raw_path_qs, "page": _page_data(request)}
    shared["theme"] = _theme(request)
    response = aiohttp_jinja2.render_template(template, request, {**shared, **context}, app_key=env, status=status)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Language, Cookie"
    if status == 200 and cookie:  # not in on_response_prepare: by then aiohttp has written the cookies down
        give_cookie(request, response)
    response.enable_compression()  # no secret is in a page, so BREACH has nothing to measure
    return response


async def _lobby(request: web.Request) -> dict[str, Any]:
    """The index' rooms: None when the list is hidden, and a word instead of it while the log is away."""
    listed = request.app[keys.CONFIG].rooms.listed
    page = {**_page_data(request), "listed": listed}
    nothing = {"rooms": None, "listed": listed, "away": False, "wanted": "", "refusal": "", "page": page}
    if not listed:
        return nothing
    try:
        rooms = await request.app[keys.HUB].rooms(LISTED)
    except Refused:
        return {**nothing, "away": True}
    speak = request.app[LANGUAGES][language_of(request)]
    return {**nothing, "rooms": [lobby.line(room, speak, room_url(room.title), time.time() * 1000) for room in rooms]}


# -- files and the language by hand


async def static(request: web.Request) -> web.Response:
    """GET /static/{hash}/{path}: a file, for ever. Another version's hash gets ours, but not for ever: in a rolling
    restart a page may ask the instance that is older or newer than itself, and a page without its files is no page."""
    asset = request.app[keys.ASSETS].get(request.match_info["path"])
    if asset is None:
        raise web.HTTPNotFound
    ours = request.match_info["hash"] == asset.hash
    headers = {
        "Content-Type": asset.content_type,
        "Cache-Control": "public, max-age=31536000, immutable" if ours else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", "").lower():
        return web.Response(body=asset.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=asset.body, headers=headers)


async def language(request: web.Request) -> web.Response:
    """POST /language: remember the language chosen by hand, and go back to where that was done."""
    form = await request.post()
    chosen, back = str(form.get("to", "")), str(form.get("back", ""))
    response = web.HTTPSeeOther(_local(back))
    if chosen in languages.CODES:
        secure = request.app[keys.PROXIES].peer(request).scheme == "https"
        age = languages.COOKIE_MAX_AGE_S
        response.set_cookie(languages.COOKIE, chosen, max_age=age, path="/", samesite="Lax", secure=secure)
    raise response


def _local(address: str) -> URL:
    """*address* if it is a path of ours, else the index: a form must not send people to other sites."""
    # "//host" and "/\host" are addresses of other hosts to a browser; a control character may hide either.
    local = address.startswith("/") and address[1:2] not in ("/", "\\") and address.isascii() and address.isprintable()
    return URL(address, encoded=True) if local else URL(INDEX)
