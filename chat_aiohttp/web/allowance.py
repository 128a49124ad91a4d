"""How often one address may ask for what costs the log much. Layer 5."""

from __future__ import annotations

from math import ceil
from time import monotonic

from aiohttp import web

from chat_aiohttp import keys
from chat_aiohttp.errors import Limited
from chat_aiohttp.limits import Buckets, Rate


class Allowance:
    """Questions of one kind, *rate* of them for each address. What is beyond it is refused with *code* and *words*, and
    counted."""

    def __init__(self, rate: Rate, code: str, words: str) -> None:
        self._buckets = Buckets(rate)
        self._code = code
        self._words = words

    def pay(self, request: web.Request) -> None:
        """Take one from *request*'s address. Raises Limited."""
        address = request.app[keys.PROXIES].network(request)
        if address is not None and (wait := self._buckets.take(address, monotonic())):
            request.app[keys.HUB].metrics.limits[self._code] += 1
            raise Limited(self._code, f"{self._words} Try again in {ceil(wait)} s.", wait)
