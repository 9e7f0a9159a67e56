"""The story of one film or sound recording: look, recognise, judge, plan, render, verify, record.

Like pipeline.process it orders the steps and decides nothing. What the first pass saw (boxes and landmarks, no pixels,
no embeddings) is kept in work/ until the decision is recorded, so that a worker that was killed goes on from there.
"""

from __future__ import annotations

import gzip
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline import film_marks, film_paths, film_plan, hearing, marks, policy
from pipeline.errors import ChildError
from pipeline.faults import reach
from pipeline.film_marks import SAME_TRACK
from pipeline.film_types import FilmFacts, Look, SoundMode, SoundPlan, Speakers, Stretch, Track
from pipeline.film_wire import covers_out, facts_in, look_in, look_out, samples_out, stretches_in, stretches_out
from pipeline.gallery import Gallery, as_before
from pipeline.hearing import recording_plan, sound_plan
from pipeline.identity import Glance, identify, with_track_names
from pipeline.lab import Lab, Product
from pipeline.lifecycle import State
from pipeline.marks import Mark
from pipeline.parts import Parts
from pipeline.reasons import HoldReason
from pipeline.store.records import Decision, Draft, FilmDecision, Item
from pipeline.triage import SAME_FACE, failed_checks, film_look_again
from pipeline.types import (
    Analysis,
    Box,
    Check,
    Detection,
    Face,
    JsonObject,
    Medium,
    Reason,
    Register,
    Sighting,
    Verdict,
)
from pipeline.wire import box_in, box_out, check_in, face_in

logger = logging.getLogger(__name__)
Key = TypeVar("Key")
ROUNDS = 3  # how often a result may be covered further before it is held


@dataclass(frozen=True, slots=True)
class _Film:
    """One film as the child knows it: where it is, what it is, and how to ask about it."""

    path: Path
    raw: JsonObject
    facts: FilmFacts
    lab: Lab

    def ask(self, operation: str, **request: object) -> JsonObject:
        return self.lab.film(operation, self.path, self.facts.duration, facts=self.raw, **request)


def look_name(item: Item, parts: Parts) -> str:
    """The note in work/ with what the first pass saw; it is of no use to other detectors."""
    engines = "".join(parts.engines.get(d, "")[:4] for d in parts.settings.detection.detectors)
    return f"look-{item.sha256[:32]}-{engines}"


def leftovers(item: Item, parts: Parts) -> list[str]:
    """The files in work/ that an attempt which did not come to its end may have left."""
    return [look_name(item, parts), *(_work_name(item, c) for c in parts.settings.channels)]


def decide_film(item: Item, original: Path, owner: str, lab: Lab, parts: Parts) -> State:
    """Take a film as far as it goes; returns the state it was left in. Raises like pipeline.process."""
    started = parts.seconds()
    film = _film(original, lab)
    look = _look(film, look_name(item, parts), parts)
    register, on = parts.store.register.current(), parts.clock().date()
    gallery = parts.galleries.of(register, item.event, on)
    names, mark = parts.store.naming.names(item.id)
    analysis = _analysis(film.facts, look)
    sightings, lost = with_track_names(_recognise(film, look, gallery), analysis.faces, names, SAME_TRACK)
    if lost:
        notes = (*analysis.notes, *(f"the face named {n.person_id} was not found" for n in lost))
        analysis = replace(analysis, notes=notes)
    verdicts: Mapping[str, Sequence[Verdict]] = {
        c: policy.judge(sightings, register, item.event, c, Medium.FILM, on, once=False)
        for c in parts.settings.channels
    }
    before = parts.store.recall.shown_before(item.id)
    if before is not None:
        verdicts = {c: as_before(v, analysis.faces, before.get(c, ()), SAME_TRACK) for c, v in verdicts.items()}
    by_hand, size = parts.store.review.marks(item.id), (film.facts.width, film.facts.height)
    seconds = tuple(film_plan.seconds_of(t, float(film.facts.rate)) for t in look.tracks)
    verdicts = {c: film_marks.reviewed(v, analysis.faces, seconds, by_hand, size) for c, v in verdicts.items()}
    people = {s.person_id for s in sightings if s.person_id is not None}
    unknown = sum(1 for t, s in zip(look.tracks, sightings, strict=True) if t.sure and s.person_id is None)
    speech, sound = _hear(film, item, people, unknown, register, on, parts)
    lifted = marks.lifted(by_hand)
    hold: list[str] = [r for r in policy.hold_reasons(item.event, register) if r not in lifted]
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    if not hold:
        plans: dict[tuple[frozenset[int], tuple[Stretch, ...]], list[str]] = {}
        for channel, own in verdicts.items():
            shown = frozenset(v.face for v in own if v.shown)
            plans.setdefault((shown, sound[channel].muted), []).append(channel)
        seed = secrets.randbits(63)

        def make(key: tuple[frozenset[int], tuple[Stretch, ...]], name: str) -> Product:
            return _produce(film, look, key[0], key[1], seed, name, gallery, parts, by_hand, analysis.faces)

        checks, drafts, hold = _renditions(item, plans, make, parts)
    facts = FilmDecision(
        look.frames, str(film.facts.rate), film.facts.duration, seconds, sound, _total(speech), _best_frames(look),
        film_paths.board(film.facts, look, speech),
    )  # fmt: skip
    decision = Decision(
        register.version, on, analysis, verdicts, checks, drafts, hold, parts.engines,
        round(parts.seconds() - started, 3), mark, facts,
    )  # fmt: skip
    return _record(item, owner, decision, parts)


def decide_recording(item: Item, original: Path, owner: str, lab: Lab, parts: Parts) -> State:
    """Take a sound recording as far as it goes. Nobody is seen: who may be heard is what staff or the event say."""
    started = parts.seconds()
    film = _film(original, lab)
    register, on = parts.store.register.current(), parts.clock().date()
    _, mark = parts.store.naming.names(item.id)
    speakers = parts.store.naming.speakers(item.id)
    channels, strict = parts.settings.channels, parts.settings.film.sound == "strict"
    lifted = marks.lifted(parts.store.review.marks(item.id))
    if speakers is None and HoldReason.SPEAKERS_UNKNOWN in lifted:
        speakers = Speakers(frozenset())  # an officer let it go without anybody named: with its speech muted

    kept = parts.store.recall.heard_before(item.id)

    def planned(speech: tuple[Stretch, ...]) -> dict[str, SoundPlan | HoldReason]:
        plans = {
            c: recording_plan(speakers, speech, _length(film.facts), register, c, on, item.event, strict)
            for c in channels
        }
        return {
            c: hearing.as_before(p, speech, _length(film.facts), strict)
            if kept is not None and c not in kept and isinstance(p, SoundPlan)
            else p
            for c, p in plans.items()
        }

    found = planned(())
    speech: tuple[Stretch, ...] = ()
    if any(isinstance(p, SoundPlan) and p.mode is SoundMode.MUTE_SPEECH for p in found.values()):
        speech = stretches_in(film.ask("film_speech")["speech"])
        found = planned(speech)
    sound = {c: p for c, p in found.items() if isinstance(p, SoundPlan)}
    hold: list[str] = [r for r in policy.hold_reasons(item.event, register) if r not in lifted]
    hold += sorted({str(p) for p in found.values() if isinstance(p, HoldReason)})
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    if not hold:
        plans: dict[tuple[Stretch, ...], list[str]] = {}
        for channel, plan in sound.items():
            plans.setdefault(plan.muted, []).append(channel)

        def make(muted: tuple[Stretch, ...], name: str) -> Product:
            target = str(parts.vault.work_file(name))
            value = film.ask("film_recording", target=target, muted=stretches_out(muted))
            return Product("m4a", tuple(check_in(c) for c in value["checks"]), Analysis(0, 0, "", ()))

        checks, drafts, hold = _renditions(item, plans, make, parts)
    board = film_paths.board(film.facts, None, speech)
    facts = FilmDecision(0, "0", _length(film.facts), (), sound, _total(speech), (), board)
    analysis = Analysis(0, 0, f"sound ({film.facts.sound_codec})", (), film.facts.notes)
    decision = Decision(
        register.version, on, analysis, dict.fromkeys(channels, ()), checks, drafts, hold, parts.engines,
        round(parts.seconds() - started, 3), mark, facts,
    )  # fmt: skip
    return _record(item, owner, decision, parts)


def render_only_film(
    item: Item, original: Path, boxes: Sequence[Box], name: str, lab: Lab, parts: Parts
) -> Product | None:
    """A film with the faces in these boxes shown (each in its best frame), everyone else covered, without sound.

    None when one of the boxes is no face of the film, or when it is a sound recording. Raises ChildError.
    """
    film = _film(original, lab)
    if not film.facts.width:
        return None
    name_of_note = look_name(item, parts)
    queued = parts.vault.kept(name_of_note) is not None  # a worker will want it
    look = _look(film, name_of_note, parts)
    if not queued:
        parts.vault.discard(name_of_note)
    faces = _analysis(film.facts, look).faces
    shown = frozenset(f.index for f in faces if any(f.detection.box.iou(b) >= SAME_TRACK for b in boxes))
    if not all(any(f.detection.box.iou(b) >= SAME_TRACK for f in faces) for b in boxes):
        return None
    nobody = Gallery((), {}, parts.settings.matching.rules, False)
    silent = _Film(film.path, film.raw | {"sound": False}, replace(film.facts, sound=False), lab)
    return _produce(silent, look, shown, (), secrets.randbits(63), name, nobody, parts)


# --- steps ----------------------------------------------------------------------------------------------------


def _film(path: Path, lab: Lab) -> _Film:
    raw = lab.film("film_facts", path)
    try:
        return _Film(path, raw, facts_in(raw), lab)
    except (KeyError, TypeError, ValueError) as e:
        raise ChildError(f"The reader of media gave facts that make no sense ({e}).") from e


def _look(film: _Film, name: str, parts: Parts) -> Look:
    """What the first pass saw: from the note of an earlier attempt, or by looking."""
    kept = parts.vault.kept(name)
    if kept is not None:
        try:
            return look_in(json.loads(gzip.decompress(kept)))
        except (OSError, EOFError, KeyError, TypeError, ValueError) as e:
            logger.warning("%s: the note of the first pass cannot be used (%s)", name, e)
    raw = film.ask("film_look")
    try:
        look = look_in(raw)
    except (KeyError, TypeError, ValueError) as e:
        raise ChildError(f"The reader of media gave tracks that make no sense ({e}).") from e
    parts.vault.keep(gzip.compress(json.dumps(raw).encode(), 1), parts.vault.work_file(name))
    reach("film.looked")
    return look


def _recognise(film: _Film, look: Look, gallery: Gallery) -> tuple[Sighting, ...]:
    """Who the tracks are. Faces are described only when there is somebody whom they could be."""
    if not gallery.enabled:
        return identify(look, {}, Reason.MATCHING_OFF)
    if gallery.unreadable or not gallery.templates:
        return identify(look, {}, Reason.NOT_COMPARED if gallery.unreadable else Reason.UNKNOWN_PERSON)
    rate = float(film.facts.rate)
    samples = tuple(s for t in look.tracks if t.sure for s in film_plan.samples(t, rate))
    faces: list[Face] = []
    if samples:
        value = film.ask("film_describe", look=look_out(look), samples=samples_out(samples))
        faces = _faces_in(value["faces"])
    if len(faces) != len(samples):
        raise ChildError("The reader of media described other faces than it was asked for.")
    glances: dict[int, list[Glance]] = {}
    for sample, face in zip(samples, faces, strict=True):
        track = look.tracks[sample.track]
        glance = Glance(gallery.match([face])[0], face.detection.box.size, film_plan.facing(track, sample.at))
        glances.setdefault(sample.track, []).append(glance)
    return identify(look, glances, Reason.NOT_COMPARED)


def _hear(
    film: _Film, item: Item, people: set[str], unknown: int, register: Register, on: date, parts: Parts
) -> tuple[tuple[Stretch, ...], dict[str, SoundPlan]]:
    """The stretches of speech, listened for only when some channel needs them, and the plan per channel."""
    speakers = parts.store.naming.speakers(item.id)
    everyone = people | (speakers.people if speakers else frozenset())
    nameless = unknown + (speakers.unknown if speakers else 0)
    strict = parts.settings.film.sound == "strict"

    kept = parts.store.recall.heard_before(item.id)
    length = _length(film.facts)

    def planned(speech: tuple[Stretch, ...]) -> dict[str, SoundPlan]:
        plans = {
            c: sound_plan(film.facts.sound, everyone, nameless, speech, length, register, c, on, item.event, strict)
            for c in parts.settings.channels
        }
        muted = [c for c in plans if kept is not None and c not in kept]
        return plans | {c: hearing.as_before(plans[c], speech, length, strict) for c in muted}

    found = planned(())
    if all(p.mode is not SoundMode.MUTE_SPEECH for p in found.values()):
        return (), found
    speech = stretches_in(film.ask("film_speech")["speech"])
    return speech, planned(speech)


def _renditions(
    item: Item, plans: Mapping[Key, Sequence[str]], make: Callable[[Key, str], Product], parts: Parts
) -> tuple[dict[str, Sequence[Check]], list[Draft], list[str]]:
    """One file for each plan, copied to every channel that has it: the checks, the drafts, and reasons to hold."""
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    hold: list[str] = []
    for plan, channels in plans.items():
        name = _work_name(item, channels[0])
        product = make(plan, name)
        reach("work.rendered")
        hold += [h for h in failed_checks(product.checks) if h not in hold]
        for channel in channels:
            own = _work_name(item, channel)
            if own != name:
                parts.vault.duplicate(name, own)
            checks[channel] = product.checks
            drafts.append(Draft(channel, own, *parts.vault.seal(own), product.extension))
    reach("work.sealed")
    if hold:
        for draft in drafts:
            parts.vault.discard(draft.work_name)
        drafts = []
    return checks, drafts, hold


def _produce(
    film: _Film,
    look: Look,
    shown: frozenset[int],
    muted: tuple[Stretch, ...],
    seed: int,
    name: str,
    gallery: Gallery,
    parts: Parts,
    by_hand: Sequence[Mark] = (),
    faces: Sequence[Face] = (),
) -> Product:
    """Render and verify; what the detectors find in the result that nobody decided on becomes a track of its own.

    `by_hand` is what an officer covered besides, `faces` the tracks in their best frames.
    """
    rate, facts = float(film.facts.rate), film.facts
    visible = [look.tracks[i] for i in sorted(shown)]
    for left in range(ROUNDS, 0, -1):
        hidden = {t.index for t in look.tracks} - shown
        covers = film_plan.covers(look, hidden, facts.width, facts.height, rate)
        covers += film_marks.covers(look, faces, by_hand, hidden, (facts.width, facts.height), rate)
        watched = film_plan.boundaries(look, rate)
        value = film.ask(
            "film_produce", covers=covers_out(covers), muted=stretches_out(muted),
            style=str(parts.settings.redaction.style), seed=seed, target=str(parts.vault.work_file(name)),
            embed=gallery.enabled, watched=list(watched), shown=_shown_boxes(visible, watched),
        )  # fmt: skip
        frames, seen = [int(f["frame"]) for f in value["found"]], _faces_in(f["face"] for f in value["found"])
        found = [(frame, face.detection) for frame, face in zip(frames, seen, strict=True)]
        extra, check = film_look_again(found, covers, visible)
        if check.passed or left == 1:
            break
        look = film_plan.extended(look, [(n, _row(d.box)) for n, d in extra], rate)
    named = [f for n, f in zip(frames, seen, strict=True) if not _is_shown(n, f, visible)]
    recognised = _nobody_recognised(gallery, named)
    checks = (*(check_in(c) for c in value["checks"]), check, recognised)
    return Product("mp4", checks, Analysis(facts.width, facts.height, "", ()))


def _nobody_recognised(gallery: Gallery, faces: Sequence[Face]) -> Check:
    """Whether anybody can still be named in a frame of the result, each face by itself."""
    named = [f for f in faces if gallery.match([f])[0].person_id is not None]
    detail = f"{len(faces)} covered faces still look like faces" if faces else ""
    if named:
        detail = f"{len(named)} covered faces can still be recognised"
    return Check("nobody_recognised", not named, detail)


def _shown_boxes(tracks: Sequence[Track], frames: Sequence[int]) -> list[list[object]]:
    """Where in these frames the faces are that stay visible: [frame, box]."""
    return [[n, list(b)] for t in tracks for n in frames if (b := film_plan.box_at(t, n))]


def _is_shown(frame: int, face: Face, tracks: Sequence[Track]) -> bool:
    boxes = (Box(*b) for t in tracks if (b := film_plan.box_at(t, frame)))
    return any(b.iou(face.detection.box) >= SAME_FACE for b in boxes)


def _faces_in(values: Iterable[JsonObject]) -> list[Face]:
    try:
        return [face_in(v) for v in values]
    except (KeyError, TypeError, ValueError) as e:
        raise ChildError(f"The reader of media gave faces that make no sense ({e}).") from e


def _row(box: Box) -> NDArray[np.float32]:
    return np.array([[box.left, box.top, box.right, box.bottom]], np.float32)


def _analysis(facts: FilmFacts, look: Look) -> Analysis:
    """The film as an analysis: its faces are the tracks, each where it is seen best."""
    faces = []
    for track in look.tracks:
        best = film_plan.best(track)
        left, top, right, bottom = (float(v) for v in track.boxes[best])
        box = box_in(box_out(Box(left, top, right, bottom).clamp(facts.width, facts.height)))
        faces.append(Face(track.index, Detection(box, float(track.scores.max()), None, ())))
    return Analysis(facts.width, facts.height, f"film ({facts.video_codec})", tuple(faces), facts.notes)


def _work_name(item: Item, channel: str) -> str:
    return f"{item.id}-{item.revision + 1}-{channel}.partial"


def _best_frames(look: Look) -> tuple[int, ...]:
    return tuple(int(t.frames[film_plan.best(t)]) for t in look.tracks)


def _length(facts: FilmFacts) -> float:
    return max(facts.duration, facts.video_end, facts.sound_end)


def _total(stretches: Iterable[Stretch]) -> float:
    return float(sum(s.end - s.start for s in stretches))


def _record(item: Item, owner: str, decision: Decision, parts: Parts) -> State:
    state = parts.store.items.record(parts.clock(), item, owner, decision).state
    reach("work.decided")
    parts.vault.discard(look_name(item, parts))
    return state
