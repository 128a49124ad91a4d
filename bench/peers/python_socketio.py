"""Chat with python-socketio on aiohttp: its own rooms, its own protocol, WebSocket only."""

import sys
from urllib.parse import parse_qs

import socketio
import uvloop
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], http_compression=False)
rooms = {}


@sio.event
async def connect(sid, environ):
    rooms[sid] = parse_qs(environ["QUERY_STRING"])["room"][0]
    await sio.enter_room(sid, rooms[sid])


@sio.event
async def disconnect(sid):
    rooms.pop(sid, None)


@sio.event
async def message(sid, text):
    await sio.emit("message", text, room=rooms[sid])


app = web.Application()
sio.attach(app)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), loop=uvloop.new_event_loop(), access_log=None, print=None)
