"""The data of films and sound recordings: frozen, and free of clock, disk, database and model.

Coordinates are pixels of the *upright* frame (rotation of the container applied, pixels made square, sizes made even),
origin in the top left corner. Frames are counted from 0 at the constant rate of `FilmFacts`; frame n is shown from
n / rate seconds on. A frame is an I420 array: `uint8`, shape (height * 3 // 2, width), limited range.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.camera_motion import CameraMotion
from pipeline.domain.types import Box, Outline, Reason, Subject

Frame: TypeAlias = NDArray[np.uint8]
Boxes: TypeAlias = NDArray[np.float32]
"""Shape (n, 4): left, top, right, bottom."""

Span: TypeAlias = tuple[int, int]
"""The first and the last frame of a piece of film, both included."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a film or sound recording is, found before anything is decoded.

    `width` and `height` are those of every decoded frame, 0 for sound alone. `rate` is the constant frame rate at
    which the film is read and written. `duration` is in seconds, as the container tells it. `sound` says whether there
    is a sound track that is kept; `sound_rate` (Hz) and `sound_channels` (1 or 2) are those it is read and written at.
    `family` names the demuxer that reads it, or "gif", "png", "webp" for animations, which Pillow reads. `hdr`: the
    colours must be brought down to standard range. `matrix` is the colour matrix written in the result
    ("bt709" or "smpte170m"). `notes` are remarks for the log: what was dropped.
    """

    family: str
    width: int
    height: int
    rate: Fraction
    duration: float
    sound: bool
    video_codec: str = ""
    sound_codec: str = ""
    video_stream: int = -1
    sound_stream: int = -1
    sound_rate: int = 48000
    sound_channels: int = 2
    hdr: bool = False
    matrix: str = "bt709"
    notes: tuple[str, ...] = ()
    video_end: float = 0.0
    """Seconds from the film's beginning to the end of its last frame, as the packets tell it."""

    interlaced: bool = False
    sound_end: float = 0.0
    """Seconds from the film's beginning to the end of its last packet of sound."""

    upright: tuple[int, int] = (0, 0)
    """Width and height before they were made even, upright and with square pixels."""

    @property
    def expected_frames(self) -> int:
        """How many frames there should be; for progress only, the decoder decides."""
        return max(1, round(self.duration * self.rate))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of time in seconds, start included, end not."""

    start: float
    end: float


class SoundMode(StrEnum):
    """What becomes of the sound on one channel."""

    NONE = "none"
    """There is none."""
    KEEP = "keep"
    MUTE_SPEECH = "mute_speech"
    MUTE_ALL = "mute_all"


class SoundRule(StrEnum):
    """What the school chose: when speech is muted, and how much with it."""

    ASK = "ask"
    """Speech is muted until somebody says who speaks, or everybody of the event may be heard."""
    SPEECH = "speech"
    """Speech is muted unless everybody who is seen is known and may be heard."""
    STRICT = "strict"
    """As `speech`, and where speech would be muted, everything is."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who can be heard, as staff said it: ids, and how many of them nobody can name any more (they were erased).

    `only`: staff answer for it that nobody else speaks, whoever else is seen.
    """

    people: frozenset[str]
    unknown: int = 0
    only: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """The register's answer for one person who may be heard in a film: whether, why, by which consent row."""

    person_id: str
    allowed: bool
    reason: Reason
    article: str
    consent_row: str | None


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """What becomes of the sound on one channel, and why.

    `reason` is a code for the log (see pipeline.rules.sound), `article` the article it rests on, `people` the ids of
    those who may not be heard, `muted` the stretches that are silent in the result (all of it: one stretch to the
    end). `heard` holds the register's answer for everyone who was asked about.
    """

    mode: SoundMode
    reason: str
    article: str
    people: tuple[str, ...] = ()
    muted: tuple[Stretch, ...] = ()
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """What a film may ask of us: seconds of duration, pixels of one frame, and frames per second in the result."""

    seconds: float = 3600.0
    pixels: int = 9_000_000
    rate: int = 60


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face through the frames of one shot: where it was detected, in rising order of frames.

    `frames` are int32 (n,); `boxes` float32 (n, 4); `scores` float32 (n,); `marks` float32 (n, 5, 2), the landmarks of
    each detection, NaN where there are none. `shot` are the first and the last frame of the shot. `fast` says for the
    first and the last detection whether the detector that looks at every frame made it: where it did not, the face may
    have been there for longer. `mixed`: in these frames another face overlapped this one, so nobody can say which is
    which. `sure`: at least one detection was convincing, or a second detector agreed. `goes_on`: whether the face is
    that of another track just before the first, and just after the last detection. `gone`: whether its place showed
    something else at once in the frame before the first, and in the one after the last. A score of 0 means that no
    detector saw the face in this frame, and its place shows the same as where one did.
    """

    index: int
    frames: NDArray[np.int32]
    boxes: Boxes
    scores: NDArray[np.float32]
    marks: NDArray[np.float32]
    shot: tuple[int, int]
    fast: tuple[bool, bool] = (True, True)
    mixed: bool = False
    sure: bool = True
    goes_on: tuple[bool, bool] = (False, False)
    gone: tuple[bool, bool] = (False, False)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last frame in which it was detected."""
        return int(self.frames[0]), int(self.frames[-1])


@dataclass(frozen=True, slots=True)
class FirstPass:
    """What the first pass saw: how many frames there are, where shots begin (frame 0 not named), and the tracks.

    `fingerprint` is that of the pictures (pipeline.reader.film.fingerprint): the next pass must read the same.
    `camera` is how the whole picture moved, None for a camera that stands still.
    """

    frames: int
    cuts: tuple[int, ...]
    tracks: tuple[Track, ...]
    fingerprint: int = 0
    camera: CameraMotion | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One detection of a track that recognition should look at: which track, and which of its detections."""

    track: int
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """What covers one track: whole pixels, even, one box for every frame from `start` on.

    `boxes` are int32 (n, 4). `corners`, float32 (n, 2), are the half axes of round corners of each box, in pixels (see
    pipeline.domain.types.Outline): those of one face where the box is the hull of several places. None: rectangles.
    """

    track: int
    start: int
    boxes: NDArray[np.int32]
    corners: NDArray[np.float32] | None = None
    subject: Subject = Subject.FACE

    @property
    def stop(self) -> int:
        """The first frame that is not covered any more."""
        return self.start + len(self.boxes)

    def at(self, frame: int) -> tuple[int, int, int, int] | None:
        """Left, top, right, bottom in this frame; None when it does not cover this frame."""
        if not self.start <= frame < self.stop:
            return None
        left, top, right, bottom = (int(v) for v in self.boxes[frame - self.start])
        return left, top, right, bottom

    def outline(self, frame: int) -> Outline | None:
        """The shape that is covered completely in this frame; None when it does not cover this frame."""
        place = self.at(frame)
        if place is None:
            return None
        box = Box(*place)
        if self.corners is None:
            return Outline(box)
        across, along = (float(v) for v in self.corners[frame - self.start])
        return Outline(box, (min(across, box.width / 2), min(along, box.height / 2)))
