"""The story of one file, on one screen: analyse, match, judge, plan, render, verify, triage, record.

This module orders the steps and decides nothing itself: policy, match, mask and triage are pure, the child reads and
writes media, the store commits. It raises LeaseLost when somebody else took the file over, and nothing else: every
other error ends the attempt with a reason, or raises Trouble: the installation kept the file back, and it waits.
"""

from __future__ import annotations

import errno
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from pipeline.config import Redaction
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Analysis, Check, JsonObject, Medium, Plan, Register, Verdict
from pipeline.errors import (
    BeeldwachtError,
    Cancelled,
    ChildRefused,
    EnginesUnfit,
    KeyUnknown,
    LeaseLost,
    OriginalGone,
    OriginalUnreadable,
    StoreError,
    Trouble,
)
from pipeline.kill_points import reach
from pipeline.log import replay
from pipeline.people.gallery import SAME_BOX, Gallery, with_names
from pipeline.processing.context import Context
from pipeline.processing.film import decide_film, render_only_film
from pipeline.processing.outcome import held_by, leftovers
from pipeline.processing.sound import decide_recording
from pipeline.redaction import manual_marks
from pipeline.redaction import regions as region_planning
from pipeline.redaction.verification import failed_checks, look_again
from pipeline.rules import verdicts as verdict_rules
from pipeline.sandbox.answers import Product
from pipeline.sandbox.client import MediaClient
from pipeline.store.appearances import Place
from pipeline.store.rows import Decision, Draft, Item

logger = logging.getLogger(__name__)
_EVERY_FILE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}
"""Errors that any other file would meet as well: no room, read-only, no descriptor, no memory, a share that is away."""
REST = 10.0  # seconds in which others pass a file that the quarantine does not take
ROUNDS = 3  # how often a result may be covered further before it is held


@dataclass(frozen=True, slots=True)
class _Seen:
    """One original, matched and judged."""

    analysis: Analysis
    gallery: Gallery
    verdicts: Mapping[str, Sequence[Verdict]]
    started: float
    on: date
    seed: int
    """Of the noise in the covers: the same for every channel, so that two copies cannot be averaged, and secret."""

    names_mark: int = 0
    basis: JsonObject = field(default_factory=dict)


def process(item: Item, owner: str, media_client: MediaClient, context: Context) -> State:  # noqa: PLR0911 - one return per ending
    """Take one claimed item as far as it goes; returns the state it was left in."""
    reach("work.claimed")
    work = context.settings.work
    if item.interruptions >= work.interruptions:
        why = f"The service was stopped {item.interruptions} times while it worked on this file."
        return _put_aside(item, owner, context, State.FAILED, "interrupted_too_often", why)
    if who := context.store.items.cancelled_by(item.id):
        return _put_aside(item, owner, context, State.FAILED, "cancelled", str(Cancelled(who)))
    try:
        media_client.start()
        with context.vault.opened(item.sha256) as original:
            decide = {Medium.FILM: decide_film, Medium.SOUND: decide_recording}.get(
                media_client.identify(original), _decide
            )
            return decide(item, original, owner, media_client, context)
    except LeaseLost as e:
        return _give_back(item, owner, context, str(e), blame=False)
    except OriginalGone as e:
        if why := context.vault.trouble():
            raise _waits(item, owner, context, why) from e
        if isinstance(e, OriginalUnreadable) and item.attempts < work.attempts:
            _give_back(item, owner, context, str(e), blame=True)
            raise Trouble(e.message, e.remedy) from e  # a moment's rest: the disk may recover
        return _put_aside(item, owner, context, State.FAILED, "original_gone", str(e))
    except ChildRefused as e:
        return _put_aside(item, owner, context, State.REJECTED, e.reason, str(e))
    except Cancelled as e:
        return _put_aside(item, owner, context, State.FAILED, "cancelled", str(e))
    except Exception as e:
        if why := _trouble(e, context):
            raise _waits(item, owner, context, why) from e
        if not isinstance(e, (BeeldwachtError, OSError)):
            logger.exception("item %s: unexpected error", item.id)
        if item.attempts >= work.attempts:
            why = f"{item.attempts} attempts failed; the last one: {context.vault.told(e)}"
            return _put_aside(item, owner, context, State.FAILED, "attempts_used_up", why)
        return _give_back(item, owner, context, context.vault.told(e), blame=True)


def _trouble(error: Exception, context: Context) -> str:
    """What is wrong with the installation when an attempt fails for a reason that is no file's; else empty."""
    everybodys = isinstance(error, (StoreError, KeyUnknown, EnginesUnfit))
    if everybodys or (isinstance(error, OSError) and error.errno in _EVERY_FILE):
        return context.vault.told(error)
    return context.vault.trouble()


def _decide(item: Item, original: Path, owner: str, media_client: MediaClient, context: Context) -> State:
    started = context.seconds()
    analysis = media_client.analyse(original, context.settings.matching.enabled)
    reach("work.analysed")
    register = context.store.register.current()
    on = context.clock().date()
    gallery = context.galleries.of(register, item.event, on)
    names, names_mark = context.store.hand_names.names(item.id)
    sightings, lost = with_names(gallery.match(analysis.faces), analysis.faces, names)
    if lost:
        analysis = replace(
            analysis, notes=(*analysis.notes, *(f"the face named {n.person_id} was not found" for n in lost))
        )
    verdicts = {
        channel: verdict_rules.judge(sightings, register, item.event, channel, Medium.PHOTO, on)
        for channel in context.settings.channels
    }
    before = context.store.recall.shown_before(item.id)
    if before is not None:
        verdicts = {c: manual_marks.as_before(own, analysis.faces, before.get(c, ())) for c, own in verdicts.items()}
    by_hand, size = context.store.review.marks(item.id), (analysis.width, analysis.height)
    verdicts = {c: manual_marks.reviewed(own, analysis.faces, by_hand, size) for c, own in verdicts.items()}
    people = {v.person_id for own in verdicts.values() for v in own if v.person_id}
    covers = context.settings.redaction.recorded(context.settings.channels)
    basis = replay.inputs(register, Medium.PHOTO, by_hand, before, people, covers)
    seen = _Seen(analysis, gallery, verdicts, started, on, secrets.randbits(63), names_mark, basis)
    lifted = manual_marks.lifted(by_hand)
    hold = held_by(item, register, lifted, context)
    if hold:
        return _record(item, owner, register, seen, {}, [], hold, context)
    reach("work.judged")
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    for plan, channels in _plans(analysis, verdicts, by_hand, context.settings.redaction).items():
        name = f"{item.id}-{item.revision + 1}-{channels[0]}.partial"
        product = _produce(plan, name, media_client, seen, context)
        reach("work.rendered")
        failed = failed_checks(product.checks)
        hold += [h for h in failed if h not in hold]
        for channel in channels:
            own = f"{item.id}-{item.revision + 1}-{channel}.partial"
            if own != name:
                context.vault.duplicate(name, own)
            checks[channel] = product.checks
            drafts.append(Draft(channel, own, *context.vault.seal(own), product.extension))
    if hold:
        for draft in drafts:
            context.vault.discard(draft.work_name)
        drafts = []
    reach("work.sealed")
    return _record(item, owner, register, seen, checks, drafts, hold, context)


def _plans(
    analysis: Analysis,
    verdicts: Mapping[str, Sequence[Verdict]],
    by_hand: Sequence[manual_marks.Annotation],
    redaction: Redaction,
) -> dict[Plan, list[str]]:
    """What to do, and for which channels: those that hide the same faces in the same style share one rendering."""
    plans: dict[Plan, list[str]] = {}
    for channel, own in verdicts.items():
        shown = frozenset(v.face for v in own if v.shown)
        hidden = [f.detection for f in analysis.faces if f.index not in shown]
        extra = manual_marks.extra_regions(by_hand, hidden, (analysis.width, analysis.height))
        regions = region_planning.add(region_planning.plan_regions(analysis, shown, redaction.reach), extra)
        plans.setdefault(Plan(regions, shown, redaction.style_of(channel)), []).append(channel)
    return plans


def _produce(
    plan: Plan, name: str, media_client: MediaClient, seen: _Seen, context: Context, embed: bool = True
) -> Product:
    """Render and verify; what the detectors still find in the result is covered too, and it is rendered again."""
    regions = plan.regions
    shown = {i: seen.analysis.faces[i].detection.place for i in plan.shown}
    matching = context.settings.matching.enabled and embed
    for left in range(ROUNDS, 0, -1):
        product = media_client.produce(
            regions,
            plan.style,
            seen.seed,
            context.vault.work_file(name),
            list(shown.values()),
            matching,
        )
        extra, check = look_again(product.analysis, regions, shown)
        if check.passed or left == 1:
            break
        size, reach = (seen.analysis.width, seen.analysis.height), context.settings.redaction.reach
        regions = region_planning.add(regions, (region_planning.region_of(d, *size, reach=reach) for d in extra))
    recognised = seen.gallery.recognises(product.analysis.faces, list(shown.values()))
    return Product(product.extension, (*product.checks, check, recognised), product.analysis)


def render_only(
    item: Item, places: Sequence[Place], name: str, media_client: MediaClient, context: Context
) -> Product | None:
    """The original with the faces in these places shown and everyone else covered, verified; for nobody's publication.

    None when one of the places is no face. What is written stands in work/ under `name`. Of a film the sound is left
    out. Raises ChildError, OriginalGone, KeyUnknown.
    """
    with context.vault.opened(item.sha256) as original:
        if media_client.identify(original) is not Medium.PHOTO:
            return render_only_film(item, original, places, name, media_client, context)
        analysis = media_client.analyse(original, False)
    shown = frozenset(f.index for f in analysis.faces if any(f.detection.box.iou(p.box) >= SAME_BOX for p in places))
    if not all(any(f.detection.box.iou(p.box) >= SAME_BOX for f in analysis.faces) for p in places):
        return None
    nobody = Gallery((), {}, context.settings.matching.rules, False)
    seen = _Seen(analysis, nobody, {}, context.seconds(), context.clock().date(), secrets.randbits(63))
    redaction = context.settings.redaction
    plan = Plan(region_planning.plan_regions(analysis, shown, redaction.reach), shown, redaction.style)
    return _produce(plan, name, media_client, seen, context, False)


def _record(
    item: Item,
    owner: str,
    register: Register,
    seen: _Seen,
    checks: Mapping[str, Sequence[Check]],
    drafts: Sequence[Draft],
    hold: Sequence[str],
    context: Context,
) -> State:
    decision = Decision(
        register.version,
        seen.on,
        seen.analysis,
        seen.verdicts,
        checks,
        drafts,
        hold,
        context.engines,
        round(context.seconds() - seen.started, 3),
        seen.names_mark,
        basis=seen.basis,
    )
    state = context.store.items.record(context.clock(), item, owner, decision).state
    reach("work.decided")
    return state


def _put_aside(item: Item, owner: str, context: Context, state: State, reason: str, why: str) -> State:
    """Into quarantine first, then the row: a crash in between repeats the copy and loses nothing.

    Raises Trouble when the quarantine takes nothing: this file waits, and lets the others pass.
    """
    try:
        with suppress(OriginalGone):  # then there is nothing to put aside
            context.vault.aside.copy(
                item.sha256, "/".join(filter(None, (item.event.name, item.folder, item.name))), why
            )
    except OSError as e:
        raise _waits(item, owner, context, context.vault.told(e, context.vault.quarantine), REST) from e
    reach("aside.explained")
    context.store.items.end(context.clock(), item, owner, state, [reason], why)
    reach("aside.done")
    for name in leftovers(item, context):
        context.vault.discard(name)
    return state


def _waits(item: Item, owner: str, context: Context, why: str, rest: float = 0) -> Trouble:
    _give_back(item, owner, context, why, blame=False, rest=rest)
    return Trouble(why, "The file waits, and is taken up again.")


def _give_back(item: Item, owner: str, context: Context, why: str, blame: bool, rest: float = 0) -> State:
    try:
        context.store.items.give_back(context.clock(), item, owner, why, blame, rest)
    except LeaseLost:
        return State.WORKING  # it is somebody else's already
    return State.QUEUED
