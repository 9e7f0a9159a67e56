"""When to speak: once when something goes wrong, again while it lasts, and once when it is over. Pure.

Every place that is told has a memory of its own, so that a mail server that is down neither silences the webhook nor
makes it repeat itself. What could not be delivered stays due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pipeline.domain.types import JsonObject
from pipeline.monitoring.health import Condition

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)

TEXTS: Mapping[str, tuple[str, str]] = {
    "held": ("Files wait for a person for too long", "Bestanden wachten te lang op een mens"),
    "stopped": ("The service does not run", "De dienst draait niet"),
    "silent": (
        "The service is silent, nothing is watched or published",
        "De dienst is stil, er wordt niets bewaakt of gepubliceerd",
    ),
    "folders": (
        "The service reports a problem with its folders or its disk",
        "De dienst meldt een probleem met zijn mappen of zijn schijf",
    ),
    "engines": (
        "The engines do not see what is in the known photographs, nothing is processed",
        "De herkenners zien niet wat er op de bekende foto's staat, er wordt niets verwerkt",
    ),
    "broken_off": (
        "Uploads were broken off and keep their temporary names, files",
        "Uploads zijn afgebroken en houden hun tijdelijke namen, bestanden",
    ),
    "stuck": ("Files are on their way and do not get further", "Bestanden zijn onderweg en komen niet verder"),
    "register_refused": (
        "The consent register was refused, the version before it stays in force",
        "Het toestemmingsregister is geweigerd, de vorige versie blijft gelden",
    ),
    "register_waits": (
        "Changes of consent wait to be confirmed, people",
        "Wijzigingen van toestemming wachten op bevestiging, personen",
    ),
    "register_stale": ("The consent register is stale, days old", "Het toestemmingsregister is verouderd, dagen oud"),
    "disk": ("A disk is nearly full, MiB left", "Een schijf is bijna vol, MiB over"),
    "recall_due": (
        "Something has to be taken down that somebody may not be seen in",
        "Er moet iets worden weggehaald waarop iemand niet zichtbaar mag zijn",
    ),
    "publish": (
        "The publish folder does not hold what was decided, files",
        "In de publicatiemap staat niet wat is besloten, bestanden",
    ),
    "log": ("The log was changed, flaws", "Het logboek is veranderd, gebreken"),
    "log_unread": ("The log cannot be verified", "Het logboek kan niet worden gecontroleerd"),
    "database": ("The database does not answer", "De database antwoordt niet"),
    "test": ("This is a test", "Dit is een proef"),
}
"""What each alarm says, in English and Dutch; a count may follow."""

REMEDIES: Mapping[str, str] = {
    "held": "beeldwacht status",
    "stopped": "beeldwacht run",
    "silent": "beeldwacht doctor",
    "folders": "beeldwacht status",
    "engines": "beeldwacht doctor",
    "broken_off": "beeldwacht status",
    "stuck": "beeldwacht status",
    "register_refused": "beeldwacht register sync",
    "register_waits": "beeldwacht register sync --confirm NAME",
    "register_stale": "beeldwacht register sync",
    "disk": "beeldwacht doctor",
    "recall_due": "beeldwacht recall",
    "publish": "beeldwacht publication check",
    "log": "beeldwacht log verify",
    "log_unread": "beeldwacht log verify",
    "database": "beeldwacht doctor",
    "test": "",
}
"""Where to look."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a place knows of one alarm: since when it is so, when it was last told, since when it is over."""

    since: datetime
    told: datetime | None = None
    gone: datetime | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What one place was told. After a failure nothing is tried before `not_before`."""

    alarms: Mapping[str, Known]
    failures: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to say."""

    alarm: str
    state: Literal["raised", "still", "cleared"]
    since: datetime
    count: int = 0
    items: tuple[int, ...] = ()

    def title(self, language: str) -> str:
        """What it is about, without figures."""
        said = TEXTS[self.alarm][language == "nl"]
        return said if self.state != "cleared" else f"{'voorbij' if language == 'nl' else 'over'}: {said}"

    def text(self, language: str) -> str:
        """One sentence."""
        dutch, said = language == "nl", self.title(language)
        if self.state == "cleared":
            return said
        said += f": {self.count}" if self.count else ""
        if self.items:
            numbers = ", ".join(map(str, self.items)) + (", ..." if self.count > len(self.items) else "")
            said += f" ({'nummers' if dutch else 'items'} {numbers})"
        if self.state == "still":
            said += f", {'sinds' if dutch else 'since'} {self.since:%Y-%m-%d %H:%M} UTC"
        return said + (f" -> {REMEDIES[self.alarm]}" if REMEDIES[self.alarm] else "")


def observe(memory: Memory, active: Iterable[Condition], now: datetime, calm: timedelta) -> Memory:
    """Note what began and what is over. What was never told and has been over for `calm` is forgotten."""
    names = {c.alarm for c in active}
    alarms: dict[str, Known] = {}
    for name, known in memory.alarms.items():
        gone = None if name in names else known.gone or now
        if known.told is not None or gone is None or now - gone < calm:
            alarms[name] = replace(known, gone=gone)
    for name in names - alarms.keys():
        alarms[name] = Known(now)
    return replace(memory, alarms=alarms)


def due(
    memory: Memory, active: Sequence[Condition], now: datetime, repeat: timedelta, calm: timedelta
) -> tuple[Notice, ...]:
    """What to tell a place now, of what `observe` noted. Nothing while it rests after a failure."""
    if memory.not_before is not None and now < memory.not_before:
        return ()
    notices = []
    for c in active:
        known = memory.alarms[c.alarm]
        if known.told is None:
            if now - known.since >= c.patience:
                notices.append(Notice(c.alarm, "raised", known.since, c.count, c.items))
        elif now - known.told >= repeat:
            notices.append(Notice(c.alarm, "still", known.since, c.count, c.items))
    names = {c.alarm for c in active}
    notices += [
        Notice(name, "cleared", known.since)
        for name, known in sorted(memory.alarms.items())
        if name not in names and known.told is not None and known.gone is not None and now - known.gone >= calm
    ]
    return tuple(notices)


def told(memory: Memory, notices: Iterable[Notice], now: datetime) -> Memory:
    """The memory after these were delivered."""
    alarms = dict(memory.alarms)
    for n in notices:
        if n.state == "cleared":
            del alarms[n.alarm]
        else:
            alarms[n.alarm] = replace(alarms[n.alarm], told=now)
    return Memory(alarms)


def failed(memory: Memory, now: datetime) -> Memory:
    """The memory after a delivery failed: the next try waits, longer each time, at most an hour."""
    wait = min(_FIRST_WAIT * 2 ** min(memory.failures, 10), _LONGEST_WAIT)
    return replace(memory, failures=memory.failures + 1, not_before=now + wait)


def to_json(memory: Memory) -> JsonObject:
    """A memory for the table."""
    times = {
        name: [k.since.isoformat(), k.told.isoformat() if k.told else None, k.gone.isoformat() if k.gone else None]
        for name, k in memory.alarms.items()
    }
    later = memory.not_before.isoformat() if memory.not_before else None
    return {"alarms": times, "failures": memory.failures, "not_before": later}


def from_json(value: JsonObject) -> Memory:
    """The inverse of `to_json`; alarms that this version does not know are forgotten."""

    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(text) if text else None

    alarms = {
        name: Known(datetime.fromisoformat(since), moment(said), moment(gone))
        for name, (since, said, gone) in value["alarms"].items()
        if name in TEXTS
    }
    return Memory(alarms, int(value["failures"]), moment(value["not_before"]))
