"""The counters as Prometheus reads them. Layer 5.

Read when somebody asks: the counters themselves (metrics.py) know nothing of this. Importing prometheus-client takes a
tenth of a second, so web/ops.py does that beside the loop, when the first one asks.

Of several workers one is asked, and shows what all of them count, each under its number. Nothing is added up: a sum of
gauges may mean nothing, a counter begins at 0 with its worker, and whoever reads this can add. Rejected:
prometheus-client's multiprocess mode, whose counters are files that every addition writes to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from chat_aiohttp import __version__
from chat_aiohttp.hub import Hub
from chat_aiohttp.metrics import Histogram

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _Family(msgspec.Struct, array_like=True):
    name: str
    words: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


def exposition(hub: Hub) -> bytes:
    """Everything this process counts, in Prometheus' text format (CONTENT_TYPE)."""
    return generate_latest(_registry(hub))


def figures(hub: Hub) -> bytes:
    """The same, for the worker that was asked for it."""
    families = [
        _Family(family.name, family.documentation, family.type, [(one.name, one.labels, one.value) for one in samples])
        for family in _registry(hub).collect()
        if (samples := family.samples)
    ]
    return msgspec.msgpack.encode(families)


def exposition_of(figures: Mapping[int, bytes | None]) -> bytes:
    """The figures of all workers by their numbers (None: it gave none), each sample with its ``worker``, and
    ``chat_worker_up``, which says whose are there."""
    registry = CollectorRegistry()
    registry.register(_Workers(figures))
    return generate_latest(registry)


def _registry(hub: Hub) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Chat(hub))
    ProcessCollector(registry=registry)  # process_resident_memory_bytes, process_open_fds and their like
    return registry


class _Workers(Collector):
    def __init__(self, figures: Mapping[int, bytes | None]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("chat_worker_up", "1 for each worker whose figures are here.", labels=["worker"])
        families: dict[str, Metric] = {}
        for number, told in sorted(self._figures.items()):
            up.add_metric([str(number)], int(told is not None))
            for one in [] if told is None else _decode(told):
                family = families.setdefault(one.name, Metric(one.name, one.words, one.kind))
                for name, labels, value in one.samples:
                    family.add_sample(name, {"worker": str(number), **labels}, value)
        yield up
        yield from families.values()


_decode = msgspec.msgpack.Decoder(list[_Family]).decode


class _Chat(Collector):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        metrics = self._hub.metrics
        for name, words, value in (
            ("connections", "Sockets opened.", metrics.connections),
            ("messages", "Messages given to the log.", metrics.messages_in),
            ("deliveries", "Frames handed to members' sockets.", metrics.deliveries),
            ("flushes", "Times a room sent what it had pending: one write per member each.", metrics.flushes),
            ("sent_bytes", "Bytes handed to sockets.", metrics.bytes_out),
            ("gaps", "Losses of the log that were announced to members.", metrics.gaps),
            ("log_reads", "Pages read from the log for those who come back or page back.", metrics.log_reads),
        ):
            yield CounterMetricFamily(f"chat_{name}", words, value)
        yield _by("refusals", "Refusals, by error code.", "code", metrics.refusals)
        yield _by("closes", "Sockets that ended, by close code.", "code", metrics.closes)
        yield _by("limits", "Times a limit held somebody back, by its name.", "limit", metrics.limits)
        yield _by("store_faults", "Faults of the log, by kind.", "kind", self._hub.store.faults)
        yield _histogram("loop_lag_seconds", "How late the event loop's timers are.", metrics.lag)

    def _gauges(self) -> Iterator[Metric]:
        hub = self._hub
        sockets = hub.switchboard.sockets()
        rooms = hub.registry.rooms()
        for name, words, value in (
            ("ready", "1 while people can come in and be heard, as /readyz says.", int(hub.away is None)),
            ("sockets", "Sockets that are not closed yet.", len(sockets)),
            ("members", "Connections in rooms.", sum(map(len, rooms))),
            ("arriving", "Members who still read what was said before.", sum(len(room.arriving) for room in rooms)),
            ("rooms", "Rooms with somebody in them here.", len(rooms)),
            ("queue_bytes", "Bytes that wait for slow members.", sum(socket.queued for socket in sockets)),
            ("queues", "Members for whom bytes wait.", sum(socket.queue is not None for socket in sockets)),
            ("restrained", "Sockets that are not read now, for sending too much.", len(hub.switchboard.restraint)),
            ("addresses", "Client addresses with a socket here.", len(hub.gate.addresses)),
        ):
            yield GaugeMetricFamily(f"chat_{name}", words, value)
        build = GaugeMetricFamily("chat_build", "Always 1; the version is the label.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build


def _by(name: str, words: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"chat_{name}", words, labels=[label])
    for key, count in sorted(counts.items()):
        family.add_metric([key], count)
    return family


def _histogram(name: str, words: str, histogram: Histogram) -> Metric:
    buckets, below = [], 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        below += count
        buckets.append((bound, below))
    family = HistogramMetricFamily(f"chat_{name}", words)
    family.add_metric([], buckets, histogram.total)
    return family
