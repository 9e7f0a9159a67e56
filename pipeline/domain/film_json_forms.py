"""The language between the service and its child process for films: frozen dataclasses to and from JSON.

Long rows of numbers travel as base64 of little-endian arrays. The inverse functions raise KeyError, TypeError or
ValueError for what cannot be: a child that was taken over by its file must not get further than that.
"""

from __future__ import annotations

import base64
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.camera_motion import CameraMotion
from pipeline.domain.film import Cover, FilmFacts, FirstPass, Sample, Stretch, Track
from pipeline.domain.types import JsonObject, Subject

_MOST_FRAMES = 1 << 22
_MOST_SECONDS = 1e9
_FARTHEST = 1 << 20
"""Pixels from the origin beyond which no box of a detector lies."""


def facts_out(facts: FilmFacts) -> JsonObject:
    """What is known of a film."""
    value: JsonObject = {name: getattr(facts, name) for name in FilmFacts.__slots__}
    return value | {"rate": [facts.rate.numerator, facts.rate.denominator], "notes": list(facts.notes)}


def facts_in(value: JsonObject) -> FilmFacts:
    """The inverse of `facts_out`."""
    above, below = (whole(v) for v in value["rate"])
    if below <= 0:
        raise ValueError("a rate is so many frames in so many seconds")
    rate = Fraction(above, below)
    plain: dict[str, Any] = {
        name: _like(default, value[name])
        for name, default in (
            ("family", ""),
            ("width", 0),
            ("height", 0),
            ("duration", 0.0),
            ("sound", False),
            ("video_codec", ""),
            ("sound_codec", ""),
            ("video_stream", 0),
            ("sound_stream", 0),
            ("sound_rate", 0),
            ("sound_channels", 0),
            ("hdr", False),
            ("matrix", ""),
            ("video_end", 0.0),
            ("interlaced", False),
            ("sound_end", 0.0),
        )
    }
    width, height = value["upright"]
    notes = tuple(str(n) for n in value["notes"])
    facts = FilmFacts(rate=rate, notes=notes, upright=(whole(width), whole(height)), **plain)
    still = not facts.width and not rate  # a sound recording
    if not (0 <= facts.width <= 1 << 16 and 0 <= facts.height <= 1 << 16 and (still or 0 < rate <= 1000)):
        raise ValueError("a film has a size and a rate")
    if not all(0 <= seconds < _MOST_SECONDS for seconds in (facts.duration, facts.video_end, facts.sound_end)):
        raise ValueError("a film lasts for some seconds")
    return facts


def stretches_out(stretches: tuple[Stretch, ...]) -> list[list[float]]:
    """Pieces of time to a tenth of a millisecond, outwards: what is silent must not become less."""
    return [[_down(s.start), -_down(-s.end)] for s in stretches]


def _down(seconds: float) -> float:
    near = round(seconds, 4)
    return near if near <= seconds else round(near - 1e-4, 4)


def stretches_in(value: Any) -> tuple[Stretch, ...]:
    """The inverse of `stretches_out`."""
    found = tuple(Stretch(float(a), float(b)) for a, b in value)
    if not all(0 <= s.start <= s.end < _MOST_SECONDS for s in found):
        raise ValueError("a stretch begins before it ends")
    return found


def whole(value: Any) -> int:
    """A whole number as it came: never one made of something else."""
    if type(value) is not int:
        raise TypeError("a whole number is needed")
    return value


def _like(default: object, value: Any) -> Any:
    """A value of the kind of `default`."""
    if isinstance(default, float) and type(value) is int:
        return float(value) if abs(value) < 1 << 53 else math.inf
    if type(value) is not type(default):
        raise TypeError(f"{type(default).__name__} is needed, not {type(value).__name__}")
    return value


def _packed(array: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, kind).tobytes()).decode("ascii")


def _unpacked(text: str, kind: str, *shape: int) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text, validate=True), kind).reshape(-1, *shape)


def look_out(look: FirstPass) -> JsonObject:
    """What the first pass saw. Boxes and landmarks only: no pixels and no embeddings."""
    return {
        "frames": look.frames,
        "cuts": list(look.cuts),
        "tracks": [_track_out(t) for t in look.tracks],
        "fingerprint": look.fingerprint,
        "camera": None if look.camera is None else _packed(look.camera.steps, "<f4"),
    }


def _track_out(t: Track) -> JsonObject:
    return {
        "index": t.index,
        "frames": _packed(t.frames, "<i4"),
        "boxes": _packed(t.boxes, "<f4"),
        "scores": _packed(t.scores, "<f4"),
        "marks": _packed(t.marks, "<f4"),
        "shot": list(t.shot),
        "fast": list(t.fast),
        "mixed": t.mixed,
        "sure": t.sure,
        "goes_on": list(t.goes_on),
        "gone": list(t.gone),
    }


def look_in(value: JsonObject) -> FirstPass:
    """The inverse of `look_out`; tracks are numbered 0, 1, 2..., frames rise and lie in their shot."""
    frames = whole(value["frames"])
    cuts, tracks = tuple(whole(c) for c in value["cuts"]), tuple(_track_in(t) for t in value["tracks"])
    look = FirstPass(frames, cuts, tracks, whole(value["fingerprint"]), _camera_in(value["camera"], frames))
    if not 0 < frames <= _MOST_FRAMES or [t.index for t in look.tracks] != list(range(len(look.tracks))):
        raise ValueError("tracks must be numbered in order, and a film has frames")
    if list(look.cuts) != sorted({c for c in look.cuts if 0 < c < frames}):
        raise ValueError("cuts lie inside the film, in order")
    for t in look.tracks:
        if not (0 <= t.shot[0] <= t.frames[0] and t.frames[-1] <= t.shot[1] < frames):
            raise ValueError("a track lies in its shot")
    return look


def _camera_in(value: Any, frames: int) -> CameraMotion | None:
    if value is None:
        return None
    camera = CameraMotion(_unpacked(value, "<f4", 4).astype(np.float32))
    known = camera.steps[camera.known]
    scales = np.hypot(known[:, 0], known[:, 1])
    if len(camera.steps) != frames or (np.abs(known) > _FARTHEST).any() or not ((scales > 0.5) & (scales < 2)).all():
        raise ValueError("a camera moves into every frame, and not from one world to another")
    return camera


def _track_in(value: JsonObject) -> Track:
    frames = _unpacked(value["frames"], "<i4").astype(np.int32)
    boxes, scores = _unpacked(value["boxes"], "<f4", 4), _unpacked(value["scores"], "<f4")
    marks = _unpacked(value["marks"], "<f4", 5, 2)
    if not (0 < len(frames) == len(boxes) == len(scores) == len(marks)) or not (np.diff(frames) > 0).all():
        raise ValueError("a track has frames in order, and as many boxes")
    if not np.isfinite(boxes).all() or not np.isfinite(scores).all() or np.isinf(marks).any():
        raise ValueError("a track must hold finite numbers")
    if (np.abs(boxes) > _FARTHEST).any() or (boxes[:, :2] > boxes[:, 2:]).any():
        raise ValueError("a box has its left before its right, near the frame")
    first, last = (whole(v) for v in value["shot"])
    return Track(
        whole(value["index"]),
        frames,
        boxes.astype(np.float32),
        scores.astype(np.float32),
        marks.astype(np.float32),
        (first, last),
        _two(value["fast"]),
        value["mixed"] is not False,
        value["sure"] is True,
        _two(value["goes_on"]),
        _two(value["gone"]),
    )


def _two(value: Any) -> tuple[bool, bool]:
    first, second = value
    return first is True, second is True


def covers_out(covers: tuple[Cover, ...]) -> list[JsonObject]:
    """What is covered when."""
    return [
        {
            "track": c.track,
            "start": c.start,
            "boxes": _packed(c.boxes, "<i4"),
            "corners": None if c.corners is None else _packed(c.corners, "<f4"),
            "subject": str(c.subject),
        }
        for c in covers
    ]


def covers_in(value: Any) -> tuple[Cover, ...]:
    """The inverse of `covers_out`."""
    return tuple(_cover_in(c) for c in value)


def _cover_in(value: JsonObject) -> Cover:
    boxes = _unpacked(value["boxes"], "<i4", 4).astype(np.int32)
    corners = None if value["corners"] is None else _unpacked(value["corners"], "<f4", 2).astype(np.float32)
    if corners is not None and not (len(corners) == len(boxes) and np.isfinite(corners).all() and (corners >= 0).all()):
        raise ValueError("each box of a cover has its own round corners")
    return Cover(whole(value["track"]), whole(value["start"]), boxes, corners, Subject(value["subject"]))


def samples_out(samples: tuple[Sample, ...]) -> list[list[int]]:
    """Which detections of which tracks are to be described."""
    return [[s.track, s.at] for s in samples]


def samples_in(value: Any) -> tuple[Sample, ...]:
    """The inverse of `samples_out`."""
    return tuple(Sample(whole(track), whole(at)) for track, at in value)
