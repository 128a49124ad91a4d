"""The peers: for each the software it needs and the small program in peers/ that does the same work with it.

Every program gives each message to everybody in the room, the sender too, and does no more. They keep no log and give
no ids: what this project's server does beyond that, it does within the figures it is compared by.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from bench.kits import DebKit, GoKit, Kit, NpmKit, PipKit
from bench.servers import Dialect, Place, Server

PROGRAMS = Path(__file__).parent / "peers"
SOCKET_IO = Dialect(
    path="/socket.io/?EIO=4&transport=websocket&room=%r",
    before='42["message","',
    after='"]',
    greeting=(("0{", "40"), ("40", "")),
    ping=("2", "3"),
)

TUTORIAL = PipKit(
    "tutorial", ("django==4.2.*", "channels==4.3.2", "channels-redis==4.3.0", "redis<6", "uvicorn[standard]")
)
PYTHON_SOCKETIO = PipKit("python-socketio", ("python-socketio==5.*", "aiohttp", "uvloop"))
SOCKETIFY = PipKit("socketify", ("socketify",))
WS = NpmKit("ws", ("ws@8",))
SOCKETIO = NpmKit("socketio", ("socket.io@4",))
NCHAN = DebKit("nchan", ("nginx", "libnginx-mod-nchan"))
NATS = DebKit("nats", ("nats-server",))
CENTRIFUGO = GoKit("centrifugo", ("github.com/centrifugal/centrifugo/v5 v5.4.9",))

KITS: tuple[Kit, ...] = (WS, SOCKETIO, SOCKETIFY, PYTHON_SOCKETIO, TUTORIAL, NCHAN, NATS, CENTRIFUGO)


def _python(kit: PipKit, program: str) -> Callable[[Place], list[str]]:
    return lambda place: [kit.python, str(PROGRAMS / program), str(place.port)]


def _node(program: str) -> Callable[[Place], list[str]]:
    return lambda place: ["node", str(PROGRAMS / program), str(place.port)]


def _nchan(place: Place) -> list[str]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    filled = {
        "MODULE": NCHAN.folder / "usr/lib/nginx/modules/ngx_nchan_module.so",
        "FOLDER": place.folder,
        "PORT": place.port,
        "FILES": min(files, 65_536),
    }
    text = (PROGRAMS / "nchan.conf").read_text()
    for name, value in filled.items():
        text = text.replace(name, str(value))
    (place.folder / "nginx.conf").write_text(text)
    nginx = str(NCHAN.folder / "usr/sbin/nginx")
    return [*_OWN_NGINX_HOME, nginx, "-p", str(place.folder), "-c", str(place.folder / "nginx.conf")]


# nchan makes a folder in the place that Debian built nginx for, whatever the configuration says. Where nginx is not
# installed that place is missing, so it gets one of its own, which nobody else sees.
_OWN_NGINX_HOME = (
    ()
    if Path("/var/lib/nginx").is_dir()
    else ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/lib && mkdir /var/lib/nginx && exec "$@"', "sh")
)


def _nchan_missing() -> str | None:
    if _OWN_NGINX_HOME and (os.geteuid() or shutil.which("unshare") is None):
        return "nchan insists on /var/lib/nginx: apt install nginx-light, or run the benchmark as root"
    return NCHAN.missing()


def _nats(place: Place) -> list[str]:
    (place.folder / "nats.conf").write_text(
        f"listen: 127.0.0.1:-1\nwebsocket {{ listen: '127.0.0.1:{place.port}', no_tls: true }}\n"
    )
    return [str(NATS.folder / "usr/sbin/nats-server"), "-c", str(place.folder / "nats.conf")]


def _centrifugo(place: Place) -> list[str]:
    return [
        *(CENTRIFUGO.program, "--config", str(PROGRAMS / "centrifugo.json")),
        *("--address", "127.0.0.1", "--port", str(place.port)),
    ]


def _tutorial(place: Place) -> list[str]:
    uvicorn = ("-m", "uvicorn", "--app-dir", str(PROGRAMS), "tutorial:application", "--log-level", "warning")
    redis = ("env", f"REDIS_PORT={place.redis_port}")
    return [*redis, TUTORIAL.python, *uvicorn, "--port", str(place.port), "--backlog", "1024"]


_PEERS = (
    Server(
        name="aiohttp",
        title="aiohttp, as its documentation teaches it, uvloop",
        command=lambda place: [sys.executable, str(PROGRAMS / "textbook_aiohttp.py"), str(place.port)],
        version=lambda: f"aiohttp {version('aiohttp')}, uvloop {version('uvloop')}",
    ),
    Server(
        name="tutorial",
        title="Django Channels' tutorial on uvicorn, over Redis",
        command=_tutorial,
        needs_redis=True,
        missing=TUTORIAL.missing,
        version=lambda: TUTORIAL.versions("django", "channels", "channels-redis", "redis", "uvicorn"),
    ),
    Server(
        name="python-socketio",
        title="python-socketio on aiohttp, uvloop",
        command=_python(PYTHON_SOCKETIO, "python_socketio.py"),
        dialect=SOCKET_IO,
        missing=PYTHON_SOCKETIO.missing,
        version=lambda: PYTHON_SOCKETIO.versions("python-socketio", "aiohttp"),
    ),
    Server(
        name="ws",
        title="node ws",
        command=_node("ws.cjs"),
        environment={"NODE_PATH": WS.modules},
        missing=WS.missing,
        version=lambda: WS.versions("ws"),
    ),
    Server(
        name="socket.io",
        title="socket.io (node)",
        command=_node("socketio.cjs"),
        dialect=SOCKET_IO,
        environment={"NODE_PATH": SOCKETIO.modules},
        missing=SOCKETIO.missing,
        version=lambda: SOCKETIO.versions("socket.io"),
    ),
    Server(
        name="uwebsockets",
        title="uWebSockets, through socketify",
        command=_python(SOCKETIFY, "uwebsockets.py"),
        missing=SOCKETIFY.missing,
        version=lambda: SOCKETIFY.versions("socketify"),
    ),
    Server(
        name="nchan",
        title="nchan (nginx, C; reads no JSON)",
        command=_nchan,
        missing=_nchan_missing,
        version=NCHAN.versions,
    ),
    Server(
        name="nats",
        title="NATS over WebSocket (Go; reads no JSON)",
        command=_nats,
        dialect=Dialect(
            path="/",
            before="PUB %r %n\\r\\n",
            after="\\r\\n",
            greeting=(
                (
                    "INFO",
                    'CONNECT {"verbose":false,"pedantic":false,"lang":"c","version":"1"}\\r\\nSUB %r 1\\r\\nPING\\r\\n',
                ),
                ("PONG", ""),
            ),
            ping=("PING", "PONG\\r\\n"),
            binary=True,
        ),
        missing=NATS.missing,
        version=NATS.versions,
    ),
    Server(
        name="centrifugo",
        title="Centrifugo (Go)",
        command=_centrifugo,
        dialect=Dialect(
            path="/connection/websocket",
            before='{"id":9,"publish":{"channel":"%r","data":{"message":"',
            after='"}}}',
            greeting=(
                ("", '{"id":1,"connect":{}}'),
                ('"id":1', '{"id":2,"subscribe":{"channel":"%r"}}'),
                ('"id":2', ""),
            ),
            ping=("{}", "{}"),
        ),
        ready_path="/health",
        missing=CENTRIFUGO.missing,
        version=lambda: CENTRIFUGO.packages[0].rpartition("/")[2],
    ),
)
PEERS = {peer.name: peer for peer in _PEERS}
