"""Whether what was published may stay as it is when its event turns out to have been another one. Pure.

Nothing is looked at again: the recorded figures are judged once more, by the same rules, with the corrected event.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from pipeline.domain.types import Event, Medium, Register
from pipeline.log.what_if import sighting
from pipeline.rules import sound as sound_rules
from pipeline.rules import verdicts as verdict_rules
from pipeline.rules.reasons import HoldReason
from pipeline.rules.sound_reasons import SoundReason


def still_stands(
    body: Mapping[str, Any], register: Register, event: Event, lifted: Collection[HoldReason], on: date, name: str
) -> bool:
    """Whether a recorded decision (the body of its entry) may go on standing with this event.

    `lifted` are the reasons to hold that an officer approved, `name` is what the file is called. Not when the event
    holds its files back, somebody is shown who is no candidate any more, or sound was kept for whom it would not be.
    An entry of an earlier version, which holds too little, does not stand.
    """
    if any(reason not in lifted for reason in verdict_rules.hold_reasons(event, register, name)):
        return False
    try:
        medium = Medium(body["basis"]["medium"])
        pictures = all(_pictures(rows, register, event, c, medium, on) for c, rows in body["verdicts"].items())
        sounds = all(_sound(plan, register, event, c, on) for c, plan in body.get("sound", {}).items())
    except KeyError:
        return False
    return pictures and sounds


def _pictures(
    rows: list[Mapping[str, Any]], register: Register, event: Event, channel: str, medium: Medium, on: date
) -> bool:
    once = medium is Medium.PHOTO
    verdicts = verdict_rules.judge([sighting(r, {}) for r in rows], register, event, channel, medium, on, once)
    return all(v.shown or not row["shown"] for row, v in zip(rows, verdicts, strict=True))


def _sound(plan: Mapping[str, Any], register: Register, event: Event, channel: str, on: date) -> bool:
    if plan["mode"] != "keep":
        return True
    heard = [h["person"] for h in plan["heard"]]
    if plan["reason"] == SoundReason.GROUPS_AGREED and not sound_rules.of_event(register, event) <= set(heard):
        return False
    return all(sound_rules.answer(p, register, channel, on, event).allowed for p in heard)
