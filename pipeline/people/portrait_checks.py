"""Who may be enrolled for matching, and which portrait may be used. Pure: pixels and models are the caller's.

A portrait is usable when exactly one usable face is found in it. A face is usable when it is at least `MIN_FACE`
pixels, at least a third of the largest face, and a detector is sure of it: passers-by far behind do not spoil a
portrait, a friend beside does, because a template of the wrong person would show the wrong one. Where several are
left, one of them counts alone when it is the only one that lies whole in the picture and none is larger: whoever the
frame cuts off is not the one the portrait was made of. The face has to be sharp, and to look at the camera: a template
of half a face resembles many. The limits were read off 200 portraits of Labeled Faces in the Wild
(docs/operator/templates.md).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from consent_sync.loaded import Portrait
from pipeline.domain.types import Analysis, Box, Face, Landmarks, Reason, Register
from pipeline.people.portrait_consistency import PortraitFace
from pipeline.recognition.matching import YOUNGEST, too_young
from pipeline.rules.verdicts import explain, may_match

MIN_FACE = 48.0
"""Pixels of the face's longer side: below it small faces of different people look alike."""
MIN_SHARE = 1 / 3
"""A face smaller than this share of the largest one is background."""
MIN_SCORE = 0.5
"""Detectors are set to find too much rather than too little: a candidate below this score is no second person."""

MIN_SHARPNESS = 40.0
"""Variance of the Laplacian of the face at 64 x 64: real portraits have 140 and more, out of focus 60 and less."""
MAX_YAW = 35.0
"""Degrees that a head may be turned to the side, estimated from the nose: it lies between the eyes from the front."""
MAX_ROLL = 35.0
"""Degrees that a head may be tilted: more is a picture that lies on its side."""

SAME_FACE = 0.5
"""Boxes that overlap more than this (intersection over union) are one face that two engines saw differently."""

NO_PORTRAIT = "no_portrait"
TOO_YOUNG = "too_young"


class Refusal(StrEnum):
    """Why a portrait cannot be used."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TURNED_AWAY = "turned_away"
    TILTED = "tilted"
    NOT_DESCRIBED = "not_described"


@dataclass(frozen=True, slots=True)
class PortraitRefusal:
    """A portrait that cannot be used, why, and what to do."""

    reason: Refusal
    sentence: str


@dataclass(frozen=True, slots=True)
class NotEnrolled:
    """Somebody who gets no template: `reason` is a `Reason`, "no_portrait" or "too_young"."""

    person_id: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class EnrolmentPlan:
    """Who may be enrolled, from which portraits, and who not. Nobody else may have a template."""

    enrol: Mapping[str, tuple[Portrait, ...]]
    refused: tuple[NotEnrolled, ...]


def usable_portrait(
    analysis: Analysis,
    engines: Collection[str],
    *,
    min_face: float = MIN_FACE,
    min_share: float = MIN_SHARE,
    min_score: float = MIN_SCORE,
) -> PortraitRefusal | Face:
    """The one usable face of a portrait, or why it is refused.

    Args:
        analysis: what the machine saw in the portrait.
        engines: the ids of the recognition engines that are in use: each must have described the face, or scores
            could not be fused later.
        min_face: see `MIN_FACE`.
        min_share: see `MIN_SHARE`.
        min_score: see `MIN_SCORE`.
    """
    faces = _distinct(face for face in analysis.faces if face.detection.score >= min_score)
    if not faces:
        return PortraitRefusal(Refusal.NO_FACE, "no face was found: give a portrait from the front, in good light")
    largest = max(face.detection.box.size for face in faces)
    if not largest >= min_face:
        sentence = f"the face has {largest:.0f} pixels, at least {min_face:.0f} are needed: give a larger portrait"
        return PortraitRefusal(Refusal.TOO_SMALL, sentence)
    usable = [face for face in faces if face.detection.box.size >= max(min_face, largest * min_share)]
    if len(usable) > 1:
        usable = _only_whole(usable, analysis) or usable
    if len(usable) != 1:
        sentence = f"{len(usable)} faces were found: give a portrait of this person alone"
        return PortraitRefusal(Refusal.SEVERAL_FACES, sentence)
    if refusal := _unclear(usable[0]):
        return refusal
    missing = sorted(engine for engine in engines if not _described(usable[0], engine))
    if missing or not engines:
        sentence = f"the face could not be described ({', '.join(missing) or 'no engine'}): give another portrait"
        return PortraitRefusal(Refusal.NOT_DESCRIBED, sentence)
    return usable[0]


def portrait_faces(analysis: Analysis, engines: Collection[str]) -> tuple[PortraitFace, ...]:
    """The faces of a portrait with several that could each be the person's: large enough, and described."""
    return tuple(
        PortraitFace(
            face.embeddings,
            face.detection.box.size,
            clear=_unclear(face) is None,
            whole=not _cut(face.detection.box, analysis),
            upright=face.detection.landmarks is not None and abs(pose(face.detection.landmarks)[1]) <= MAX_ROLL,
        )
        for face in _distinct(face for face in analysis.faces if face.detection.score >= MIN_SCORE)
        if face.detection.box.size >= MIN_FACE and engines and all(_described(face, engine) for engine in engines)
    )


def plan_enrolment(register: Register, portraits: Mapping[str, Sequence[Portrait]], on: date) -> EnrolmentPlan:
    """Everyone of the register: with the portraits to enrol from, or with the reason why not.

    Enrolled is who may be matched on this day (GDPR art. 9(2)(a), `may_match`), is not too young for it, and has at
    least one portrait.
    """
    enrol: dict[str, tuple[Portrait, ...]] = {}
    refused: list[NotEnrolled] = []
    for person_id in sorted(register.people):
        permission = may_match(register, person_id, on)
        own = tuple(portraits.get(person_id, ()))
        if permission.reason is not Reason.CONSENT:
            sentence = f"matching: {explain(permission.reason)}"
            refused.append(NotEnrolled(person_id, permission.reason, sentence))
        elif too_young(register.people[person_id], on):
            sentence = f"younger than {YOUNGEST} years: likeness says too little at that age, staff give the name"
            refused.append(NotEnrolled(person_id, TOO_YOUNG, sentence))
        elif not own:
            sentence = f"there is no portrait in portraits/{person_id}/"
            refused.append(NotEnrolled(person_id, NO_PORTRAIT, sentence))
        else:
            enrol[person_id] = own
    return EnrolmentPlan(MappingProxyType(enrol), tuple(refused))


def pose(landmarks: Landmarks) -> tuple[float, float]:
    """How far a head is turned to the side (yaw) and tilted (roll), in degrees; 0, 0 looks straight ahead.

    Yaw from how far the nose lies beside the middle of eyes and mouth, along the line of the eyes, on a head whose
    nose stands 0.6 eye distances out; a rough figure (within 10 degrees), good enough to tell a profile.
    """
    (rx, ry), (lx, ly), (nx, ny), (ax, ay), (bx, by) = landmarks
    dx, dy = lx - rx, ly - ry
    distance = math.hypot(dx, dy)
    if not math.isfinite(distance) or distance < 1e-6:
        return 90.0, 0.0
    mx, my = (rx + lx + ax + bx) / 4, (ry + ly + ay + by) / 4
    aside = ((nx - mx) * dx + (ny - my) * dy) / distance
    yaw = math.degrees(math.atan(aside / (0.6 * distance)))
    return (yaw if math.isfinite(yaw) else 90.0), math.degrees(math.atan2(dy, dx))


def _unclear(face: Face) -> PortraitRefusal | None:
    """Why a face cannot be relied on although it is large enough, or None."""
    if not face.sharpness >= MIN_SHARPNESS:
        sentence = f"the face is blurred (sharpness {face.sharpness:.0f}, at least {MIN_SHARPNESS:.0f} is needed)"
        return PortraitRefusal(Refusal.BLURRED, f"{sentence}: give a sharp portrait")
    if face.detection.landmarks is None:
        return None  # no engine can describe it then
    yaw, roll = pose(face.detection.landmarks)
    if not abs(yaw) <= MAX_YAW:
        sentence = f"the face is turned away (about {abs(yaw):.0f} degrees): give a portrait from the front"
        return PortraitRefusal(Refusal.TURNED_AWAY, sentence)
    if not abs(roll) <= MAX_ROLL:
        sentence = f"the face is tilted (about {abs(roll):.0f} degrees): turn the portrait upright"
        return PortraitRefusal(Refusal.TILTED, sentence)
    return None


def _distinct(faces: Iterable[Face]) -> list[Face]:
    """The faces without those that are another look at a face already there, which one engine is surer of."""
    found: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.detection.score):
        if all(face.detection.box.iou(other.detection.box) <= SAME_FACE for other in found):
            found.append(face)
    return found


def _only_whole(faces: Sequence[Face], analysis: Analysis) -> list[Face]:
    """The one face that the frame does not cut, when there is exactly one and no other is larger; else nothing."""
    whole = [face for face in faces if not _cut(face.detection.box, analysis)]
    if len(whole) == 1 and all(face.detection.box.size <= whole[0].detection.box.size for face in faces):
        return whole
    return []


def _cut(box: Box, analysis: Analysis) -> bool:
    """Whether a box reaches the edge of the picture (boxes are clamped to it), within a pixel."""
    return box.left <= 1 or box.top <= 1 or box.right >= analysis.width - 1 or box.bottom >= analysis.height - 1


def _described(face: Face, engine: str) -> bool:
    """Whether this engine gave a vector that can be compared."""
    vector = face.embeddings.get(engine)
    return vector is not None and vector.size > 0 and bool(np.all(np.isfinite(vector)) and np.any(vector))
