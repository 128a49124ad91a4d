"""Chat with uWebSockets, through socketify: its own publish and subscribe, JSON in and out in Python.

socketify's `run()` polls libuv without ever sleeping, because it serves asyncio, too; nothing here is asyncio, so
libuv's own loop is run, which is the kinder way to measure it.
"""

import json
import sys

from socketify import App, CompressOptions, OpCode


def upgrade(response, request, context):
    response.upgrade(
        request.get_header("sec-websocket-key"),
        request.get_header("sec-websocket-protocol"),
        request.get_header("sec-websocket-extensions"),
        context,
        request.get_parameter(0),
    )


def message(ws, text, opcode):
    app.publish(ws.get_user_data(), json.dumps({"message": json.loads(text)["message"]}), OpCode.TEXT)


app = App()
app.ws(
    "/ws/chat/:room/",
    {
        "compression": CompressOptions.DISABLED,
        "upgrade": upgrade,
        "open": lambda ws: ws.subscribe(ws.get_user_data()),
        "message": message,
        "max_backpressure": 64 * 1024 * 1024,
        "idle_timeout": 120,
    },
)
app.get("/", lambda response, request: response.end("ready"))
app.listen({"port": int(sys.argv[1]), "host": "127.0.0.1"}, lambda config: None)
app.loop.uv_loop.run()
