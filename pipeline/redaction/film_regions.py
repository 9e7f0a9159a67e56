"""What is covered in a film, and when: pure geometry on tracks. Regions only grow.

The region of a detection is that of a photo (pipeline.redaction.regions): the box grown on each side and towards the
forehead. Between two detections it is bridged, and the wider the longer nobody saw the face; before the first and
after the last it goes on for a while in the direction in which the face moved, to the edges of the shot; and in every
frame it holds what it was in the frames around, so that it is wider the faster the face moves and never flickers.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.camera_motion import CameraMotion
from pipeline.domain.film import Boxes, Cover, FilmFacts, FirstPass, Stretch, Track
from pipeline.domain.types import Box, Subject
from pipeline.redaction.cover_path import Ends, hull, path, widened
from pipeline.redaction.regions import FACE, MINIMUM, SIDE, Reach
from pipeline.redaction.rhythm import SECOND_LOOK

LINGER = 0.4
"""Seconds that a cover begins earlier and ends later than the detections."""

LINGER_UNSURE = 0.15
"""The same for what one detector alone took for a face, and was never sure of."""

LINGER_GONE = 0.08
"""The same where the place of the face showed something else at once."""

AROUND = 0.08
"""Seconds to both sides whose regions a frame's region holds as well."""

GAP_GROWTH = 0.6
"""Growth in a gap: part of the face's size per second to the nearest detection, up to `MOST_GROWTH`."""

MOST_GROWTH = 0.4
_AWAY = 2 * SIDE / (1 + 2 * SIDE)
"""How far, in half axes of its region, a face's own box is away from the border that its region touches."""


def covers(
    look: FirstPass, hidden: Set[int], width: int, height: int, rate: float, around: Reach = FACE
) -> tuple[Cover, ...]:
    """One cover for every track whose index is in `hidden`, for frames of this size at this rate."""
    at = look.frames, width, height, rate
    return tuple(cover(t, *at, around, look.camera) for t in look.tracks if t.index in hidden)


def standing(box: Box, frames: tuple[int, int], width: int, height: int) -> Cover:
    """A cover that stays in one place from one frame to before another: what an officer drew."""
    start, stop = frames
    boxes = whole(np.array([[box.left, box.top, box.right, box.bottom]], np.float64), width, height)
    return Cover(-1, start, np.repeat(boxes, stop - start, axis=0), subject=Subject.DRAWN)


def regions(track: Track, around: Reach = FACE) -> Boxes:
    """The region of every detection of a track, float32 (n, 4), not yet cut to the frame."""
    size = track.boxes[:, 2:] - track.boxes[:, :2]
    side = around.side * size
    grown = np.concatenate([track.boxes[:, :2] - side, track.boxes[:, 2:] + side], axis=1)
    eyes, mouth = track.marks[:, :2].mean(1), track.marks[:, 3:].mean(1)
    up = eyes - mouth
    length = np.linalg.norm(up, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        up = np.where(np.isfinite(length) & (length > 1e-6), up / length, (0.0, -1.0))
    shift = np.concatenate([up, up], axis=1) * around.forehead * size[:, 1:]
    moved = grown + shift
    return hull(grown, moved).astype(np.float32)


def best(track: Track) -> int:
    """Which detection of a track shows the face best; the surest one when it never faces the camera."""
    value = worth(track)
    return int(np.argmax(value if value.max() > 0 else track.scores))


def worth(track: Track) -> NDArray[np.float64]:
    """How much a detection is worth to recognition: its size and score, less when the head is turned."""
    side = (track.boxes[:, 2:] - track.boxes[:, :2]).max(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        right = np.linalg.norm(track.marks[:, 2] - track.marks[:, 0], axis=1)
        left = np.linalg.norm(track.marks[:, 2] - track.marks[:, 1], axis=1)
        facing = np.minimum(right, left) / np.maximum(right, left)
    return np.asarray(np.nan_to_num(np.minimum(side, 160.0) * (0.3 + facing) * track.scores, nan=0.0), np.float64)


def facing(track: Track, at: int) -> float:
    """How far a detection faces the camera: 1 with the nose in the middle between the eyes, 0 in profile; NaN."""
    right, left = (float(np.linalg.norm(track.marks[at, 2] - track.marks[at, k])) for k in (0, 1))
    return min(right, left) / max(right, left) if max(right, left) > 0 else float("nan")


def boundaries(look: FirstPass, rate: float) -> tuple[int, ...]:
    """The frames of a result that are looked at again: one a second, at cuts, and where tracks begin and end.

    Tracks that the detectors were never sure of are left out, and what lies closer together than a quarter of a
    second: covers begin and end further away from where a track does.
    """
    wanted = set(range(0, look.frames, max(1, round(rate)))) | {look.frames - 1}
    for cut in look.cuts:
        wanted |= {cut - 1, cut}
    taken, last = sorted(wanted), -(10**9)
    for frame in sorted({end for t in look.tracks if t.sure for end in t.span} - wanted):
        if frame - last >= 0.25 * rate:
            taken.append(frame)
            last = frame
    return tuple(sorted(taken))


def at_once(first: Track, second: Track) -> bool:
    """Whether two tracks share a moment: frames from the first to the last detection overlap."""
    return first.span[0] <= second.span[1] and second.span[0] <= first.span[1]


def seconds_of(track: Track, rate: float) -> Stretch:
    """When a face is seen, in seconds."""
    first, last = track.span
    return Stretch(first / rate, (last + 1) / rate)


def box_at(track: Track, frame: int) -> tuple[float, float, float, float] | None:
    """Where a track's face is in a frame, between detections by interpolation; None before and after them."""
    first, last = track.span
    if not first <= frame <= last:
        return None
    left, top, right, bottom = (float(np.interp(frame, track.frames, track.boxes[:, k])) for k in range(4))
    return left, top, right, bottom


def track_at(look: FirstPass, frame: int, box: Box, same: float, facts: FilmFacts) -> int | None:
    """The track whose face was detected in this frame in this place (IoU of `same` and more); None when none was."""
    for track in look.tracks:
        for row in track.boxes[track.frames == frame].tolist():
            if Box(*row).clamp(facts.width, facts.height).iou(box) >= same:
                return track.index
    return None


def extended(look: FirstPass, boxes: Iterable[tuple[int, Boxes]], rate: float) -> FirstPass:
    """The look with faces that were found in the result: (frame, box) each, a track of its own."""
    tracks = list(look.tracks)
    for frame, box in boxes:
        start = max((c for c in look.cuts if c <= frame), default=0)
        stop = min((c for c in look.cuts if c > frame), default=look.frames) - 1
        tracks.append(
            Track(
                len(tracks),
                np.array([frame], np.int32),
                np.asarray(box, np.float32).reshape(1, 4),
                np.ones(1, np.float32),
                np.full((1, 5, 2), np.nan, np.float32),
                (start, stop),
                (False, False),
            )
        )
    return replace(look, tracks=tuple(tracks))


# --- geometry -------------------------------------------------------------------------------------------------


def cover(
    track: Track,
    frames: int,
    width: int,
    height: int,
    rate: float,
    around: Reach = FACE,
    camera: CameraMotion | None = None,
) -> Cover:
    """What covers one track of a film of so many frames of this size."""
    shot = track.shot[0], min(track.shot[1], frames - 1)
    ends = Ends(*(0.0 if track.goes_on[end] else _linger(track, end) for end in (0, 1)))
    wide = regions(track, around).astype(np.float64)
    low, dense = path(track.frames, wide, shot, ends, camera, (width, height), rate)
    when = np.arange(low, low + len(dense))
    halves = [np.interp(when, track.frames, (wide[:, k + 2] - wide[:, k]) / 2) for k in (0, 1)]
    round_ = np.minimum(np.stack(halves, axis=1), (dense[:, 2:] - dense[:, :2]) / 2)
    nearest = np.abs(when[:, None] - _around(track.frames, when)).min(1) - 1
    between = (when >= track.frames[0]) & (when <= track.frames[-1])
    growth = np.where(between, np.clip(nearest / rate * GAP_GROWTH, 0, MOST_GROWTH), 0)[:, None]
    side = (dense[:, 2:] - dense[:, :2]) * growth
    dense = np.concatenate([dense[:, :2] - side, dense[:, 2:] + side], axis=1)
    reach = max(1, round(AROUND * rate))
    dense = widened(low, dense, reach, camera)
    from scipy.ndimage import minimum_filter1d  # noqa: PLC0415 - slow to load, and most commands do without

    round_ = minimum_filter1d(round_, 2 * reach + 1, axis=0, mode="nearest")
    return Cover(track.index, low, whole(dense, width, height), corners(dense, round_, width, height))


def corners(boxes: NDArray[np.floating], round_: NDArray[np.floating], width: int, height: int) -> NDArray[np.float32]:
    """The round corners (n, 2) of boxes that are the hulls of ellipses with these half axes (n, 2).

    A box with such corners holds the ellipse wherever it lies in the box. The nearer a face is to the border of the
    frame the less round they are: one that the border cuts off is as wide there as anywhere.
    """
    limit = np.array([width, height], np.float64)
    beyond = np.maximum(np.maximum(-boxes[:, :2], boxes[:, 2:] - limit), 0)
    inside = np.clip(1 - beyond / np.maximum(_AWAY * round_, 1e-6), 0, 1).min(axis=1, keepdims=True)
    return np.asarray(round_ * inside, np.float32)


def _linger(track: Track, end: int) -> float:
    """Seconds for which a cover goes on beyond one end of the detections."""
    if not track.sure:
        return LINGER_UNSURE
    if track.gone[end]:
        return LINGER_GONE
    # The second detector alone: until its last look before, and its next look after, nobody would have seen the face.
    return LINGER if track.fast[end] else SECOND_LOOK + 0.1


def _around(frames: NDArray[np.int32], when: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each frame the detections just before and just after it, (n, 2)."""
    after = np.clip(np.searchsorted(frames, when), 0, len(frames) - 1)
    before = np.clip(after - 1, 0, len(frames) - 1)
    return np.stack([frames[before], frames[after]], axis=1).astype(np.int64)


def whole(boxes: NDArray[np.floating], width: int, height: int) -> NDArray[np.int32]:
    """Outwards to whole even pixels, at least `MINIMUM` on each side, inside the frame."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    low = np.minimum(boxes[:, :2], middle - MINIMUM / 2)
    high = np.maximum(boxes[:, 2:], middle + MINIMUM / 2)
    limit = np.array([width, height], np.float64)
    least = np.minimum(MINIMUM, limit)
    low = np.clip(low, 0, limit - least)
    high = np.clip(np.maximum(high, low + least), least, limit)
    low, high = np.floor(low / 2) * 2, np.minimum(np.ceil(high / 2) * 2, limit)
    return np.concatenate([low, high], axis=1).astype(np.int32)
