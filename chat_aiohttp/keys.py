"""Every key under which something hangs on the aiohttp application, typed. Layer 4."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from chat_aiohttp.assets import Assets
from chat_aiohttp.config import Config
from chat_aiohttp.hub import Hub
from chat_aiohttp.proxies import Proxies
from chat_aiohttp.siblings import Sibling

CONFIG: Final = web.AppKey("CONFIG", Config)
ASSETS: Final = web.AppKey("ASSETS", Assets)
HUB: Final = web.AppKey("HUB", Hub)
PROXIES: Final = web.AppKey("PROXIES", Proxies)
CAPACITY: Final = web.AppKey("CAPACITY", int)
SIBLING: Final = web.AppKey("SIBLING", Sibling)  # only where there are several workers
