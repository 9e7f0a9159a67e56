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
from itertools import pairwise
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

SECOND = DetectSettings(enlarge=(), turned=(), tile=768)  # CenterFace: 100 MiB for each look, in any size of film
_MARGIN = 0.08  # other decoders and other roundings move a score by as much
# Limited range: red, green, blue from brightness, blue and red difference (ITU-R BT.709 and BT.601).
_BT709 = np.array(
    [[1.1644, 0, 1.7927, -248.1], [1.1644, -0.2132, -0.5329, 76.87], [1.1644, 2.1124, 0, -289.0]], np.float32
)
_BT601 = np.array(
    [[1.1644, 0, 1.596, -222.9], [1.1644, -0.3918, -0.813, 135.6], [1.1644, 2.0172, 0, -276.8]], np.float32
)
_SMALL = (32, 18)
_LEAST_SIDE = 240
_LARGE = 40
_LARGE_EVERY = 3  # frames between two looks for faces that are too large for full size; the frames between are bridged
_WHOLE = 1280  # pixels of a side up to which the fast detector looks at an image as a whole
_BESIDE, _EITHER = 128, 16  # ... of what lies beside a piece, and of the strip that belongs to two
_AHEAD = 3  # frames per thread under way: so many are looked at while the tracker waits for the second detector
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
    reduced: bool
    """Whether it was looked at in smaller sizes too, in which large faces are found."""


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
                future = pool.submit(_again, number, last[1], matrix, fast)
            else:
                future = pool.submit(_one, number, frame, matrix, fast)
            last = frame, future
            pending.append(future)
            if len(pending) > _AHEAD * max(1, threads):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def threshold(fast: Detector) -> float:
    """The score from which on a finding in a single picture counts; in the first pass a little less does."""
    settings = DetectSettings()
    return settings.thresholds.get(fast.engine_id, settings.threshold)


def _one(number: int, frame: Frame, matrix: str, fast: Detector) -> _Seen:
    found, reduced = _hints(rgb(frame, matrix), fast), number % _LARGE_EVERY == 0
    if reduced:
        _add_large(found, _halved(frame, matrix), fast)
    return _Seen(number, frame, thumbnail(frame), found, reduced)


def _again(number: int, same: Future[_Seen], matrix: str, fast: Detector) -> _Seen:
    """The same picture once more: variable frame rates, slides, stills. Its future is always before this one."""
    seen = same.result()
    found = list(seen.found)
    if not seen.reduced:
        _add_large(found, _halved(seen.picture, matrix), fast)
    return _Seen(number, seen.picture, seen.small, found, True)


def every_scale(image: RgbImage, fast: Detector) -> list[Detection]:
    """What the fast detector finds at full size, with hints, and large faces at half and quarter size, without.

    A face that is found twice is one finding, with the box that holds both.
    """
    found = _hints(image, fast)
    _add_large(found, _half(image), fast)
    return found


def _hints(image: RgbImage, fast: Detector) -> list[Detection]:
    return [d for d in _detect(image, fast) if d.score >= HINT and d.box.area > 0]


def _detect(image: RgbImage, fast: Detector) -> list[Detection]:
    """What the fast detector finds, looking at large images in pieces, for the sake of memory.

    A finding counts in the piece that holds its middle, which shows some of what lies around as well.
    """
    height, width = image.shape[:2]
    pieces = [(y, x) for y in _pieces(height) for x in _pieces(width)]
    if len(pieces) == 1:
        return fast.detect(image)
    found: list[Detection] = []
    for (top, bottom), (left, right) in pieces:
        low, first = max(0, top - _BESIDE), max(0, left - _BESIDE)
        for face in fast.detect(image[low : bottom + _BESIDE, first : right + _BESIDE]):
            moved = _moved(face, first, low)
            x, y = moved.box.center
            if left - _EITHER <= x < right + _EITHER and top - _EITHER <= y < bottom + _EITHER:
                _join(found, moved, HINT)
    return found


def _pieces(length: int) -> list[tuple[int, int]]:
    """Equal parts of a length, each with what lies around it at most `_WHOLE`."""
    count = 1 if length <= _WHOLE else -(-length // (_WHOLE - 2 * _BESIDE))
    edges = [round(i * length / count) for i in range(count + 1)]
    return list(pairwise(edges))


def _add_large(found: list[Detection], level: RgbImage, fast: Detector) -> None:
    """Add what is found in an image of half the size, and in smaller ones."""
    sure, factor = threshold(fast) - _MARGIN, 2
    while max(level.shape[:2]) > _LEAST_SIDE:
        for large in _detect(level, fast):
            if large.score >= sure and large.box.size >= _LARGE:
                _join(found, _scaled(large, factor), sure)
        level, factor = _half(level), 2 * factor


def _half(image: RgbImage) -> RgbImage:
    size = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _halved(frame: Frame, matrix: str) -> RgbImage:
    """A frame as RGB at half its size, which its colours have already."""
    luma, blue, red = planes(frame)
    small = cv2.resize(luma, blue.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.transform(cv2.merge([small, blue, red]), _BT709 if matrix == "bt709" else _BT601), np.uint8)


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
