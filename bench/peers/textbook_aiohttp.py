"""Chat as aiohttp's documentation teaches it: a set of sockets per room, and `await send_str` in a loop."""

import json
import sys

import uvloop
from aiohttp import WSMsgType, web

ROOMS = web.AppKey("rooms", dict)


async def chat(request):
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    room = request.app[ROOMS].setdefault(request.match_info["room"], set())
    room.add(ws)
    try:
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                text = json.dumps({"message": json.loads(message.data)["message"]})
                for member in list(room):
                    await member.send_str(text)
    finally:
        room.discard(ws)
    return ws


app = web.Application()
app[ROOMS] = {}
app.router.add_get("/ws/chat/{room}/", chat)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), loop=uvloop.new_event_loop(), access_log=None, print=None)
