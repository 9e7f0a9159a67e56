"""The way of a region through the frames of its shot, carried by the motion of the camera. Pure.

Where the face was detected the region is given. Between two detections it is carried from both with the picture, and
blended; before the first and after the last it is carried on, with the face's own motion on top. A region is a row of
left, top, right, bottom in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.camera_motion import CameraMotion

Rows = NDArray[np.float64]

SMEARED = 0.25
"""Part of a face's size by which the picture moves in one frame, from which on nobody is surprised that a detector no
longer sees the face: such frames do not count as evidence that it has gone."""

MOST_SMEARED = 2.0
"""Seconds for which a cover goes on without evidence, at most."""

_OWN_OVER = 6  # detections from which the face's own motion is told
_UNSTEADY = 0.3  # part of its own motion by which a face may become slower or faster
_TREMBLE = 0.01  # part of its size by which a face that stands still may move in a frame
_SLOWER = 0.6  # part of its own motion that a face may have lost meanwhile
_MOST_OWN = 0.5  # part of its size that a face moves in a frame, at most
_OWN_LEAST = 3
_MOST_TREMBLE = 0.02
_MOST_SPREAD = 0.4
_LEFT = 0.3  # part of a region's side that must be in the frame


@dataclass(frozen=True, slots=True)
class Carrier:
    """The steps of the camera for the frames `low` to `high`: complex turns and shifts into each frame, and whether
    they are known; unknown ones stand still."""

    low: int
    turn: NDArray[np.complex128]
    shift: NDArray[np.complex128]
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, camera: CameraMotion | None, low: int, high: int) -> Carrier:
        """The steps of a camera, or of one that stands still."""
        count = high - low + 1
        if camera is None:
            return cls(low, np.ones(count, np.complex128), np.zeros(count, np.complex128), np.ones(count, np.bool_))
        steps, known = camera.steps[low : high + 1].astype(np.float64), camera.known[low : high + 1]
        turn = np.where(known, steps[:, 0] + 1j * steps[:, 1], 1)
        shift = np.where(known, steps[:, 2] + 1j * steps[:, 3], 0)
        return cls(low, turn, shift, np.asarray(known))

    def carried(self, rows: Rows, frames: NDArray[np.int64], onward: bool) -> Rows:
        """Rows of so many frames, each carried one frame onward, or back."""
        into = frames - self.low + (1 if onward else 0)
        turn, shift = self.turn[into], self.shift[into]
        middle, half = _middle(rows), (rows[:, 2:] - rows[:, :2]) / 2
        middle = turn * middle + shift if onward else (middle - shift) / turn
        half = half * (np.abs(turn) if onward else 1 / np.abs(turn))[:, None]
        return _rows(middle, half)


@dataclass(frozen=True, slots=True)
class Ends:
    """How a path goes on beyond its detections, before the first and after the last: seconds of evidence."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class _Beyond:
    carrier: Carrier
    onward: bool
    shot: tuple[int, int]
    size: tuple[int, int]
    rate: float


def path(
    frames: NDArray[np.int32],
    regions: Rows,
    shot: tuple[int, int],
    ends: Ends,
    camera: CameraMotion | None,
    size: tuple[int, int],
    rate: float,
) -> tuple[int, Rows]:
    """The first frame of the path, and the region in each frame from there on.

    `frames` rise and lie in the shot; `size` is that of a frame: a path ends where the region has left it.
    """
    carrier = Carrier.of(camera, *shot)
    inner = _bridged(frames, regions, carrier)
    earlier = _beyond(frames[::-1], regions[::-1], ends.before, _Beyond(carrier, False, shot, size, rate))
    later = _beyond(frames, regions, ends.after, _Beyond(carrier, True, shot, size, rate))
    return int(frames[0]) - len(earlier), np.concatenate([earlier[::-1], inner, later])


def widened(start: int, rows: Rows, reach: int, camera: CameraMotion | None) -> Rows:
    """Each region with those of so many frames before and after, carried to its frame."""
    carrier, count = Carrier.of(camera, start, start + len(rows) - 1), len(rows)
    whole, on, back = rows.copy(), rows, rows
    for away in range(1, min(reach, count - 1) + 1):
        at = np.arange(start, start + count - 1)
        on = carrier.carried(on[:-1] if away > 1 else rows[:-1], at[away - 1 :], onward=True)
        back = carrier.carried(back[1:] if away > 1 else rows[1:], at[: count - away] + 1, onward=False)
        whole[away:] = hull(whole[away:], on)
        whole[:-away] = hull(whole[:-away], back)
    return whole


def hull(a: Rows, b: Rows) -> Rows:
    """The smallest rows that hold both."""
    return np.concatenate([np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])], axis=1)


def _bridged(frames: NDArray[np.int32], regions: Rows, carrier: Carrier) -> Rows:
    """From the first to the last detection, without holes."""
    first = int(frames[0])
    whole = np.empty((int(frames[-1]) - first + 1, 4))
    whole[frames - first] = regions
    for i in np.nonzero(np.diff(frames) > 1)[0]:
        a, b = int(frames[i]), int(frames[i + 1])
        there, back = _run(regions[i], a, b - 1, carrier), _run(regions[i + 1], b, a + 1, carrier)[::-1]
        part = (np.arange(a + 1, b) - a)[:, None] / (b - a)
        known = carrier.known[a + 1 - carrier.low : b + 1 - carrier.low].all()
        whole[a + 1 - first : b - first] = there * (1 - part) + back * part if known else hull(there, back)
    return whole


def _run(region: NDArray[np.float64], start: int, stop: int, carrier: Carrier) -> Rows:
    """The region of one frame carried to each frame up to another, which may be earlier; without the first."""
    onward, row, rows = stop > start, region[None], []
    for frame in range(start, stop, 1 if onward else -1):
        row = carrier.carried(row, np.array([frame]), onward)
        rows.append(row[0])
    return np.array(rows).reshape(-1, 4)


def _beyond(frames: NDArray[np.int32], regions: Rows, evidence: float, beyond: _Beyond) -> Rows:
    """What lies beyond the last of these detections, frame after frame; they run backwards for what lies before.

    The face goes on as it moved, if it moved steadily, a little slower or faster; else it stays, more or less.
    """
    carrier, onward = beyond.carrier, beyond.onward
    frame, row, rows = int(frames[-1]), regions[-1:], []
    own, unsure = _own_motion(frames, regions, carrier)
    drift, spread, smeared, left = 0j, 0.0, 0, round(evidence * beyond.rate)
    while left > 0 and beyond.shot[0] <= frame + (1 if onward else -1) <= beyond.shot[1]:
        before, frame, row = row, frame + (1 if onward else -1), carrier.carried(row, np.array([frame]), onward)
        known = carrier.known[frame + (0 if onward else 1) - carrier.low]
        side = float((row[0, 2:] - row[0, :2]).max())
        if known and abs(_middle(row)[0] - _middle(before)[0]) < SMEARED * side:
            left -= 1
        elif (smeared := smeared + 1) > MOST_SMEARED * beyond.rate:
            break
        scale = side / float((before[0, 2:] - before[0, :2]).max())
        drift, spread = (drift + own) * scale, min((spread + unsure) * scale, _MOST_SPREAD * side)
        shifted = row[0] + np.array([drift.real, drift.imag] * 2)
        if _outside(shifted, beyond.size):
            break
        slower = row[0] + _SLOWER * np.array([drift.real, drift.imag] * 2)
        rows.append(hull(slower[None], shifted[None])[0] + np.array([-spread, -spread, spread, spread]))
    return np.array(rows).reshape(-1, 4)


def _outside(row: NDArray[np.float64], size: tuple[int, int]) -> bool:
    """Whether hardly anything of a region is left in the frame."""
    wide, high = min(row[2], size[0]) - max(row[0], 0), min(row[3], size[1]) - max(row[1], 0)
    return bool(wide < _LEFT * (row[2] - row[0]) or high < _LEFT * (row[3] - row[1]))


def _own_motion(frames: NDArray[np.int32], regions: Rows, carrier: Carrier) -> tuple[complex, float]:
    """How a face moves in a frame on top of the camera at the last of these detections, and by how much it may err."""
    side = float((regions[-1, 2:] - regions[-1, :2]).max())
    middles = []
    for frame, region in zip(frames[-_OWN_OVER:], regions[-_OWN_OVER:], strict=True):
        there = _run(region, int(frame), int(frames[-1]), carrier)
        middles.append(_middle(there[-1:] if len(there) else region[None])[0])
    if len(middles) < 2:
        return 0j, _TREMBLE * side
    steps = np.diff(middles) / np.abs(np.diff(frames[-_OWN_OVER:]))
    own = complex(np.median(steps.real), np.median(steps.imag))
    errs = float(np.median(np.abs(steps - own)))
    if len(steps) < _OWN_LEAST or abs(own) < 2 * errs or abs(own) > _MOST_OWN * side:
        return 0j, _TREMBLE * side + min(errs, _MOST_TREMBLE * side)
    return own, max(_TREMBLE * side, _UNSTEADY * abs(own))


def _middle(rows: Rows) -> NDArray[np.complex128]:
    return np.asarray((rows[:, 0] + rows[:, 2]) / 2 + 1j * (rows[:, 1] + rows[:, 3]) / 2)


def _rows(middle: NDArray[np.complex128], half: Rows) -> Rows:
    corner = np.stack([middle.real, middle.imag], axis=1)
    return np.concatenate([corner - half, corner + half], axis=1)
