"""The data that passes between the parts: frozen, and free of clock, disk, database and model.

Coordinates are pixels of the *upright* image (EXIF orientation applied), x to the right, y downwards,
origin in the top left corner. A box is half-open: it holds the pixels left <= x < right, top <= y < bottom.
Images are `uint8` arrays of shape (height, width, 3) in RGB order unless a docstring says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RgbImage: TypeAlias = NDArray[np.uint8]
Vector: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float]
Landmarks: TypeAlias = tuple[Point, Point, Point, Point, Point]
"""Right eye, left eye (the subject's own right and left), nose tip, right and left corner of the mouth."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in pixels, half-open: left <= x < right, top <= y < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels from left to right; 0 for a box that is inside out."""
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        """Pixels from top to bottom; 0 for a box that is inside out."""
        return max(0.0, self.bottom - self.top)

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.width * self.height

    @property
    def size(self) -> float:
        """The longer side in pixels: what "a face of 24 pixels" means everywhere."""
        return max(self.width, self.height)

    @property
    def center(self) -> Point:
        """The point in the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def holds(self, point: Point) -> bool:
        """Whether the point lies inside."""
        return self.left <= point[0] < self.right and self.top <= point[1] < self.bottom

    def intersection(self, other: Box) -> float:
        """Area shared with another box, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0

    def hull(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def grow(self, fraction: float) -> Box:
        """The box with this fraction of its width and height added on each side."""
        dx, dy = self.width * fraction, self.height * fraction
        return Box(self.left - dx, self.top - dy, self.right + dx, self.bottom + dy)

    def covered_by(self, others: Iterable[Box]) -> float:
        """The part of this box, 0 to 1, that lies in the union of others. One without area counts by its center."""
        if self.area <= 0 or not math.isfinite(self.area):
            return float(any(other.holds(self.center) for other in others))
        near = [other for other in others if other.intersection(self) > 0]
        edges = (x for other in near for x in (other.left, other.right))
        xs = sorted({self.left, self.right, *(min(max(x, self.left), self.right) for x in edges)})
        total = 0.0
        for left, right in pairwise(xs):
            reach = self.top
            for other in sorted((o for o in near if o.left <= left and o.right >= right), key=lambda o: o.top):
                top, bottom = max(other.top, reach), min(other.bottom, self.bottom)
                if bottom > top:
                    total += (right - left) * (bottom - top)
                    reach = bottom
        return min(1.0, total / self.area)

    def clamp(self, width: float, height: float) -> Box:
        """The part inside a frame of this size."""
        return Box(
            min(max(self.left, 0.0), width),
            min(max(self.top, 0.0), height),
            min(max(self.right, 0.0), width),
            min(max(self.bottom, 0.0), height),
        )


@dataclass(frozen=True, slots=True)
class Outline:
    """The exact shape of a region: a box with round corners, turned clockwise about its middle.

    `corners` are the half axes of the round corners, in pixels across and along; half of the box's sides make an
    ellipse, (0, 0) a rectangle. `angle` is in radians.
    """

    box: Box
    corners: Point = (0.0, 0.0)
    angle: float = 0.0

    @property
    def hull(self) -> Box:
        """The smallest upright box that holds it."""
        cos, sin = abs(math.cos(self.angle)), abs(math.sin(self.angle))
        round_x, round_y = self.corners
        flat_x, flat_y = self.box.width / 2 - round_x, self.box.height / 2 - round_y
        across = flat_x * cos + flat_y * sin + math.hypot(round_x * cos, round_y * sin)
        along = flat_x * sin + flat_y * cos + math.hypot(round_x * sin, round_y * cos)
        x, y = self.box.center
        return Box(x - across, y - along, x + across, y + along)

    def holds(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points, in pixels, lie in it."""
        dx, dy = x - self.box.center[0], y - self.box.center[1]
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        across, along = np.abs(dx * cos + dy * sin), np.abs(dy * cos - dx * sin)
        beyond_x = np.maximum(0, across - (self.box.width / 2 - self.corners[0])) / max(self.corners[0], 1e-9)
        beyond_y = np.maximum(0, along - (self.box.height / 2 - self.corners[1])) / max(self.corners[1], 1e-9)
        return np.asarray(beyond_x**2 + beyond_y**2 <= 1)

    @staticmethod
    def share(box: Box, outlines: Iterable[Outline]) -> float:
        """The part of a box, 0 to 1, that lies in the union of outlines, as seen on a grid of 24 x 24 points."""
        steps = (np.arange(24) + 0.5) / 24
        x, y = np.meshgrid(box.left + steps * box.width, box.top + steps * box.height)
        inside = np.zeros(x.shape, bool)
        for outline in outlines:
            inside |= outline.holds(x, y)
        return float(inside.mean())


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that one or more detectors found. `score` is 0 to 1, the highest of the engines.

    `box` holds everything that any look took for this face; `agreed`, inside it, what those looks take for it whose
    landmarks agree. None when no two do.
    """

    box: Box
    score: float
    landmarks: Landmarks | None
    engines: tuple[str, ...]
    agreed: Box | None = None

    @property
    def place(self) -> Box:
        """Where the face is, as far as looks at it agree."""
        return self.agreed or self.box


@dataclass(frozen=True, slots=True)
class Face:
    """A detection with what recognition needs. `embeddings` maps an engine id to a float32 unit vector.

    It is empty when matching is off, or when no engine could describe the face. Embeddings of faces in media
    live in memory only: nothing writes them to disk.
    """

    index: int
    detection: Detection
    embeddings: Mapping[str, Vector] = field(default_factory=dict)
    sharpness: float = 0.0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the machine saw in one photo: size in pixels (upright), format as decoded, remarks, faces."""

    width: int
    height: int
    format: str
    faces: tuple[Face, ...]
    notes: tuple[str, ...] = ()


# --- the register ---------------------------------------------------------------------------------------------


class Medium(StrEnum):
    """What a consent is about. `matching` is consent to be found by face matching (GDPR art. 9)."""

    PHOTO = "photo"
    FILM = "film"
    SOUND = "sound"
    MATCHING = "matching"


class Answer(StrEnum):
    """What was answered on the form. Silence is not consent."""

    YES = "yes"
    NO = "no"
    SILENT = "silent"


class Signer(StrEnum):
    """In which capacity somebody signed."""

    SELF = "self"
    PARENT = "parent"
    GUARDIAN = "guardian"


class Role(StrEnum):
    """What a person is to the school."""

    PUPIL = "pupil"
    EMPLOYEE = "employee"
    GUARDIAN = "guardian"
    OTHER = "other"


class EvidenceState(StrEnum):
    """What became of a signed form since its hash was recorded."""

    OK = "ok"
    MISSING = "missing"
    CHANGED = "changed"


class At16(StrEnum):
    """What a guardian's yes is worth from the 16th birthday on: nothing, or as before until the pupil decides."""

    LAPSE = "lapse"
    CARRY = "carry"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the school may decide about the rules; the defaults are the strict ones."""

    at_16: At16 = At16.LAPSE


@dataclass(frozen=True, slots=True)
class Period:
    """When somebody belongs to a group: from and until a day, both included; None is open."""

    group: str
    from_: date | None = None
    until: date | None = None


class StopKind(StrEnum):
    """What somebody asked for where he or she was, apart from the school's register."""

    WITHDRAWAL = "withdrawal"
    """Consent is taken back (GDPR art. 7(3))."""
    OBJECTION = "objection"
    """The person objects (GDPR art. 21)."""
    RESTRICTION = "restriction"
    """Nothing is done with it until a question is settled (GDPR art. 18)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A no that was said here and outranks the source of the register. `number` is its row.

    `medium` None means every medium, an empty `channel` every channel.
    """

    number: int
    kind: StopKind
    medium: Medium | None = None
    channel: str = ""

    def covers(self, medium: Medium, channel: str) -> bool:
        """Whether it is about this medium on this channel. Matching has no channel."""
        return self.medium in {None, medium} and self.channel in {"", channel}


@dataclass(frozen=True, slots=True)
class Person:
    """Someone in the register. `birth_date` None means unknown: then no age rule can be met.

    `sixteen_on` is the 16th birthday, for registers that hold no more than that. `protected` people's whereabouts
    are secret. `periods` dates memberships; a group of `groups` without one is open. `guardians` are the ids of those
    who may sign for this person; None: the source keeps no guardians.
    """

    person_id: str
    name: str
    role: Role
    groups: tuple[str, ...]
    birth_date: date | None
    sixteen_on: date | None = None
    protected: bool = False
    left_on: date | None = None
    periods: tuple[Period, ...] = ()
    guardians: tuple[str, ...] | None = None
    stops: tuple[Stop, ...] = field(default=(), repr=False)
    """What was asked for here, and counts whatever the source says."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One cell of a person's consent table, with its evidence.

    `row_id` names it in the log. `channel` is empty for `matching`, which has none. `form_sha256` is None when
    there is no form on file: then there is no consent (GDPR art. 7(1): the controller must be able to show it).
    """

    row_id: str
    person_id: str
    medium: Medium
    channel: str
    answer: Answer
    signed_by: Signer | None
    signed_on: date | None
    form: str
    form_sha256: str | None
    valid_until: date | None
    withdrawn_on: date | None
    row_number: int = 0
    """The row of the register this was read from, as a spreadsheet counts (the header is row 1); 0: not known."""
    signer_id: str | None = None
    """Which guardian signed; None: the source does not say, "": it should and does not."""
    form_version: str = ""
    form_language: str = ""
    evidence: EvidenceState = EvidenceState.OK
    """Whether the form on disk is still the one of `form_sha256`, when the register was last read."""
    reminded_on: date | None = None
    others: tuple[Consent, ...] = ()
    """What others said about the same: each guardian, and the pupil, signs for himself or herself."""


@dataclass(frozen=True, slots=True)
class Template:
    """The reference of one person for one engine, from one portrait: a float32 unit vector."""

    person_id: str
    portrait_sha256: str
    engine: str
    vector: Vector
    dated: date | None = None
    """How old the portrait is: the day on which the form that came with it was signed."""


@dataclass(frozen=True, slots=True)
class SealedTemplate:
    """A template as it is stored: encrypted, and bound to everything else here (pipeline.files.template_keys)."""

    person_id: str
    portrait_sha256: str
    engine: str
    weights_sha256: str
    dated: date
    key_id: str
    nonce: bytes
    sealed: bytes


def young(dated: date | None, months: int, on: date) -> bool:
    """Whether a template may still be used: its portrait is less than so many months old on this day.

    A portrait without a date, or of the future, is not. A portrait of the 31st is too old on the last day of a month.
    """
    if dated is None or dated > on:
        return False
    age = (on.year - dated.year) * 12 + on.month - dated.month
    last = (on + timedelta(days=1)).month != on.month
    return age - (on.day < dated.day and not last) < months


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two people whose portraits resemble each other: the fused score, and the similarity per engine."""

    first: str
    second: str
    score: float
    engine_scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Register:
    """The consent register as it stood at one version: people and their consents."""

    version: int
    people: Mapping[str, Person]
    consents: Mapping[tuple[str, Medium, str], Consent]
    """Keyed by person id, medium and channel (empty channel for `matching`)."""
    rules: Rules = Rules()


# --- decisions ------------------------------------------------------------------------------------------------


class Reason(StrEnum):
    """Why a face is shown or covered. Only `consent` shows."""

    CONSENT = "consent"
    UNKNOWN_PERSON = "unknown_person"
    AMBIGUOUS = "ambiguous"
    TOO_SMALL = "too_small"
    NOT_COMPARED = "not_compared"
    TWICE_IN_PHOTO = "twice_in_photo"
    MATCHING_OFF = "matching_off"
    NOT_IN_REGISTER = "not_in_register"
    SILENT = "silent"
    REFUSED = "refused"
    PROTECTED = "protected"
    OBJECTED = "objected"
    RESTRICTED = "restricted"
    LEFT = "left"
    GUARDIANS_DIFFER = "guardians_differ"
    NO_EVIDENCE = "no_evidence"
    EVIDENCE_CHANGED = "evidence_changed"
    NOT_SIGNED = "not_signed"
    NOT_YET_SIGNED = "not_yet_signed"
    WRONG_SIGNER = "wrong_signer"
    GUARDIAN_LAPSED = "guardian_lapsed"
    AGE_UNKNOWN = "age_unknown"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    OUT_OF_SCOPE = "out_of_scope"
    OUTSIDE_GROUPS = "outside_groups"
    NO_MATCHING_CONSENT = "no_matching_consent"
    COVERED_BEFORE = "covered_before"
    LOOKS_DISAGREE = "looks_disagree"
    TOO_FEW_LOOKS = "too_few_looks"
    FACES_OVERLAP = "faces_overlap"
    DENIED = "denied"
    COVERED_BY_HAND = "covered_by_hand"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """What staff said about the occasion (event.toml). An empty `groups` names nobody: all are candidates."""

    name: str
    title: str = ""
    date: date | None = None
    kind: str = ""
    groups: tuple[str, ...] = ()
    uploader: str = ""
    permission: str = ""
    problem: str = ""
    """Not empty when event.toml could not be read: what is wrong with it."""
    people: tuple[str, ...] = ()
    """Ids of people who were there besides the groups: volunteers, trainees."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What matching says of one face.

    `person_id` is set only when `reason` is None: the face is that person. Otherwise `reason` says why nobody is
    named, and `candidate` is the closest person, if any came near. Scores are fused scores (higher is closer);
    `threshold` is the one that applied, `false_match_rate` what it stands for, `margin` the distance to the
    runner-up that was required.
    """

    face: int
    person_id: str | None
    reason: Reason | None
    candidate: str | None = None
    score: float | None = None
    runner_up: float | None = None
    threshold: float | None = None
    margin: float | None = None
    false_match_rate: float | None = None
    band: str = ""
    engine_scores: Mapping[str, float] = field(default_factory=dict)
    named_by: str = ""
    """Who on staff said that the face is this person; empty when matching did."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one face for one channel, with what is needed to explain it later from the log alone."""

    face: int
    channel: str
    shown: bool
    reason: Reason
    article: str
    person_id: str | None
    consent_row: str | None
    register_version: int
    sighting: MatchResult


@dataclass(frozen=True, slots=True)
class FaceName:
    """Somebody on staff said who the face in this box is."""

    box: Box
    person_id: str
    named_by: str
    named_at: str = ""


class Subject(StrEnum):
    """What a region covers."""

    FACE = "face"
    FIGURE = "figure"
    """A whole person."""
    DRAWN = "drawn"
    """What somebody drew by hand."""
    FRAME = "frame"
    """The whole picture: nobody can tell where faces are."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the image to cover. `face` is the face's index, or -1 when the check of the result added it.

    `box` holds the region, in whole pixels; `outline` is what is covered completely, None: all of the box. `core` is
    the face itself.
    """

    face: int
    box: Box
    core: Box
    subject: Subject = Subject.FACE
    outline: Outline | None = None

    @property
    def shape(self) -> Outline:
        """What is covered completely."""
        return self.outline or Outline(self.box)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to one original: what to cover, in which style (pipeline.redaction.styles), and which faces stay
    visible. Channels with equal plans share one rendering."""

    regions: tuple[Region, ...]
    shown: frozenset[int]
    style: str


@dataclass(frozen=True, slots=True)
class Check:
    """One look at what was written: its name, whether it passed, and what was seen."""

    name: str
    passed: bool
    detail: str = ""


JsonObject: TypeAlias = dict[str, Any]
