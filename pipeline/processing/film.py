"""The story of one film: look, recognise, judge, plan, render, verify, record.

Like pipeline.processing.item it orders the steps and decides nothing. What the first pass saw (boxes and landmarks, no
pixels, no embeddings) is kept in work/ until the decision is recorded, so that a worker that was killed goes on from
there.
"""

from __future__ import annotations

import gzip
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import FilmFacts, FirstPass, SoundMode, SoundPlan, Stretch, Track
from pipeline.domain.film_json_forms import look_in
from pipeline.domain.json_forms import box_in, box_out
from pipeline.domain.lifecycle import State
from pipeline.domain.types import (
    Analysis,
    Box,
    Check,
    Detection,
    Face,
    MatchResult,
    Medium,
    Reason,
    Register,
    Verdict,
)
from pipeline.files.rename import write_file
from pipeline.kill_points import reach
from pipeline.log import replay
from pipeline.people.gallery import Gallery
from pipeline.processing.context import Context
from pipeline.processing.outcome import look_name, recorded, renditions, total
from pipeline.recognition.track_identity import TrackSample, identify, with_track_names
from pipeline.redaction import film_manual_marks, film_regions, film_timeline, manual_marks
from pipeline.redaction.film_manual_marks import SAME_TRACK
from pipeline.redaction.manual_marks import Annotation
from pipeline.redaction.verification import SAME_FACE, film_look_again
from pipeline.rules import sound as sound_rules
from pipeline.rules import verdicts as verdict_rules
from pipeline.rules.sound import sound_plan
from pipeline.sandbox.client import MediaClient, Product
from pipeline.sandbox.film_client import FilmReader
from pipeline.store.rows import Decision, Draft, FilmDecision, Item

logger = logging.getLogger(__name__)
ROUNDS = 3  # how often a result may be covered further before it is held


def decide_film(item: Item, original: Path, owner: str, media_client: MediaClient, context: Context) -> State:
    """Take a film as far as it goes; returns the state it was left in. Raises like pipeline.processing.item."""
    started = context.seconds()
    film = FilmReader.opened(original, media_client)
    look = _look(film, look_name(item, context), context)
    register, on = context.store.register.current(), context.clock().date()
    gallery = context.galleries.of(register, item.event, on)
    names, mark = context.store.hand_names.names(item.id)
    analysis = _analysis(film.facts, look)
    sightings, lost = with_track_names(_recognise(film, look, gallery), analysis.faces, names, SAME_TRACK)
    if lost:
        notes = (*analysis.notes, *(f"the face named {n.person_id} was not found" for n in lost))
        analysis = replace(analysis, notes=notes)
    verdicts: Mapping[str, Sequence[Verdict]] = {
        c: verdict_rules.judge(sightings, register, item.event, c, Medium.FILM, on, once=False)
        for c in context.settings.channels
    }
    before = context.store.recall.shown_before(item.id)
    if before is not None:
        verdicts = {
            c: manual_marks.as_before(v, analysis.faces, before.get(c, ()), SAME_TRACK) for c, v in verdicts.items()
        }
    by_hand, size = context.store.review.marks(item.id), (film.facts.width, film.facts.height)
    seconds = tuple(film_regions.seconds_of(t, float(film.facts.rate)) for t in look.tracks)
    verdicts = {c: film_manual_marks.reviewed(v, analysis.faces, seconds, by_hand, size) for c, v in verdicts.items()}
    people = {s.person_id for s in sightings if s.person_id is not None}
    unknown = sum(1 for t, s in zip(look.tracks, sightings, strict=True) if t.sure and s.person_id is None)
    speech, sound = _hear(film, item, people, unknown, register, on, context)
    lifted = manual_marks.lifted(by_hand)
    hold: list[str] = [r for r in verdict_rules.hold_reasons(item.event, register, item.name) if r not in lifted]
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    if not hold:
        plans: dict[tuple[frozenset[int], tuple[Stretch, ...], str], list[str]] = {}
        for channel, own in verdicts.items():
            shown = frozenset(v.face for v in own if v.shown)
            style = context.settings.redaction.style_of(channel)
            plans.setdefault((shown, sound[channel].muted, style), []).append(channel)
        seed = secrets.randbits(63)

        def make(key: tuple[frozenset[int], tuple[Stretch, ...], str], name: str) -> Product:
            return _produce(film, look, *key, seed, name, gallery, context, by_hand, analysis.faces)

        checks, drafts, hold = renditions(item, plans, make, context)
    facts = FilmDecision(
        look.frames,
        str(film.facts.rate),
        film.facts.duration,
        seconds,
        sound,
        total(speech),
        _best_frames(look),
        film_timeline.board(film.facts, look, speech),
    )
    decision = Decision(
        register.version,
        on,
        analysis,
        verdicts,
        checks,
        drafts,
        hold,
        context.engines,
        round(context.seconds() - started, 3),
        mark,
        facts,
        replay.inputs(
            register,
            Medium.FILM,
            by_hand,
            before,
            people | replay.heard(sound),
            context.settings.redaction.recorded(context.settings.channels),
        ),
    )
    return recorded(item, owner, decision, context)


def render_only_film(
    item: Item, original: Path, boxes: Sequence[Box], name: str, media_client: MediaClient, context: Context
) -> Product | None:
    """A film with the faces in these boxes shown (each in its best frame), everyone else covered, without sound.

    None when one of the boxes is no face of the film, or when it is a sound recording. Raises ChildError.
    """
    film = FilmReader.opened(original, media_client)
    if not film.facts.width:
        return None
    name_of_note = look_name(item, context)
    queued = context.vault.kept(name_of_note) is not None  # a worker will want it
    look = _look(film, name_of_note, context)
    if not queued:
        context.vault.discard(name_of_note)
    faces = _analysis(film.facts, look).faces
    shown = frozenset(f.index for f in faces if any(f.detection.box.iou(b) >= SAME_TRACK for b in boxes))
    if not all(any(f.detection.box.iou(b) >= SAME_TRACK for f in faces) for b in boxes):
        return None
    nobody = Gallery((), {}, context.settings.matching.rules, False)
    style = context.settings.redaction.style
    return _produce(film.without_sound(), look, shown, (), style, secrets.randbits(63), name, nobody, context)


# --- steps ----------------------------------------------------------------------------------------------------


def _look(film: FilmReader, name: str, context: Context) -> FirstPass:
    """What the first pass saw: from the note of an earlier attempt, or by looking."""
    kept = context.vault.kept(name)
    if kept is not None:
        try:
            return look_in(json.loads(gzip.decompress(kept)))
        except (OSError, EOFError, KeyError, TypeError, ValueError) as e:
            logger.warning("%s: the note of the first pass cannot be used (%s)", name, e)
    look, raw = film.look()
    write_file(gzip.compress(json.dumps(raw).encode(), 1), context.vault.work_file(name))
    reach("film.looked")
    return look


def _recognise(film: FilmReader, look: FirstPass, gallery: Gallery) -> tuple[MatchResult, ...]:
    """Who the tracks are. Faces are described only when there is somebody whom they could be."""
    if not gallery.enabled:
        return identify(look, {}, Reason.MATCHING_OFF)
    if gallery.unreadable or not gallery.templates:
        return identify(look, {}, Reason.NOT_COMPARED if gallery.unreadable else Reason.UNKNOWN_PERSON)
    rate = float(film.facts.rate)
    samples = tuple(s for t in look.tracks if t.sure for s in film_regions.samples(t, rate))
    faces = film.described(look, samples) if samples else ()
    glances: dict[int, list[TrackSample]] = {}
    for sample, face in zip(samples, faces, strict=True):
        track = look.tracks[sample.track]
        glance = TrackSample(gallery.match([face])[0], face.detection.box.size, film_regions.facing(track, sample.at))
        glances.setdefault(sample.track, []).append(glance)
    return identify(look, glances, Reason.NOT_COMPARED)


def _hear(
    film: FilmReader, item: Item, people: set[str], unknown: int, register: Register, on: date, context: Context
) -> tuple[tuple[Stretch, ...], dict[str, SoundPlan]]:
    """The stretches of speech, listened for only when some channel needs them, and the plan per channel."""
    speakers, rule = context.store.hand_names.speakers(item.id), context.settings.film.sound
    kept = context.store.recall.heard_before(item.id)
    length = film.length

    def planned(speech: tuple[Stretch, ...]) -> dict[str, SoundPlan]:
        plans = {
            c: sound_plan(
                film.facts.sound, people, unknown, speech, length, register, c, on, item.event, rule, speakers
            )
            for c in context.settings.channels
        }
        muted = [c for c in plans if kept is not None and c not in kept]
        return plans | {c: sound_rules.as_before(plans[c], speech, length, rule) for c in muted}

    found = planned(())
    if all(p.mode is not SoundMode.MUTE_SPEECH for p in found.values()):
        return (), found
    speech = film.speech()
    return speech, planned(speech)


def _produce(
    film: FilmReader,
    look: FirstPass,
    shown: frozenset[int],
    muted: tuple[Stretch, ...],
    style: str,
    seed: int,
    name: str,
    gallery: Gallery,
    context: Context,
    by_hand: Sequence[Annotation] = (),
    faces: Sequence[Face] = (),
) -> Product:
    """Render and verify; what the detectors find in the result that nobody decided on becomes a track of its own.

    `by_hand` is what an officer covered besides, `faces` the tracks in their best frames.
    """
    rate, facts = float(film.facts.rate), film.facts
    visible = [look.tracks[i] for i in sorted(shown)]
    for left in range(ROUNDS, 0, -1):
        hidden = {t.index for t in look.tracks} - shown
        covers = film_regions.covers(look, hidden, facts.width, facts.height, rate, context.settings.redaction.reach)
        covers += film_manual_marks.covers(look, faces, by_hand, hidden, (facts.width, facts.height), rate)
        watched = film_regions.boundaries(look, rate)
        written = film.written(
            look,
            covers,
            muted,
            style=style,
            seed=seed,
            target=str(context.vault.work_file(name)),
            embed=gallery.enabled,
            watched=list(watched),
            shown=_shown_boxes(visible, watched),
        )
        found = [(frame, face.detection) for frame, face in written.found]
        extra, check = film_look_again(found, covers, visible)
        if check.passed or left == 1:
            break
        look = film_regions.extended(look, [(n, _row(d.box)) for n, d in extra], rate)
    named = [face for frame, face in written.found if not _is_shown(frame, face, visible)]
    checks = (*written.checks, check, _nobody_recognised(gallery, named))
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
    return [[n, list(b)] for t in tracks for n in frames if (b := film_regions.box_at(t, n))]


def _is_shown(frame: int, face: Face, tracks: Sequence[Track]) -> bool:
    boxes = (Box(*b) for t in tracks if (b := film_regions.box_at(t, frame)))
    return any(b.iou(face.detection.box) >= SAME_FACE for b in boxes)


def _row(box: Box) -> NDArray[np.float32]:
    return np.array([[box.left, box.top, box.right, box.bottom]], np.float32)


def _analysis(facts: FilmFacts, look: FirstPass) -> Analysis:
    """The film as an analysis: its faces are the tracks, each where it is seen best."""
    faces = []
    for track in look.tracks:
        best = film_regions.best(track)
        left, top, right, bottom = (float(v) for v in track.boxes[best])
        box = box_in(box_out(Box(left, top, right, bottom).clamp(facts.width, facts.height)))
        faces.append(Face(track.index, Detection(box, float(track.scores.max()), None, ())))
    return Analysis(facts.width, facts.height, f"film ({facts.video_codec})", tuple(faces), facts.notes)


def _best_frames(look: FirstPass) -> tuple[int, ...]:
    return tuple(int(t.frames[film_regions.best(t)]) for t in look.tracks)
