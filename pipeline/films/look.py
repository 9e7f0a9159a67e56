"""The first pass over a film: every frame is looked at, in order, in constant memory. Runs in the child only.

A fast detector sees every frame, at several scales; the others see those frames that `pipeline.track` asks for: one a
second, every cut, and wherever something is unsure. Frames are looked at side by side, one thread each, and told to
the tracker in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from models.base import Detector
from models.detect import DetectSettings, find_faces
from pipeline.film_types import Frame, Look
from pipeline.track import Doubt, Tracker
from pipeline.types import Box, Detection, Landmarks, RgbImage

FAST = "yunet"
"""The detector that is quick enough for every frame; without it the first one that is configured."""

HINT = 0.3
"""Score of the fast detector below its threshold that still prolongs a track and asks for a second look."""

SECOND = DetectSettings(enlarge=(), turned=())  # in tiles: a whole frame of 1080p takes 260 MiB more
_MARGIN = 0.08  # other decoders and other roundings move a score by as much
# ITU-R BT.709, limited range: red, green, blue from brightness, blue and red difference.
_BT709 = np.array(
    [[1.1644, 0, 1.7927, -248.1], [1.1644, -0.2132, -0.5329, 76.87], [1.1644, 2.1124, 0, -289.0]], np.float32
)
_SMALL = (32, 18)
_LEAST_SIDE = 240
_LARGE = 40
_LARGE_EVERY = 3  # frames between two looks for faces that are too large for full size; the frames between are bridged
_SAME = 0.45
_LEAST_PIECE, _MOST_PIECE = 160, 256  # sides in pixels; faces in them are 64 and more, or as they are
_WORTH = 0.6
_CUT = 28.0
_CUT_WITHOUT_LIKENESS = 12.0
_LIKENESS = 0.3


@dataclass(frozen=True, slots=True)
class _Seen:
    """One frame, looked at by the fast detector."""

    frame: int
    picture: Frame
    small: NDArray[np.float32]
    found: Sequence[Detection]


def rgb(frame: Frame, matrix: str) -> RgbImage:
    """An I420 frame of limited range as RGB, (height, width, 3) uint8; `matrix` as in FilmFacts."""
    if matrix != "bt709":
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420), np.uint8)
    luma, blue, red = planes(frame)
    size = (luma.shape[1], luma.shape[0])
    whole = cv2.merge([luma, *(cv2.resize(c, size, interpolation=cv2.INTER_LINEAR) for c in (blue, red))])
    return np.asarray(cv2.transform(whole, _BT709), np.uint8)


def planes(frame: Frame) -> tuple[Frame, Frame, Frame]:
    """Views of the three planes of an I420 frame: brightness (height, width), blue and red (half of both)."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    colour = frame[height:].reshape(2, height // 2, width // 2)
    return frame[:height], colour[0], colour[1]


def look(
    frames: Iterable[tuple[int, Frame]],
    rate: float,
    matrix: str,
    detectors: Sequence[Detector],
    threads: int,
    progress: Callable[[int], None],
) -> Look:
    """Detect and track through all frames; `progress` is told how many are done. Raises EngineError, MediaError."""
    fast = next((d for d in detectors if d.engine_id == FAST), detectors[0])
    others = [d for d in detectors if d is not fast]
    sure = threshold(fast) - _MARGIN
    tracker = Tracker(rate)
    before: _Seen | None = None
    count = 0
    for seen in _ahead(frames, matrix, fast, threads):
        cut = before is not None and is_cut(before.small, seen.small)
        strong = [d for d in seen.found if d.score >= sure]
        weak = [d for d in seen.found if d.score < sure]
        doubt = tracker.step(seen.frame, strong, weak, cut)
        if others and (doubt.whole or doubt.places):
            tracker.amend(seen.frame, second_look(rgb(seen.picture, matrix), others, doubt))
        before, count = seen, count + 1
        progress(count)
    return tracker.finish(count)


def second_look(image: RgbImage, others: Sequence[Detector], doubt: Doubt) -> list[Detection]:
    """What the slower detectors find, in the whole image or around the places that are in doubt."""
    height, width = image.shape[:2]
    pieces = [_surroundings(box, width, height) for box in doubt.places]
    if doubt.whole or sum(min(p.area, _MOST_PIECE**2) for p in pieces) > _WORTH * width * height:
        return find_faces(image, others, SECOND)
    found: list[Detection] = []
    for piece in pieces:
        left, top = int(piece.left), int(piece.top)
        part = np.ascontiguousarray(image[top : int(piece.bottom), left : int(piece.right)])
        factor = max(1.0, max(part.shape[:2]) / _MOST_PIECE)
        if factor > 1:
            size = (max(1, round(part.shape[1] / factor)), max(1, round(part.shape[0] / factor)))
            part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        for face in find_faces(part, others, SECOND):
            moved = _moved(_scaled(face, factor), left, top)
            if not any(other.box.iou(moved.box) > _SAME for other in found):
                found.append(moved)
    return found


def _surroundings(box: Box, width: int, height: int) -> Box:
    side = max(_LEAST_PIECE, 2.5 * box.size)
    x, y = box.center
    low_x, low_y = max(0.0, min(x - side / 2, width - side)), max(0.0, min(y - side / 2, height - side))
    return Box(int(low_x), int(low_y), int(min(width, low_x + side)), int(min(height, low_y + side)))


def _moved(found: Detection, dx: int, dy: int) -> Detection:
    box = Box(found.box.left + dx, found.box.top + dy, found.box.right + dx, found.box.bottom + dy)
    points = tuple((x + dx, y + dy) for x, y in found.landmarks or ())
    return Detection(box, found.score, cast(Landmarks, points) if points else None, found.engines)


def _ahead(frames: Iterable[tuple[int, Frame]], matrix: str, fast: Detector, threads: int) -> Iterable[_Seen]:
    """What the fast detector finds, frame by frame in order, with a few frames under way at a time."""
    pending: deque[Future[_Seen]] = deque()
    last: tuple[Frame, Future[_Seen]] | None = None
    with ThreadPoolExecutor(max(1, threads), "look") as pool:
        for number, frame in frames:
            if last is not None and np.array_equal(last[0], frame):
                future = pool.submit(_again, number, last[1])
            else:
                future = pool.submit(_one, number, frame, matrix, fast)
            last = frame, future
            pending.append(future)
            if len(pending) > threads + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def threshold(fast: Detector) -> float:
    """The score from which on a finding in a single picture counts; in the first pass a little less does."""
    settings = DetectSettings()
    return settings.thresholds.get(fast.engine_id, settings.threshold)


def _one(number: int, frame: Frame, matrix: str, fast: Detector) -> _Seen:
    image = rgb(frame, matrix)
    found = every_scale(image, fast) if number % _LARGE_EVERY == 0 else _hints(image, fast)
    return _Seen(number, frame, thumbnail(frame), found)


def _hints(image: RgbImage, fast: Detector) -> list[Detection]:
    return [d for d in fast.detect(image) if d.score >= HINT and d.box.area > 0]


def every_scale(image: RgbImage, fast: Detector) -> list[Detection]:
    """What the fast detector finds at full size, with hints, and large faces at half and quarter size, without.

    A face that is found twice is one finding, with the box that holds both.
    """
    found = _hints(image, fast)
    sure = threshold(fast) - _MARGIN
    factor, level = 1, image
    while max(level.shape[:2]) > 2 * _LEAST_SIDE:
        factor *= 2
        size = (level.shape[1] // 2, level.shape[0] // 2)
        level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_AREA), np.uint8)
        for large in fast.detect(level):
            if large.score >= sure and large.box.size >= _LARGE:
                _join(found, _scaled(large, factor), sure)
    return found


def _join(found: list[Detection], large: Detection, sure: float) -> None:
    best = max(range(len(found)), key=lambda i: found[i].box.iou(large.box), default=None)
    if best is None or found[best].box.iou(large.box) < _SAME:
        found.append(large)
        return
    small = found[best]
    box = small.box.hull(large.box) if small.score >= sure else large.box
    landmarks = small.landmarks if small.score >= large.score else large.landmarks
    found[best] = Detection(box, max(small.score, large.score), landmarks, small.engines)


def _scaled(found: Detection, factor: float) -> Detection:
    box = found.box
    larger = Box(box.left * factor, box.top * factor, box.right * factor, box.bottom * factor)
    points = tuple((x * factor, y * factor) for x, y in found.landmarks or ())
    return Detection(larger, found.score, cast(Landmarks, points) if points else None, found.engines)


def _again(number: int, same: Future[_Seen]) -> _Seen:
    """The same picture once more: variable frame rates, slides, stills. Its future is always before this one."""
    seen = same.result()
    return _Seen(number, seen.picture, seen.small, seen.found)


def thumbnail(frame: Frame) -> NDArray[np.float32]:
    """The brightness of a frame, 18 x 32."""
    height = frame.shape[0] * 2 // 3
    return np.asarray(cv2.resize(frame[:height], _SMALL, interpolation=cv2.INTER_AREA), np.float32)


def is_cut(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether two thumbnails belong to different shots: much is different, or nothing is where it was."""
    apart = float(np.abs(before - after).mean())
    if apart > _CUT:
        return True
    if apart < _CUT_WITHOUT_LIKENESS:
        return False
    a, b = before - before.mean(), after - after.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return size > 0 and float((a * b).sum()) / size < _LIKENESS
