"""The map of the site. Layer 4."""

from __future__ import annotations

from aiohttp import web

from chat_aiohttp.web import embed, install, ops, pages, rooms, search, socket, unread


def add_routes(app: web.Application) -> None:
    """Everything this server answers to."""
    app.add_routes(
        [
            web.get("/", pages.home),
            web.get("/chat/", pages.index, name="index"),
            web.get("/chat/rooms", rooms.listed),
            web.get("/chat/name", rooms.name),
            web.get("/chat/unread", unread.unread),
            web.get("/chat/{room}/", pages.room, name="room"),
            web.get("/chat/{room}/search", search.search),
            web.get("/embed/{room}/", embed.room),
            web.get("/ws/chat/{room}/", socket.room_socket, name="socket", allow_head=False),
            web.get("/static/{hash}/{path:.+}", pages.static, name="static"),
            web.get("/manifest.webmanifest", install.manifest),
            web.get("/worker.js", install.worker),
            web.get("/offline", install.offline),
            web.post("/language", pages.language),
            web.get("/healthz", ops.healthz),
            web.get("/readyz", ops.readyz),
            web.get("/metrics", ops.metrics),
        ]
    )
