"""The pages as a browser gets them: addresses, words, headers, and what is refused."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from chat_aiohttp import keys
from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config, RoomsTable, ServerTable
from chat_aiohttp.errors import Refused

Client = TestClient[web.Request, web.Application]
MakeClient = Callable[[web.Application], Awaitable[Client]]

ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}
CHINESE = {"Accept": "text/html", "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


@pytest.fixture
async def client(aiohttp_client: MakeClient) -> Client:
    return await aiohttp_client(create_app(Config(), store_url="memory:"))


async def text_of(client: Client, path: str, status: int = 200, headers: dict[str, str] = ENGLISH) -> str:
    async with client.get(path, headers=headers, allow_redirects=False) as answer:
        assert answer.status == status
        return await answer.text()


def data_of(page: str) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="page">(.*?)</script>', page, re.DOTALL)
    assert block
    data: dict[str, Any] = json.loads(block[1])
    return data


async def said(client: Client, room: str, *texts: str) -> None:
    async with client.ws_connect(f"/ws/chat/{quote(room)}/?name=Ada") as socket:
        for text in texts:
            await socket.send_json({"message": text})
            await socket.receive_json(timeout=20)


# -- where one lands


async def test_the_root_leads_to_the_index(client: Client) -> None:
    async with client.get("/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/chat/")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lobby", "/chat/lobby/"),
        ("Room_1", "/chat/Room_1/"),
        (" design reviews ", "/chat/design%20reviews/"),
        ("会议室-7", "/chat/%E4%BC%9A%E8%AE%AE%E5%AE%A4-7/"),
        ("100%?&#+", "/chat/100%25%3F%26%23%2B/"),
    ],
)
async def test_the_form_leads_to_the_room(client: Client, name: str, path: str) -> None:
    async with client.get("/chat/", params={"room": name}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, path)

    await text_of(client, path)


@pytest.mark.parametrize("name", ["Lobby", "room_1", "a%20b", "~tilde"])
async def test_a_plain_name_is_never_rewritten(client: Client, name: str) -> None:
    await text_of(client, f"/chat/{name}/")


async def test_another_spelling_of_the_same_letters_leads_to_the_one(client: Client) -> None:
    async with client.get("/chat/cafe%CC%81/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/chat/caf%C3%A9/")


@pytest.mark.parametrize("name", ["a%2Fb", "..%5C", "%E2%80%AE", "x" * 65])
async def test_a_name_that_can_be_no_room_is_not_found_and_says_why(client: Client, name: str) -> None:
    page = await text_of(client, f"/chat/{name}/", status=404)

    assert "That can&#39;t be a room." in page
    assert 'role="alert"' in page


async def test_a_refused_name_stays_in_the_form(client: Client) -> None:
    page = await text_of(client, "/chat/?room=%3Cb%3E%2Fx", status=400)

    assert 'value="&lt;b&gt;/x"' in page
    assert "U+002F" in page


# -- what a page says


async def test_a_room_page_carries_what_its_modules_need(client: Client) -> None:
    data = data_of(await text_of(client, "/chat/%E4%BC%9A/"))

    assert data["room"] == {"key": "会", "title": "会", "path": "/chat/%E4%BC%9A/"}
    assert data["socket"] == "/ws/chat/%E4%BC%9A/"
    assert data["history"] == 50


async def test_a_name_can_not_leave_its_place(client: Client) -> None:
    name = "</script><b>\"'"
    page = await text_of(client, "/chat/" + quote(name.replace("/", "∕"), safe="") + "/")

    assert "<b>" not in page
    assert data_of(page)["room"]["title"] == name.replace("/", "∕")


async def test_the_index_lists_rooms_with_their_last_words(client: Client) -> None:
    await said(client, "会议室-7", "earlier", "the <last>\nword")

    page = await text_of(client, "/chat/")

    assert 'href="/chat/%E4%BC%9A%E8%AE%AE%E5%AE%A4-7/"' in page
    assert "the &lt;last&gt; word" in page
    assert "earlier" not in page


async def test_an_empty_index_says_so(client: Client) -> None:
    assert '<p class="quiet" id="empty">No room is open yet.' in await text_of(client, "/chat/")


async def test_the_list_can_be_hidden(aiohttp_client: MakeClient) -> None:
    client = await aiohttp_client(create_app(Config(rooms=RoomsTable(listed=False)), store_url="memory:"))
    await said(client, "secret-plans", "hush")

    page = await text_of(client, "/chat/")

    assert "secret-plans" not in page
    assert "No room is open" not in page


async def test_the_index_comes_while_the_log_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(limit: int) -> None:
        raise Refused("log_away", "gone")

    monkeypatch.setattr(client.app[keys.HUB], "rooms", refuse)

    page = html.unescape(await text_of(client, "/chat/"))
    assert '<p class="quiet amber" id="away" role="status">The list of rooms can\'t be had right now.' in page


async def test_the_site_has_a_name(aiohttp_client: MakeClient) -> None:
    named = Config(server=ServerTable(site_name="The <Village>"))
    client = await aiohttp_client(create_app(named, store_url="memory:"))

    assert "The &lt;Village&gt;" in await text_of(client, "/chat/")


# -- languages


async def test_the_browser_chooses_the_language(client: Client) -> None:
    page = await text_of(client, "/chat/lobby/", headers=CHINESE)

    assert '<html lang="zh-Hans">' in page
    assert data_of(page)["words"]["day.today"] == "今天"
    assert '<html lang="en">' in await text_of(client, "/chat/lobby/", headers={"Accept-Language": "fr, en;q=0.5"})


async def test_what_was_chosen_by_hand_wins(client: Client) -> None:
    form = {"to": "zh", "back": "/chat/lobby/"}
    async with client.post("/language", data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/chat/lobby/")

    assert '<html lang="zh-Hans">' in await text_of(client, "/chat/lobby/")


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "", "/\n/x", "javascript:1"]
)
async def test_the_way_back_stays_in_the_house(client: Client, back: str) -> None:
    async with client.post("/language", data={"to": "en", "back": back}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/chat/"


async def test_a_language_nobody_speaks_is_not_remembered(client: Client) -> None:
    async with client.post("/language", data={"to": "xx", "back": "/chat/"}, allow_redirects=False) as answer:
        assert "lang" not in answer.cookies


async def test_a_refusal_speaks_the_readers_language(client: Client) -> None:
    assert "房间名里不能有“/”（U+002F）" in await text_of(client, "/chat/a%2Fb/", status=404, headers=CHINESE)


# -- errors


async def test_what_is_not_there_has_a_page(client: Client) -> None:
    page = html.unescape(await text_of(client, "/nowhere", status=404))

    assert "Nothing here." in page
    assert "这里什么都没有。" in await text_of(client, "/nowhere", status=404, headers=CHINESE)


# -- files


async def test_files_may_be_kept_for_ever(client: Client) -> None:
    asset = client.app[keys.ASSETS].get("js/room.js")
    assert asset is not None
    async with client.get(asset.url) as answer:
        assert await answer.read() == asset.body
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_file_is_packed_only_for_who_unpacks_it(client: Client) -> None:
    asset = client.app[keys.ASSETS].get("js/room.js")
    assert asset is not None
    async with client.get(asset.url, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
    async with client.get(asset.url, headers={"Accept-Encoding": "identity"}) as plain:
        assert "Content-Encoding" not in plain.headers


async def test_another_versions_address_is_not_kept(client: Client) -> None:
    async with client.get("/static/000000000000/js/room.js") as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")


async def test_a_file_that_is_not_there_is_not_found(client: Client) -> None:
    async with client.get("/static/000000000000/../room.html") as answer:
        assert answer.status == 404
    async with client.get("/static/000000000000/js/nothing.js") as answer:
        assert answer.status == 404
