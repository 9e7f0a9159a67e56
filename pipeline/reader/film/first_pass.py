"""The first pass over a film: every frame is looked at, in order, in constant memory. Runs in the child only.

A fast detector sees every frame, at several scales; the second look (pipeline.reader.film.second_look) is at those
frames that `pipeline.redaction.tracker` asks for: one a second, every cut, and wherever something is unsure. Frames
are looked at side by side, one thread each, and told to the tracker in order; so are the second looks at whole frames,
which are known beforehand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection.exposure import brightened
from models.detection.patterns import patterned
from models.engines.base import Detector
from pipeline.domain.camera_motion import STILL, Similarity
from pipeline.domain.film import FirstPass, Frame
from pipeline.domain.types import Box, Detection
from pipeline.reader.film.camera import Grey, brightness, motion, reduced
from pipeline.reader.film.colour import halved, rgb
from pipeline.reader.film.crowds import around_others
from pipeline.reader.film.fast_detector import (
    MARGIN,
    add_behind_patterns,
    add_large,
    fast_first,
    hints,
    hints_of_pattern,
    threshold,
)
from pipeline.reader.film.second_look import SecondPass, covers_most, second_look, second_look_around
from pipeline.redaction import patch_follower
from pipeline.redaction.rhythm import Rhythm
from pipeline.redaction.tracker import Tracker

_SMALL = (32, 18)
_LARGE_EVERY = 3  # frames between two looks for faces that are too large for full size; the frames between are bridged
_AHEAD = 4  # frames per thread under way: so many are looked at while the tracker waits for the second detector
_CUT = 28.0
_CUT_WITHOUT_LIKENESS = 12.0
_LIKENESS = 0.3


@dataclass(frozen=True, slots=True)
class _Eyes:
    """The detectors, and the pool in which they look. The slower ones take turns, for the sake of memory."""

    fast: Detector
    others: Sequence[Detector]
    matrix: str
    pool: ThreadPoolExecutor
    threads: int
    turn: Lock

    def everywhere(self, frame: Frame) -> SecondPass:
        """The second look at a whole frame."""
        with self.turn:
            return second_look(rgb(frame, self.matrix), self.fast, self.others)

    def around(self, frame: Frame, places: Sequence[Box]) -> SecondPass:
        """The second look at places that are in doubt."""
        if covers_most(places, frame.shape[1], frame.shape[0] * 2 // 3):
            return self.everywhere(frame)
        return second_look_around(rgb(frame, self.matrix), self.fast, self.others, places)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One frame, looked at by the fast detector."""

    frame: int
    picture: Frame
    found: Sequence[Detection]
    reduced: bool
    """Whether it was looked at in smaller sizes too, in which large faces are found."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """One frame that is being looked at: whether it begins a shot, how the picture moved into it (None: unknown), and
    the look of the slower detectors at all of it, where it is due."""

    seen: Future[_Seen]
    cut: bool
    moved: Similarity | None
    copy: Grey
    whole: Future[SecondPass] | None


def look(
    frames: Iterable[tuple[int, Frame]],
    rate: float,
    matrix: str,
    detectors: Sequence[Detector],
    threads: int,
    progress: Callable[[int], None],
) -> FirstPass:
    """Detect and track through all frames; `progress` is told how many are done. Raises EngineError, MediaError."""
    fast, others = fast_first(detectors)
    sure = threshold(fast) - MARGIN
    tracker = Tracker(rate)
    count = 0
    with ThreadPoolExecutor(max(1, threads), "look") as pool:
        eyes = _Eyes(fast, others, matrix, pool, max(1, threads), Lock())
        for here in _ahead(frames, rate, eyes):
            seen, whole = here.seen.result(), here.whole
            doubtful = around_others(seen.found)
            strong = [d for d in seen.found if d.score >= sure and d not in doubtful]
            weak = [d for d in seen.found if d.score < sure or d in doubtful]
            picture = here.copy, seen.picture.shape[1] / here.copy.shape[1]
            places = tracker.step(seen.frame, strong, weak, here.cut, whole is not None, here.moved, picture)
            if whole is not None:
                tracker.amend(seen.frame, whole.result().beside(strong))
            elif places:
                tracker.amend(seen.frame, eyes.around(seen.picture, places).beside(strong))
            count += 1
            progress(count)
    return tracker.finish(count)


def _ahead(frames: Iterable[tuple[int, Frame]], rate: float, eyes: _Eyes) -> Iterable[_UnderWay]:
    """What the fast detector finds, frame by frame in order, with a few frames under way at a time."""
    pending: deque[_UnderWay] = deque()
    last: tuple[Frame, Future[_Seen]] | None = None
    small: NDArray[np.float32] | None = None
    grey: Grey | None = None
    rhythm: Rhythm | None = None
    for number, frame in frames:
        rhythm = rhythm or Rhythm(rate, (frame.shape[1], frame.shape[0] * 2 // 3))
        before, small = small, thumbnail(frame)
        copy = reduced(brightness(frame), patch_follower.SIDE)
        grey_before, grey = grey, reduced(copy)
        moved = STILL if grey_before is None else motion(grey_before, grey, frame.shape[1] / grey.shape[1])
        cut = moved is None and before is not None and is_cut(before, small)
        if last is not None and np.array_equal(last[0], frame):
            future = eyes.pool.submit(_again, number, last[1], eyes)
        else:
            future = eyes.pool.submit(_one, number, frame, eyes)
        whole = eyes.pool.submit(eyes.everywhere, frame) if rhythm.due(number, cut, moved) else None
        last = frame, future
        pending.append(_UnderWay(future, cut, moved, copy, whole))
        if len(pending) > _AHEAD * eyes.threads:
            yield pending.popleft()
    yield from pending


def _one(number: int, frame: Frame, eyes: _Eyes) -> _Seen:
    image, reduced = brightened(rgb(frame, eyes.matrix)), number % _LARGE_EVERY == 0
    rough = patterned(image)
    found = hints_of_pattern(image, eyes.fast) if rough else hints(image, eyes.fast)
    half = brightened(halved(frame, eyes.matrix)) if reduced or rough else None
    if half is not None and reduced:
        add_large(found, half, eyes.fast)
    if half is not None and rough:
        add_behind_patterns(found, half, eyes.fast)
    return _Seen(number, frame, found, reduced)


def _again(number: int, same: Future[_Seen], eyes: _Eyes) -> _Seen:
    """The same picture once more: variable frame rates, slides, stills. Its future is always before this one."""
    seen = same.result()
    found = list(seen.found)
    if not seen.reduced:
        add_large(found, brightened(halved(seen.picture, eyes.matrix)), eyes.fast)
    return _Seen(number, seen.picture, found, True)


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
