"""What an officer asks for, carried out: by the command line and by the console alike.

Each act is one transaction of the store; what it means for a file that is published already is done here: it is taken
back and decided again. Nothing here decides who may be shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from pipeline.domain.film import Stretch
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, JsonObject, Medium
from pipeline.errors import BeeldwachtError
from pipeline.processing.context import Context
from pipeline.publishing.recall import carry_out
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.rules.sound import MaySpeak, who_may_speak
from pipeline.rules.verdicts import may_in
from pipeline.store.act import STAFF_ASKED
from pipeline.store.recalls import TakeBack
from pipeline.store.review import ReviewError
from pipeline.store.rows import Item

SHORTEST_WHY = 3


def item_of(context: Context, item_id: int) -> Item:
    """The item of this number. Raises BeeldwachtError when there is none."""
    found = context.store.items.get(item_id)
    if found is None:
        raise BeeldwachtError(f"There is no item {item_id}.", "See `beeldwacht status` or the log for its number.")
    return found


def face_of(context: Context, item_id: int, face: int) -> JsonObject:
    """The newest verdict on one face of an item. Raises BeeldwachtError when the item has no such face."""
    rows = context.store.items.verdict_rows(item_id)
    for row in rows:
        if row["face"] == face:
            return row
    numbers = sorted({r["face"] for r in rows})
    what = f"its faces are {numbers[0]} to {numbers[-1]}" if numbers else "no faces are known of it"
    raise BeeldwachtError(f"Item {item_id} has no face {face}: {what}.", "See `beeldwacht item show`.")


def name_face(
    context: Context, item_id: int, face: int, person: str, by: str, redo: bool, why: str = "", seen: int | None = None
) -> State:
    """Say who a face is; the register decides whether that shows it. Returns the state of the item.

    `redo` decides a published item anew. Raises BeeldwachtError for somebody who is not in the register.
    """
    if person not in context.store.register.current().people:
        raise BeeldwachtError(f"{person} is not in the register.", "Give the id of somebody who is.")
    box = box_in(face_of(context, item_id, face)["box"])
    state = context.store.hand_names.name(context.clock(), item_id, face, box, person, by, why, seen, redo)
    return carried(context, item_id, state, by)


def unname_face(context: Context, item_id: int, face: int, by: str, redo: bool, seen: int | None = None) -> State:
    """Take back a name; a published file that shows the face because of it is replaced at once."""
    box = box_in(face_of(context, item_id, face)["box"])
    state = context.store.hand_names.unname(context.clock(), item_id, face, box, by, seen, redo)
    return carried(context, item_id, state, by)


def redo(context: Context, item_id: int, by: str) -> State:
    """Decide a published item again, so that it may show what it did not: a deliberate act. Returns its state."""
    begun = context.store.recall.begin(context.clock(), by, item_id, "", STAFF_ASKED, uncover=True)
    return carried(context, item_id, State.WITHDRAWN if begun else item_of(context, item_id).state, by)


def carried(context: Context, item_id: int, state: State, by: str) -> State:
    """Remove the files of an item that an act has just taken back. Returns the state it is in afterwards.

    Raises PublishError when the publish folder is away: the act counts, and the service removes them as soon as it can.
    """
    if state is not State.WITHDRAWN:
        return state
    carry_out(context.vault, context.store, context.clock(), by)
    return item_of(context, item_id).state


def deny(context: Context, item_id: int, face: int, by: str, why: str, seen: int | None = None) -> State:
    """Say that a face is not the person that it was named as; in this event nobody is named so by likeness again.

    Raises BeeldwachtError when the face was given no person.
    """
    verdict = face_of(context, item_id, face)
    person = verdict.get("person") or verdict.get("candidate")
    if not person:
        raise BeeldwachtError(f"Item {item_id}: face {face} was not taken for anybody.", "There is nothing to deny.")
    if verdict.get("named_by"):
        raise BeeldwachtError(
            f"Item {item_id}: face {face} has its name from {verdict['named_by']}, not from likeness.",
            "Take the name away instead.",
        )
    box = box_in(verdict["box"])
    return _mark(context, item_id, AnnotationKind.NOT_PERSON, by, why, box, str(person), seen)


def cover(
    context: Context,
    item_id: int,
    kind: AnnotationKind,
    box: Box,
    by: str,
    why: str,
    seen: int | None = None,
    span: Stretch | None = None,
) -> State:
    """Cover a face, a region that was drawn, more around a face, or a whole figure (`kind`).

    In a film a face is covered wherever it goes, and a region for the seconds of `span` (None: all of them).
    """
    if kind not in {AnnotationKind.COVER, AnnotationKind.REGION, AnnotationKind.WIDEN, AnnotationKind.FIGURE}:
        raise ValueError(f"{kind} covers nothing")
    if box.width < 1 or box.height < 1:
        raise ReviewError("The region is empty.", "Draw it again.")
    if span is not None and not 0 <= span.start < span.end < math.inf:
        raise ReviewError("The region ends before it begins.", "Give its first and its last second.")
    return _mark(context, item_id, kind, by, why, box, None, seen, span)


def uncover(context: Context, item_id: int, mark_id: int, by: str, why: str, seen: int | None = None) -> State:
    """Take a mark back. What is published stays as it is."""
    return context.store.review.unmark(context.clock(), by, item_id, mark_id, reason(why), seen)


def approve(context: Context, item_id: int, by: str, why: str, seen: int | None = None) -> State:
    """Let a held item go, whatever its event says; it is decided and checked again first."""
    return context.store.review.approve(context.clock(), by, item_id, reason(why), seen)


def reject(context: Context, item_id: int, by: str, why: str, seen: int | None = None) -> State:
    """Refuse a held item for good, or a published one: its files are taken back, and nothing comes in their place."""
    state = context.store.review.reject(context.clock(), by, item_id, reason(why), seen)
    carry_out(context.vault, context.store, context.clock(), by)
    return state


def retry(context: Context, item_id: int, by: str, why: str, seen: int | None = None) -> State:
    """Have a held or failed item decided again."""
    return context.store.review.retry(context.clock(), by, item_id, reason(why), seen)


def say_speakers(
    context: Context,
    item_id: int,
    people: Collection[str],
    by: str,
    why: str,
    redo: bool = False,
    seen: int | None = None,
    only: bool = False,
) -> tuple[State, bool]:
    """Say who can be heard in a film or recording, all of them; nobody when there are none.

    `only` answers for it that nobody else speaks, whoever is seen. Returns the state of the item, and whether it was
    taken back because one of them may not be heard where its sound was left. Raises BeeldwachtError for somebody who
    is not in the register.
    """
    at, store = context.clock(), context.store
    register = store.register.current()
    if missing := sorted(set(people) - register.people.keys()):
        raise BeeldwachtError(f"{', '.join(missing)}: not in the register.", "Give ids of people who are.")
    kept = store.recall.heard_before(item_id)
    refusing = [
        p
        for p in sorted(people)
        for c in (context.settings.channels if kept is None else kept)
        if not may_in(register, p, Medium.SOUND, c, at.date()).allowed
    ]
    back = TakeBack("somebody in it may not be heard", tuple(dict.fromkeys(refusing))) if refusing else None
    if redo and not refusing:
        back = TakeBack(STAFF_ASKED, uncover=True)
    was = item_of(context, item_id).state
    state = store.hand_names.say_speakers(at, item_id, people, by, why, seen, only, back)
    recalled = bool(refusing) and was is State.PUBLISHED and state is State.WITHDRAWN
    return carried(context, item_id, state, by), recalled


def may_speak(context: Context, item_id: int) -> tuple[MaySpeak, ...]:
    """Whom staff would answer for with "everybody who speaks here may be heard"; see `rules.sound.who_may_speak`."""
    item = item_of(context, item_id)
    seen = {str(v["person"]) for v in context.store.items.verdict_rows(item_id) if v["person"]}
    register = context.store.register.current()
    return who_may_speak(seen, register, context.settings.channels, context.clock().date(), item.event)


def ask(context: Context, item_id: int, by: str, text: str) -> int:
    """Ask the officer about a file (protocol B.5). Returns the number of the question."""
    return context.store.questions.ask(context.clock(), by, item_id, reason(text))


def answer(context: Context, question: int, by: str, text: str, refuse: bool) -> State:
    """Answer a question; `refuse`: the file may not go out, ever. Returns the state of the file."""
    found = [q for q in context.store.questions.all(open_only=True) if q.id == question]
    if refuse and found:
        reject(context, found[0].item_id, by, text)
    item = context.store.questions.answer(context.clock(), by, question, reason(text)).item_id
    return item_of(context, item).state


def undo_report(context: Context, incident: int, by: str, why: str) -> int:
    """Close a report that was a misunderstanding; the file that it withdrew is decided again. Returns the item."""
    item = context.store.review.undo_report(context.clock(), by, incident, reason(why))
    carry_out(context.vault, context.store, context.clock(), by)
    return item


def report_problem(context: Context, item_id: int, by: str, what: str) -> bool:
    """Withdraw a published item at once, without a replacement, and open an incident (protocol A.9, A.10).

    Returns False when it was not published any more.
    """
    begun = context.store.recall.begin(
        context.clock(), by, item_id, "", "a problem was reported", replace=False, incident=reason(what)
    )
    carry_out(context.vault, context.store, context.clock(), by)
    return begun


def reason(text: str) -> str:
    """A reason in words, for the log. Raises ReviewError when nothing was said."""
    plain = " ".join(text.split())
    if len(plain) < SHORTEST_WHY:
        raise ReviewError("No reason was given.", "Say why, in a few words: it is logged.")
    return plain[:1000]


def _mark(
    context: Context,
    item_id: int,
    kind: AnnotationKind,
    by: str,
    why: str,
    box: Box,
    person: str | None,
    seen: int | None,
    span: Stretch | None = None,
) -> State:
    state = context.store.review.mark(context.clock(), by, item_id, kind, reason(why), box, person, seen, span)
    return carried(context, item_id, state, by)
