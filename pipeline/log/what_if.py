"""Which decisions would be others under another register, rule or threshold: from what was recorded. Pure.

Nothing is looked at again. What cannot be told from the record is counted as such: a face that was too small or not
described, and people who have no template yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pipeline.domain.types import Event, MatchResult, Medium, Reason, Register
from pipeline.rules.verdicts import hold_reasons, judge

_BY_SCORE = frozenset({Reason.UNKNOWN_PERSON, Reason.AMBIGUOUS})


@dataclass(frozen=True, slots=True)
class Past:
    """One item as it was decided: its event, and the recorded verdicts of its newest decision."""

    item_id: int
    state: str
    event: Event
    reasons: Sequence[str]
    verdicts: Sequence[Mapping[str, Any]]
    medium: Medium = Medium.PHOTO


@dataclass(frozen=True, slots=True)
class Change:
    """One face of one item on one channel (face -1: the item as a whole), before and after."""

    item_id: int
    state: str
    channel: str
    face: int
    person_id: str | None
    before: str
    after: str
    shown_before: bool
    shown_after: bool


def what_if(
    past: Sequence[Past], now: Register, then: Register, on: date, shift: Mapping[str, float] | None = None
) -> list[Change]:
    """What would change if `then` were the register instead of `now`, and thresholds moved by `shift` (per age band).

    Both sides are judged as of `on` from the same recorded sightings, so that the passing of time is no difference.
    """
    found: list[Change] = []
    for item in past:
        once = item.medium is Medium.PHOTO
        channels = dict.fromkeys(str(v["channel"]) for v in item.verdicts)
        for channel in channels:
            rows = [v for v in item.verdicts if v["channel"] == channel]
            before = judge([sighting(v, {}) for v in rows], now, item.event, channel, item.medium, on, once)
            after = judge([sighting(v, shift or {}) for v in rows], then, item.event, channel, item.medium, on, once)
            for b, a in zip(before, after, strict=True):
                if (b.shown, b.reason) != (a.shown, a.reason):
                    found.append(
                        Change(
                            item.item_id,
                            item.state,
                            channel,
                            b.face,
                            a.person_id or b.person_id,
                            str(b.reason),
                            str(a.reason),
                            b.shown,
                            a.shown,
                        )
                    )
        held_before, held_after = hold_reasons(item.event, now), hold_reasons(item.event, then)
        for reason in sorted(set(held_before) ^ set(held_after)):
            waits = reason in held_after
            found.append(
                Change(
                    item.item_id,
                    item.state,
                    "",
                    -1,
                    None,
                    "-" if waits else str(reason),
                    str(reason) if waits else "-",
                    waits,
                    not waits,
                )
            )
    return found


def sighting(v: Mapping[str, Any], shift: Mapping[str, float]) -> MatchResult:
    """The sighting that a recorded verdict came from, with its threshold moved."""
    reason: Reason | None = Reason(v["reason"])
    person = v.get("person")
    seen = MatchResult(
        int(v["face"]),
        person,
        None if person else reason,
        v.get("candidate"),
        v.get("score"),
        v.get("runner_up"),
        v.get("threshold"),
        v.get("margin"),
        v.get("false_match_rate"),
        v.get("band", ""),
        v.get("engine_scores", {}),
        str(v.get("named_by", "")),
    )
    move, score = shift.get(seen.band, 0.0), seen.score
    if not move or seen.named_by or seen.threshold is None or score is None:
        return seen
    needed = seen.threshold + move
    seen = replace(seen, threshold=needed)
    if seen.person_id is not None and score < needed:
        return replace(seen, person_id=None, reason=Reason.UNKNOWN_PERSON)
    if seen.person_id is None and seen.reason in _BY_SCORE and score >= needed:
        ahead = seen.runner_up is None or (seen.margin is not None and score - seen.runner_up >= seen.margin)
        if ahead:
            return replace(seen, person_id=seen.candidate, reason=None)
        return replace(seen, reason=Reason.AMBIGUOUS)
    return seen
