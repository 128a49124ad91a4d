"""Changes over two instances on one Valkey: everybody hears them, and each instance's history shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from tests.instances import Instance, running
from tests.servers import start_server

COOKIE = {"chat": "c" * 43}


async def test_a_change_made_on_one_instance_shows_on_the_other(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with (
            running(server.url, tmp_path / "a") as one,
            running(server.url, tmp_path / "b") as two,
            aiohttp.ClientSession() as http,
        ):
            here, there = await _enter(http, one), await _enter(http, two)
            await here.send_json({"type": "send", "message": "*first*", "ref": "r1"})
            await here.send_json({"type": "send", "message": "second", "ref": "r2"})
            first, second = [await _next(there, "message") for _ in range(2)]

            # The same person, on the other instance.
            await there.send_json({"type": "edit", "id": first["id"], "message": "**first**", "ref": "c1"})
            await there.send_json({"type": "react", "id": first["id"], "emoji": "🎉", "ref": "c2"})
            await there.send_json({"type": "delete", "id": second["id"], "ref": "c3"})
            for member in (here, there):
                assert (await _next(member, "edit"))["rich"] == [["b", "first"]]
                assert (await _next(member, "reaction"))["emoji"] == "🎉"
                assert (await _next(member, "delete"))["target"] == second["id"]

            for instance in (one, two):
                shown = await _history(http, instance)
                assert [(message["id"], message["message"]) for message in shown] == [(first["id"], "**first**")]
                assert list(shown[0]["reactions"]) == ["🎉"]
            await here.send_json({"type": "delete", "id": second["id"], "ref": "c3"})
            assert (await _next(here, "ack"))["ref"] == "c3"


async def _enter(http: aiohttp.ClientSession, instance: Instance, query: str = "") -> aiohttp.ClientWebSocketResponse:
    headers = {"Cookie": f"chat={COOKIE['chat']}"}
    return await http.ws_connect(instance.socket_url("lobby") + query, protocols=("chat.v1",), headers=headers)


async def _next(member: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while (fields := await member.receive_json(timeout=20))["type"] != kind:
        assert fields["type"] != "error", fields
    return dict(fields)


async def _history(http: aiohttp.ClientSession, instance: Instance) -> list[dict[str, Any]]:
    member = await _enter(http, instance, "?history=50")
    messages = []
    while (fields := await member.receive_json(timeout=20))["type"] != "live":
        messages += [fields] if fields["type"] == "message" else []
    return messages
