"""Counters: no client can make a label, and a histogram counts each value once."""

from __future__ import annotations

import asyncio

from chat_aiohttp import pulse
from chat_aiohttp.closing import NO_CLOSE, Close
from chat_aiohttp.metrics import Histogram, Metrics
from chat_aiohttp.pulse import Pulse


def test_no_close_code_of_a_client_makes_a_new_label() -> None:
    metrics = Metrics()

    for code in [*range(1000, 5000), *Close, NO_CLOSE]:
        metrics.closed(code)

    assert set(metrics.closes) == {str(int(code)) for code in (*Close, NO_CLOSE, 1005)} | {"other"}
    assert metrics.closes["1008"] == 2


def test_a_value_counts_under_its_bound() -> None:
    histogram = Histogram((1.0, 2.0))

    for value in (0.5, 1.0, 1.5, 2.5, 100.0):
        histogram.observe(value)

    assert histogram.counts == [2, 1, 2]
    assert histogram.total == 105.5


async def test_the_pulse_notes_how_late_the_loop_is() -> None:
    lag = Histogram((0.05,))
    beating = Pulse(lag)
    loop = asyncio.get_running_loop()
    pulse_due = loop.time() + pulse.EVERY_S
    beating.start()

    while loop.time() < pulse_due + 0.1:
        pass  # what holds the loop up
    async with asyncio.timeout(20):
        while not sum(lag.counts):
            await asyncio.sleep(0)
    beating.stop()

    assert lag.counts == [0, 1]
    assert lag.total >= 0.1
