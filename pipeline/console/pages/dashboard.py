"""Today: what came in, what is in work, what is held and why, and how the service, the register and the disk are."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from models.downloads import manifest
from models.engines.registry import WEIGHTS_OF
from pipeline.console.request import OFFICER, Call
from pipeline.maintenance import doctor
from pipeline.officer.impact_assessment import reminders
from pipeline.people.register_sync import HEARTBEAT as READING
from pipeline.store.read_models import Queue

_DAYS = 56
Days = dict[str, dict[str, int]]
_HEIGHT = 60


def today(c: Call) -> Response:
    """The whole page."""
    return c.page("today.html", **_facts(c), charts=_charts(c), weights=_weights(c))


def now(c: Call) -> Response:
    """The part that changes while one looks."""
    return c.page("today_now.html", **_facts(c))


def _facts(c: Call) -> dict[str, Any]:
    store, settings = c.console.store, c.console.app.settings
    status = doctor.status(c.console.app)
    reading = store.items.heartbeat(READING)
    versions = store.register.versions()
    quarantine = list(settings.path("quarantine").rglob("*.reason.txt"))
    disk = shutil.disk_usage(settings.path("vault"))
    working = store.items.all(ids=status["service"].get("working", []))
    today = _today(c)
    return {
        "came": sum(today["item.arrived"].values()),
        "went": sum(today["item.published"].values()),
        "health": status,
        "held": store.read_models.held().most_common(),
        "working": working,
        "quarantine": len(quarantine),
        "disk": {"free": disk.free, "total": disk.total, "low": disk.free < 1 << 30},
        "register": {
            "last": versions[-1] if versions else None,
            "reading": reading,
            "age": (c.console.clock().date() - date.fromisoformat(versions[-1].loaded_at[:10])).days
            if versions
            else None,
        },
        "unsaid": store.read_models.count_waiting(Queue.SOUND) if c.has(OFFICER) else 0,
        "questions": len(store.questions.all(open_only=True)) if c.has(OFFICER) else 0,
        "reminders": reminders(settings, c.console.clock().date(), c.language),
        "incidents": store.review.incidents(open_only=True),
        "recall": _recall(c),
        "now": c.console.clock(),
    }


def _recall(c: Call) -> dict[str, Any]:
    """What is still to be taken back, replaced or taken down elsewhere."""
    store, on = c.console.store, c.console.clock().date()
    found = c.console.obligations.due(store, on)
    days = c.console.app.settings.register.task_days
    tasks = store.places.all(open_only=True)
    return {
        "files": sorted({*found.items, *(r.item_id for r in store.recall.unfinished())}),
        "people": found.people,
        "pending": store.recall.pending(),
        "gone": store.recall.irreplaceable(c.console.clock() - timedelta(days=60)),
        "tasks": tasks,
        "late": sum(1 for t in tasks if (day := t.due_on(days)) and day < on),
    }


def _charts(c: Call) -> list[dict[str, Any]]:
    """Bars of the last weeks: a day each, as parts of the highest day."""
    last = c.console.clock().date()
    days = [(last - timedelta(days=n)).isoformat() for n in range(_DAYS - 1, -1, -1)]
    past, new = _past(c), _today(c)
    found = {kind: past[kind] | new[kind] for kind in past}
    names = {"item.arrived": c._("Came in"), "item.published": c._("Published"), "item.held": c._("Held")}
    charts = []
    for kind, name in names.items():
        counts = [found[kind].get(d, 0) for d in days]
        top = max(*counts, 1)
        bars = [
            {"x": n * 6, "h": round(_HEIGHT * v / top, 1), "y": round(_HEIGHT - _HEIGHT * v / top, 1), "n": v, "day": d}
            for n, (d, v) in enumerate(zip(days, counts, strict=True))
        ]
        charts.append(
            {
                "name": name,
                "bars": bars,
                "total": sum(counts),
                "top": max(counts),
                "height": _HEIGHT,
                "width": _DAYS * 6,
            }
        )
    return charts


def _today(c: Call) -> Days:
    midnight = datetime.combine(c.console.clock().date(), time(), UTC)
    return c.console.store.read_models.days(midnight)


def _past(c: Call) -> Days:
    """The days before this one do not change: they are counted once a day."""
    day = c.console.clock().date()
    if c.console.counted is None or c.console.counted[0] != day:
        c.console.counted = day, c.console.store.read_models.days(c.console.clock() - timedelta(days=_DAYS))
    return c.console.counted[1]


def _weights(c: Call) -> list[tuple[str, bool]]:
    """Each engine's files, and whether they are there; `doctor` checks their bytes."""
    s = c.console.app.settings
    engines = (*s.detection.detectors, *(s.matching.embedders if s.matching.enabled else ()))
    names = [n for e in engines for n in WEIGHTS_OF.get(e, (e,))]
    return [(i.name, (s.path("weights") / i.file).is_file()) for i in manifest.items() if i.name in names]
