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

from pipeline.domain.film import FirstPass, SoundMode, SoundPlan, Span, Stretch, Track
from pipeline.domain.film_json_forms import look_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import (
    Analysis,
    Box,
    Check,
    Face,
    Medium,
    Register,
    Verdict,
)
from pipeline.files.rename import write_file
from pipeline.kill_points import reach
from pipeline.log import replay
from pipeline.people.gallery import Gallery
from pipeline.processing.context import Context
from pipeline.processing.film_people import FilmPeople, analysis_of, people_of
from pipeline.processing.outcome import held_by, look_name, recorded, renditions, total
from pipeline.redaction import film_manual_marks, film_regions, film_timeline, manual_marks, shown_stretches
from pipeline.redaction.film_manual_marks import SAME_TRACK
from pipeline.redaction.manual_marks import Annotation
from pipeline.redaction.verification import SAME_FACE, film_look_again
from pipeline.rules import sound as sound_rules
from pipeline.rules import verdicts as verdict_rules
from pipeline.rules.sound import sound_plan
from pipeline.sandbox.answers import Product
from pipeline.sandbox.client import MediaClient
from pipeline.sandbox.film_client import FilmReader
from pipeline.store.appearances import Place
from pipeline.store.rows import Decision, Draft, FilmDecision, Item

logger = logging.getLogger(__name__)
_Frames = tuple[tuple[int, tuple[Span, ...]], ...]
ROUNDS = 3  # how often a result may be covered further before it is held


def decide_film(item: Item, original: Path, owner: str, media_client: MediaClient, context: Context) -> State:
    """Take a film as far as it goes; returns the state it was left in. Raises like pipeline.processing.item."""
    started = context.seconds()
    film = FilmReader.opened(original, media_client)
    rate = float(film.facts.rate)
    look = _look(film, look_name(item, context), context)
    register, on = context.store.register.current(), context.clock().date()
    gallery = context.galleries.of(register, item.event, on)
    names, mark = context.store.hand_names.names(item.id)
    people = people_of(film, look, gallery, names)
    look = people.followed.look
    analysis = analysis_of(film.facts, look)
    notes = (*analysis.notes, *(f"the face named {n.person_id} was not found" for n in people.lost))
    analysis = replace(analysis, notes=notes)
    by_hand, before = context.store.review.marks(item.id), context.store.recall.shown_before(item.id)
    then = context.store.recall.stretches_before(item.id)
    verdicts = _verdicts(people, analysis, register, item, before, by_hand, on, rate, context)
    shown = {
        c: _shown(own, people, analysis, None if then is None else then.get(c, ()), rate) for c, own in verdicts.items()
    }
    known = {i.result.person_id for i in people.identities if i.result.person_id is not None}
    unknown = sum(t.sure and i.result.person_id is None for t, i in zip(look.tracks, people.identities, strict=True))
    speech, sound = _hear(film, item, known, unknown, register, on, context)
    lifted = manual_marks.lifted(by_hand)
    hold = held_by(item, register, lifted, context)
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    if not hold:
        plans: dict[tuple[_Frames, tuple[Stretch, ...], str], list[str]] = {}
        for channel, own in shown.items():
            style = context.settings.redaction.style_of(channel)
            plans.setdefault((tuple(sorted(own.items())), sound[channel].muted, style), []).append(channel)
        seed = secrets.randbits(63)

        def make(key: tuple[_Frames, tuple[Stretch, ...], str], name: str) -> Product:
            frames, muted, style = key
            return _produce(
                film, look, dict(frames), muted, style, seed, name, gallery, context, by_hand, analysis.faces
            )

        checks, drafts, hold = renditions(item, plans, make, context)
    facts = FilmDecision(
        look.frames,
        str(film.facts.rate),
        film.facts.duration,
        tuple(film_regions.seconds_of(t, rate) for t in look.tracks),
        sound,
        total(speech),
        _best_frames(look),
        film_timeline.board(film.facts, look, speech),
        tuple(shown_stretches.seconds(i.proven, rate) for i in people.identities),
        {c: {f: shown_stretches.seconds(spans, rate) for f, spans in own.items()} for c, own in shown.items()},
        {i.result.face: (i.naming, i.jumps) for i in people.identities if i.naming},
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
            known | replay.heard(sound),
            context.settings.redaction.recorded(context.settings.channels),
        ),
    )
    return recorded(item, owner, decision, context)


def render_only_film(
    item: Item, original: Path, places: Sequence[Place], name: str, media_client: MediaClient, context: Context
) -> Product | None:
    """A film with these faces shown where it is proven who they are, everyone else covered, without sound.

    None when one of the places is no face of the film, or when it is a sound recording. Raises ChildError.
    """
    film = FilmReader.opened(original, media_client)
    if not film.facts.width:
        return None
    name_of_note = look_name(item, context)
    queued = context.vault.kept(name_of_note) is not None  # a worker will want it
    look = _look(film, name_of_note, context)
    if not queued:
        context.vault.discard(name_of_note)
    shown: dict[int, tuple[Span, ...]] = {}
    for place in places:
        track = film_regions.track_at(look, place.frame, place.box, SAME_TRACK, film.facts)
        if track is None:
            return None
        own = shown_stretches.frames(place.proven, float(film.facts.rate))
        shown[track] = tuple(sorted({*shown.get(track, ()), *own}))
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


def _verdicts(
    people: FilmPeople,
    analysis: Analysis,
    register: Register,
    item: Item,
    before: Mapping[str, Sequence[tuple[Box, str]]] | None,
    by_hand: Sequence[Annotation],
    on: date,
    rate: float,
    context: Context,
) -> dict[str, Sequence[Verdict]]:
    """Per channel one verdict for each track: as the register says; what was covered before or by hand is covered."""
    sightings, size = [i.result for i in people.identities], (analysis.width, analysis.height)
    seconds = [film_regions.seconds_of(t, rate) for t in people.followed.look.tracks]
    verdicts: dict[str, Sequence[Verdict]] = {}
    for channel in context.settings.channels:
        own = verdict_rules.judge(sightings, register, item.event, channel, Medium.FILM, on, once=False)
        if before is not None:
            own = manual_marks.as_before(own, analysis.faces, before.get(channel, ()), SAME_TRACK)
        verdicts[channel] = film_manual_marks.reviewed(own, analysis.faces, seconds, by_hand, size)
    return verdicts


def _shown(
    verdicts: Sequence[Verdict],
    people: FilmPeople,
    analysis: Analysis,
    before: Sequence[tuple[Box, tuple[Stretch, ...]]] | None,
    rate: float,
) -> dict[int, tuple[Span, ...]]:
    """The frames in which each track is shown: those in which it is proven whose it is, and was shown before."""
    shown: dict[int, tuple[Span, ...]] = {}
    for v in verdicts:
        spans = people.identities[v.face].proven if v.shown else ()
        if before is not None:
            box = analysis.faces[v.face].detection.box
            then = [s for b, when in before if b.iou(box) >= SAME_TRACK for s in when]
            spans = shown_stretches.common(spans, shown_stretches.frames(then, rate))
        if spans:
            shown[v.face] = spans
    return shown


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
    shown: Mapping[int, tuple[Span, ...]],
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
    size = facts.width, facts.height
    for left in range(ROUNDS, 0, -1):
        parts = shown_stretches.pieces(look, shown)
        hidden = {t.index for t in parts.covered}
        covers = film_regions.covers(
            replace(look, tracks=parts.covered), hidden, *size, rate, context.settings.redaction.reach
        )
        covers += film_manual_marks.covers(look, faces, by_hand, hidden, size, rate)
        watched = film_regions.boundaries(replace(look, tracks=(*parts.covered, *parts.shown)), rate)
        written = film.written(
            look,
            covers,
            muted,
            style=style,
            seed=seed,
            target=str(context.vault.work_file(name)),
            embed=gallery.enabled,
            watched=list(watched),
            shown=_shown_boxes(parts.shown, watched),
        )
        found = [(frame, face.detection) for frame, face in written.found]
        extra, check = film_look_again(found, covers, parts.shown)
        if check.passed or left == 1:
            break
        look = film_regions.extended(look, [(n, _row(d.box)) for n, d in extra], rate)
    named = [face for frame, face in written.found if not _is_shown(frame, face, parts.shown)]
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


def _best_frames(look: FirstPass) -> tuple[int, ...]:
    return tuple(int(t.frames[film_regions.best(t)]) for t in look.tracks)
