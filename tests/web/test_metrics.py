"""/metrics: who may read it, that it counts what happened, and that docs/operate.md says what is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chat_aiohttp.config import Config, LimitsTable, MetricsTable
from chat_aiohttp.limits import IntakeRules
from tests.web.chat_client import DEADLINE_S, Server

Serve = Callable[..., Awaitable[Server]]
PAGE = (Path(__file__).parent.parent.parent / "docs" / "operate.md").read_text("utf-8")


async def scraped(server: Server) -> dict[str, float]:
    """Every sample, as name{label}."""
    async with server.client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_it_counts_what_happens(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(messages_per_second=0.001, message_burst=2)))
    ada, ben = await server.plain(), await server.v1()
    server.hub.store.faults["timeout"] += 3
    for text in ("one", "two", "three"):
        await ada.say(text)
    assert [(await ada.get()).get("message") for _ in range(3)]
    await ben.next("message")
    await ben.next("message")
    await server.refusal(Origin="https://evil.example")
    await ben.socket.close(code=4123)
    async with asyncio.timeout(DEADLINE_S):
        while server.hub.switchboard.count > 1:
            await asyncio.sleep(0.001)

    samples = await scraped(server)

    assert samples["chat_ready"] == samples["chat_members"] == samples["chat_rooms"] == samples["chat_sockets"] == 1
    assert samples["chat_messages_total"] == 2
    assert samples["chat_deliveries_total"] >= 4
    assert samples["chat_flushes_total"] >= 1
    assert samples["chat_sent_bytes_total"] > 4 * 100
    assert samples["chat_connections_total"] == 2
    assert samples["chat_refusals_total{too_fast}"] == samples["chat_limits_total{too_fast}"] == 1
    assert samples["chat_refusals_total{http_403}"] == 1
    assert samples["chat_closes_total{other}"] == 1
    assert samples["chat_store_faults_total{timeout}"] == 3
    assert samples["chat_queue_bytes"] == samples["chat_restrained"] == samples["chat_gaps_total"] == 0


async def test_the_lag_is_a_histogram_whose_buckets_hold_those_below(server: Server) -> None:
    server.hub.metrics.lag.observe(0.003)
    server.hub.metrics.lag.observe(30.0)

    samples = await scraped(server)

    assert samples["chat_loop_lag_seconds_bucket{+Inf}"] == samples["chat_loop_lag_seconds_count"] >= 2
    assert samples["chat_loop_lag_seconds_bucket{0.005}"] >= samples["chat_loop_lag_seconds_bucket{0.0025}"]
    assert samples["chat_loop_lag_seconds_bucket{2.5}"] <= samples["chat_loop_lag_seconds_count"] - 1
    assert samples["chat_loop_lag_seconds_sum"] >= 30


async def test_a_bare_server_has_no_faults_and_says_whom_it_holds_back(server: Server) -> None:
    rude = await server.plain()
    (socket,) = server.hub.switchboard.sockets()
    server.hub.switchboard.charge(socket, IntakeRules().empty_frames.burst + 100)

    samples = await scraped(server)

    assert samples["chat_restrained"] == samples["chat_limits_total{frames}"] == 1
    assert not [name for name in samples if name.startswith("chat_store_faults")]
    rude.transport.abort()


@pytest.mark.parametrize(
    ("address", "allowed", "status"),
    [
        (None, None, 200),
        ("203.0.113.7", None, 403),
        ("127.0.0.1, 203.0.113.7", None, 403),
        ("203.0.113.7, 127.0.0.1", None, 403),
        ("unknown", None, 403),
        ("203.0.113.7", "203.0.113.0/24", 200),
        ("::ffff:203.0.113.7", "203.0.113.0/24", 200),
        ("2001:db8::1", "203.0.113.0/24", 403),
        (None, "203.0.113.0/24", 403),
    ],
)
async def test_it_is_told_to_the_allowed_networks_alone(
    serve: Serve, address: str | None, allowed: str | None, status: int
) -> None:
    server = await serve(Config(metrics=MetricsTable(allowed=(allowed,))) if allowed else None)

    headers = {} if address is None else {"X-Forwarded-For": address}
    async with server.client.get("/metrics", headers=headers) as answer:
        assert answer.status == status
        assert ("chat_ready" in await answer.text()) == (status == 200)
        assert status == 200 or "metrics.allowed" in await answer.text()


# -- docs/operate.md


def base(names: Iterable[str]) -> set[str]:
    return {re.sub(r"_(bucket|count|sum|created)$", "", name.split("{")[0]) for name in names}


async def test_the_page_names_every_metric_and_none_that_is_not_there(server: Server) -> None:
    metrics = server.hub.metrics
    for counts in (metrics.refusals, metrics.closes, metrics.limits):
        counts["x"] += 1
    server.hub.store.faults["x"] += 1
    there = base(name for name in await scraped(server) if name.startswith("chat_"))
    table = PAGE.split("## What is there")[1].split("## Alerts")[0]

    assert set(re.findall(r"`(chat_\w+)", table)) == there
    assert base(re.findall(r"\bchat_\w+", PAGE)) <= there | {"chat_worker_up"}  # that one has a test with workers


def test_every_limit_is_on_the_page() -> None:
    package = Path(__file__).parent.parent.parent / "chat_aiohttp"
    table = PAGE.split("## When a limit is met")[1]
    told = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    met = {"frames", "bytes", "room_full"}
    for source in ("addresses.py", "gate.py", "web/search.py", "web/unread.py"):
        refusing = r'\b(?:Limited|_too_fast|Allowance)\(\s*(?:rate, )?"(\w+)"'
        met |= set(re.findall(refusing, (package / source).read_text("utf-8")))

    assert told == met
    settings = {name for row in re.findall(r"\| `[^|]*\| ([^|]*) \|", table) for name in re.findall(r"`(\w+)`", row)}
    assert settings <= set(LimitsTable.__struct_fields__)
