"""The officer's review queue: one item at a time, what the machine made of each face, and what a person says of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pipeline.console.film_player import best_second, view
from pipeline.console.pages.film import NEVER_KEPT, seconds_of, source_of, span_of
from pipeline.console.previews import FILM_SECOND
from pipeline.console.request import Call, NotFound, Refused, whole
from pipeline.console.sentences import evidence, sentence
from pipeline.console.similar_faces import MOST_ITEMS
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, JsonObject, Medium
from pipeline.errors import BeeldwachtError, ChildError, Conflict, KeyUnknown, OriginalGone
from pipeline.officer import actions
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.rules.reasons import HoldReason
from pipeline.rules.verdicts import may_in
from pipeline.store.read_models import Queue
from pipeline.store.rows import Item

_MOST_FOUND = 12
_MOST_TOLD = 5
_HEAD = 240
_WHOLE = {"approve", "reject", "retry"}
"""Acts on the item as a whole: what is typed or drawn in a field stops them."""
_NO_UNDO = {"deny", "retry"}


@dataclass(frozen=True, slots=True)
class FaceView:
    """One face of an item: where, what was decided per channel, and on what evidence."""

    number: int
    box: Box
    shown: bool
    lines: tuple[str, ...]
    evidence: tuple[str, ...]
    person: str
    candidate: str
    named_by: str


def queue(c: Call) -> Response:
    """What waits for an officer."""
    which = _queue_of(c)
    views = c.console.store.read_models
    after = _int(c.query.get("after", "0"))
    items = views.waiting(which, after)
    return c.page(
        "queue.html",
        items=items,
        which=which,
        counts={q: views.count_waiting(q) for q in Queue},
        more=items[-1].id if len(items) == 50 else None,
    )


def _queue_of(c: Call) -> Queue:
    which = c.query.get("which", "")
    return Queue(which) if which in set(Queue) else Queue.HELD


def item(c: Call) -> Response:
    """One item, to decide on."""
    return _item(c, c.number("item"))


def original(c: Call) -> Response:
    """The original, for the eyes of an officer: logged, and cached by nobody. Of a film, one moment of it."""
    found = actions.item_of(c.console.context, c.number("item"))
    c.console.store.review.viewed(c.console.clock(), c.account.actor, found.id)
    return _jpeg(c, found, second=seconds_of(c.query.get("at", ""), FILM_SECOND))


def face(c: Call) -> Response:
    """One face of the original, larger."""
    found = actions.item_of(c.console.context, c.number("item"))
    verdict = actions.face_of(c.console.context, found.id, c.number("face"))
    c.console.store.review.viewed(c.console.clock(), c.account.actor, found.id)
    board = c.console.store.read_models.board(found.id)
    second = best_second(verdict, board) if board else FILM_SECOND
    return _jpeg(c, found, box_in(verdict["box"]).grow(0.6), _HEAD, second)


def people(c: Call) -> Response:
    """People of the register whose name or id holds what was typed; those of the event's groups first."""
    number = c.number("item")
    found = actions.item_of(c.console.context, number)
    face = _int(c.query.get("face", "0"))
    wanted = " ".join(c.query.get(f"person-{face}", "").split()).casefold()
    register = c.console.store.register.current()
    hits = [p for p in register.people.values() if wanted in p.name.casefold() or wanted == p.person_id.casefold()]
    groups = set(found.event.groups)
    hits.sort(key=lambda p: (groups.isdisjoint(p.groups), p.name.casefold()))
    on = c.console.clock().date()
    channels = c.console.app.settings.channels
    medium = Medium.FILM if found.format.startswith("film") else Medium.PHOTO
    rows = [
        (p, [(ch, may_in(register, p.person_id, medium, ch, on)) for ch in channels])
        for p in (hits[:_MOST_FOUND] if len(wanted) >= 2 else [])
    ]
    return c.page("review_people.html", rows=rows, face=face, more=len(hits) > _MOST_FOUND, wanted=wanted)


def act(c: Call) -> Response:
    """Carry out what a button says, such as `cover:3` or `name:3:P0042`, and show the item again, or the next one."""
    number, what = c.number("item"), c.form.get("act", "")
    following = c.console.store.read_models.neighbours(number)[1]
    if what == "none":
        return _item(c, number)
    if what in _WHOLE and (left := _unsent(c)):
        return _item(c, number, 409, left)
    try:
        done = _act(c, number, what)
    except Conflict:
        return _item(
            c,
            number,
            409,
            c._(
                "Somebody else did something with this item while you looked at it. "
                "Nothing of yours was kept: look again, then decide."
            ),
        )
    except BeeldwachtError as e:
        return _item(c, number, 409, c.say(e))
    c.console.app.write_log_files()
    ends = what in {"approve", "reject"}
    target = f"/review/{following}" if ends and following else "/review" if ends else f"/review/{number}"
    verb = what.partition(":")[0]
    return c.go(target if verb in _NO_UNDO else f"{target}?undo={number}", done)


def undo(c: Call) -> Response:
    """Take back what one did last with an item, within ten seconds; nothing was published by it yet."""
    number = c.number("item")
    c.console.store.undo.undo(c.console.clock(), c.account.actor, number)
    c.console.app.write_log_files()
    return c.go(f"/review/{number}", c._("Undone. The file is decided again."))


def _unsent(c: Call) -> str:
    """What was typed or drawn, and would be thrown away by an act on the whole item; empty when nothing was."""
    if any(c.form.get(k, "").strip() for k in ("left", "top", "right", "bottom", "from", "until")):
        return c._("A region is drawn that was not sent. Cover it, or empty its four sides; then decide.")
    if any(v.strip() for k, v in c.form.items() if k.startswith("person-")):
        return c._("A name is typed that was not given. Give it, or empty the field; then decide.")
    if c.form.get("speakers", "").strip():
        return c._("Who can be heard is typed and was not sent. Send it, or empty the field; then decide.")
    return ""


def alike(c: Call) -> Response:
    """Faces of the same event that resemble this one; looks for a few seconds, and says how much is left."""
    context, settings = c.console.context, c.console.app.settings
    found, face = actions.item_of(context, c.number("item")), c.number("face")
    version = c.console.store.review.version
    if not settings.matching.enabled:
        return c.page("review_alike.html", item=found, face=face, found=[], left=0, off=True, version=version)
    others = c.console.store.read_models.of_event(found.event.name, MOST_ITEMS)
    left = c.console.memory.look(c.token, found, others)
    hits = [] if left else c.console.memory.alike(c.token, found, face, others, settings.matching.rules)
    return c.page("review_alike.html", item=found, face=face, found=hits, left=left, off=False, version=version)


def together(c: Call) -> Response:
    """Give the faces that were ticked one name; what changed meanwhile is left alone, and said."""
    person, why = _who(c, c.form.get("person", "")), actions.reason(c.form.get("why", ""))
    done, not_done = 0, []
    for ticked in c.many.get("face", [])[:MOST_ITEMS]:
        number, face, seen = [*map(_int, ticked.split(":")), -1, -1][:3]
        try:
            found = actions.item_of(c.console.context, number)
            redo = found.state is State.PUBLISHED
            actions.name_face(c.console.context, found.id, face, person, c.account.actor, redo, why, seen)
            done += 1
        except BeeldwachtError as e:
            not_done.append(c.say(e))
    c.console.app.write_log_files()
    said = c._("Faces named: {n}.").format(n=done) + " " + " ".join(not_done[:_MOST_TOLD])
    return c.go(f"/review/{c.number('item')}", said.strip())


def _act(c: Call, number: int, what: str) -> str:
    """One act; returns what was done, for the person."""
    context, by, why = c.console.context, c.account.actor, c.form.get("why", "")
    seen = _int(c.form.get("seen", "-1"))
    verb, _, rest = what.partition(":")
    if verb in {"cover", "widen", "figure"}:
        box = box_in(actions.face_of(context, number, _int(rest))["box"])
        actions.cover(context, number, AnnotationKind(verb), box, by, why, seen)
    elif verb == "region":
        actions.cover(context, number, AnnotationKind.REGION, _drawn(c), by, why, seen, span_of(c))
    elif verb == "speakers" and rest == "everybody":
        said = c.many.get("heard", [])
        if not said:
            raise Refused(400, c._("Tick those who may be heard, or name the speakers."))
        actions.say_speakers(context, number, said, by, actions.reason(why), _published(c, number), seen, only=True)
    elif verb == "speakers":
        typed = [] if rest == "nobody" else [t for t in re.split("[,;]", c.form.get("speakers", "")) if t.strip()]
        if not typed and rest != "nobody":
            raise Refused(400, c._("Type who can be heard, or choose nobody."))
        said = [_who(c, t) for t in typed]
        actions.say_speakers(context, number, said, by, actions.reason(why), _published(c, number), seen)
    elif verb == "deny":
        actions.deny(context, number, _int(rest), by, why, seen)
    elif verb == "name":
        face, _, person = rest.partition(":")
        person = person or _who(c, c.form.get(f"person-{face}", ""))
        actions.name_face(context, number, _int(face), person, by, _published(c, number), actions.reason(why), seen)
    elif verb == "unname":
        actions.reason(why)
        actions.unname_face(context, number, _int(rest), by, _published(c, number), seen)
    elif verb == "unmark":
        actions.uncover(context, number, _int(rest), by, why, seen)
    elif verb in {"approve", "reject", "retry"}:
        {"approve": actions.approve, "reject": actions.reject, "retry": actions.retry}[verb](
            context, number, by, why, seen
        )
    else:
        raise Refused(400, c._("This is not known."))
    return {
        "approve": c._("Approved: it is decided and checked again, then published."),
        "reject": c._("Refused."),
    }.get(verb, c._("Noted. The file is decided again."))


def _who(c: Call, typed: str) -> str:
    """The id of somebody in the register, by id or by the whole name. Raises BeeldwachtError for nobody, or several."""
    text, register = " ".join(typed.split()), c.console.store.register.current()
    if text in register.people:
        return text
    found = [p.person_id for p in register.people.values() if text and p.name.casefold() == text.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise BeeldwachtError(f"Several people are called {text}: {', '.join(sorted(found))}.", "Type the id.")
    raise BeeldwachtError(
        f"Nobody in the register has the name or id {text or '-'}.", "Type it as the register has it."
    )


def _published(c: Call, number: int) -> bool:
    return actions.item_of(c.console.context, number).state is State.PUBLISHED


def _drawn(c: Call) -> Box:
    try:
        sides = [float(c.form.get(k, "")) for k in ("left", "top", "right", "bottom")]
    except ValueError:
        raise Refused(400, c._("Draw the region first, or type its four sides in pixels.")) from None
    if not all(math.isfinite(s) for s in sides):
        raise Refused(400, c._("Draw the region first, or type its four sides in pixels."))
    left, top, right, bottom = sides
    return Box(min(left, right), min(top, bottom), max(left, right), max(top, bottom))


def _item(c: Call, number: int, status: int = 200, problem: str = "") -> Response:
    store = c.console.store
    found = store.items.get(number)
    if found is None:
        raise NotFound
    queue = _queue_of(c) if "which" in c.query else Queue.DOUBTS if found.state is State.PUBLISHED else Queue.HELD
    before, after = store.read_models.neighbours(number, queue)
    names = {p: person.name for p, person in store.register.current().people.items()}
    rows, renditions = store.items.verdict_rows(number), store.items.renditions(number)
    published = [r for r in renditions if r.state is State.PUBLISHED]
    board = store.read_models.board(number)
    at = seconds_of(c.query.get("at", ""), 0.0)
    film = view(board, rows, store.read_models.sounds(number), at, c.language) if board else None
    size = store.read_models.size(number) or (None if film else _measured(c, found))
    size = size if size and all(size) else None  # a sound recording has none
    said = store.hand_names.speakers(number) if board else None
    return c.page(
        "review.html",
        status,
        item=found,
        problem=problem,
        faces=_faces(rows, c),
        size=size,
        marks=store.review.marks(number),
        names=names,
        seen=store.review.version(number),
        before=before,
        after=after,
        why=c.form.get("why", ""),
        approvable=_approvable(found),
        moving=found.state in {State.QUEUED, State.WORKING, State.READY},
        renditions=published,
        film=film,
        source=source_of(c, number, board, published),
        speakers=said,
        may_speak=actions.may_speak(c.console.context, number) if board else (),
        queue=queue,
        questions=store.questions.all(number),
    )


def _measured(c: Call, found: Item) -> tuple[int, int] | None:
    try:
        seen = c.console.previews.original(found, None, 16)
    except (ChildError, KeyUnknown, OriginalGone, OSError):
        return None
    return seen.width, seen.height


def _approvable(found: Item) -> bool:
    """Held by what its event says, and by nothing that a machine found wrong."""
    return found.state is State.HELD and bool(found.reasons) and {*found.reasons} <= {str(h) for h in HoldReason}


def _faces(rows: Sequence[JsonObject], c: Call) -> list[FaceView]:
    by_face: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_face.setdefault(int(row["face"]), []).append(row)
    return [
        FaceView(
            number,
            box_in(own[0]["box"]),
            any(r["shown"] for r in own),
            tuple(sentence(r, c.language, c.console.store.register) for r in own),
            tuple(dict.fromkeys(x for r in own for x in evidence(r, c.language))),
            str(own[0].get("person") or ""),
            str(own[0].get("candidate") or ""),
            str(own[0].get("named_by") or ""),
        )
        for number, own in sorted(by_face.items())
    ]


def _jpeg(c: Call, found: Item, box: Box | None = None, longest: int = 1600, second: float = FILM_SECOND) -> Response:
    try:
        moment = second if found.format.startswith("film") else None
        seen = c.console.previews.original(found, box, longest, moment)
    except OriginalGone:
        return Response(c._("The original is not in the vault any more."), 410, media_type="text/plain; charset=utf-8")
    except (ChildError, KeyUnknown, OSError):
        return Response(c._("The original cannot be shown."), 415, media_type="text/plain; charset=utf-8")
    return Response(seen.jpeg, media_type="image/jpeg", headers={"cache-control": NEVER_KEPT})


def _int(text: str) -> int:
    number = whole(text)
    return -1 if number is None else number
