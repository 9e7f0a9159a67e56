"""The facts in the text format of Prometheus. Counts and times only; the labels are states, folders and alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.domain.workload import BUCKETS
from pipeline.monitoring.alarms import TEXTS
from pipeline.monitoring.health import Facts, alive

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(facts: Facts, alarms: Mapping[str, bool]) -> bytes:
    """Everything, with memory, processor time and descriptors of this process. `alarms` are those that are told now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Facts(facts, alarms))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Facts(Collector):
    def __init__(self, facts: Facts, alarms: Mapping[str, bool]) -> None:
        self._facts = facts
        self._alarms = alarms

    def collect(self) -> Iterator[Metric]:
        """What the client library asks for."""
        f = self._facts
        yield _one("info", "Which version runs.", ("version",), {(version("beeldwacht"),): 1})
        yield _one("items", "Items in each state.", ("state",), {(str(s),): q.count for s, q in f.queues.items()})
        age: Mapping[tuple[str, ...], float] = {
            (str(s),): (f.now - q.since).total_seconds() if q.since else 0.0 for s, q in f.queues.items()
        }
        yield _one("oldest_item_seconds", "Since when the first item of a state stands in it.", ("state",), age)
        yield _one("held_late_items", "Held items that wait for a person for too long.", (), {(): f.held_late[0]})
        yield _one("service_up", "Whether the service was heard of a moment ago.", (), {(): alive(f.now, f.beat)})
        if f.beat:
            yield _one(
                "service_seen_timestamp_seconds", "When the service was last heard of.", (), {(): f.beat.at.timestamp()}
            )
            yield _one("inbox_waiting_files", "Files in the inbox that are not taken yet.", (), {(): f.beat.waiting})
            yield _one(
                "folder_events",
                "Whether the inbox sends events; else the sweep alone finds files.",
                (),
                {(): float(f.beat.events)},
            )
            yield _one("inbox_broken_off_files", "Uploads that nobody finished for a day.", (), {(): f.beat.broken_off})
            yield _one(
                "engines_fit",
                "Whether the engines see what is in the known photographs.",
                (),
                {(): float(not f.beat.unfit)},
            )
            yield _one("service_problem", "Whether the service reports a problem.", (), {(): float(f.beat.problem)})
        yield _one("register_version", "The version of the register in force.", (), {(): f.register.version})
        if f.register.loaded:
            yield _one(
                "register_loaded_timestamp_seconds",
                "Since when it is in force.",
                (),
                {(): f.register.loaded.timestamp()},
            )
        if f.register.read:
            yield _one(
                "register_read_timestamp_seconds",
                "When its source was last read.",
                (),
                {(): f.register.read.timestamp()},
            )
        yield _one("register_waiting_people", "People of whom a change waits.", (), {(): f.register.waiting})
        yield _one("disk_free_bytes", "Room where a folder lies.", ("folder",), {(d.folder,): d.free for d in f.disks})
        yield _one(
            "disk_size_bytes",
            "Size of the disk where a folder lies.",
            ("folder",),
            {(d.folder,): d.total for d in f.disks},
        )
        yield _one("log_entries", "Entries of the log.", (), {(): f.log.entries})
        flaws = float("nan") if f.log.flaws is None else f.log.flaws
        yield _one("log_flaws", "Flaws that the last verification of the log found; NaN: it failed.", (), {(): flaws})
        if f.log.verified:
            yield _one(
                "log_verified_timestamp_seconds",
                "When the log was last verified.",
                (),
                {(): f.log.verified.timestamp()},
            )
        yield _one(
            "alarm",
            "Whether an alarm was told and is not over.",
            ("alarm",),
            {(name,): float(self._alarms.get(name, False)) for name in TEXTS if name != "test"},
        )
        took = HistogramMetricFamily("beeldwacht_item_seconds", "How long the newest decision of an item took.")
        buckets = [(str(limit), n) for limit, n in zip(BUCKETS, f.seconds.within, strict=True)]
        took.add_metric([], [*buckets, ("+Inf", f.seconds.count)], f.seconds.total)
        yield took


def _one(
    name: str, what: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float | int]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"beeldwacht_{name}", what, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
