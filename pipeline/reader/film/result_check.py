"""The look at a film that another process wrote, in a way in which the first pass did not look. In the child.

The fast detector sees the watched frames at another scale and without their fine patterns; every fourth second the
slower detectors look too, and before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from models.detection.exposure import brightened
from models.detection.find_faces import find_behind_patterns
from models.detection.passes import moved
from models.detection.settings import CHECK, CHECK_SCALE
from models.engines.base import Detector
from pipeline.domain.film import FilmFacts, Frame
from pipeline.domain.types import Detection, RgbImage
from pipeline.reader.faces import reduced
from pipeline.reader.film.colour import rgb
from pipeline.reader.film.fast_detector import every_scale, fast_first, threshold
from pipeline.reader.film.ffmpeg import Tools
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.second_look import second_look

_AHEAD = 3  # frames per thread under way
_SECOND_EVERY = 4
"""Seconds between two looks of the slower detectors at the result."""


@dataclass(frozen=True, slots=True)
class Found:
    """A face that a detector saw in a frame of the result, with the picture it is in."""

    frame: int
    detection: Detection
    image: RgbImage


def look_at_result(
    path: Path,
    facts: FilmFacts,
    watched: frozenset[int],
    detectors: Sequence[Detector],
    threads: int,
    tools: Tools,
    progress: Callable[[int], None],
) -> Iterator[Found]:
    """Find faces in the watched frames of a written film, in order. Raises MediaError, EngineError."""
    looks: deque[Future[list[Found]]] = deque()
    one_at_a_time = Lock()
    with (
        ThreadPoolExecutor(max(1, threads), "check") as pool,
        closing(read_frames(path, facts, tools, only=watched)) as frames,
    ):
        for number, frame in frames:
            looks.append(pool.submit(_faces, number, frame, facts, detectors, one_at_a_time))
            while len(looks) > _AHEAD * threads:
                yield from looks.popleft().result()
            progress(number + 1)
        for look in looks:
            yield from look.result()


def _faces(
    number: int, frame: Frame, facts: FilmFacts, detectors: Sequence[Detector], one_at_a_time: Lock
) -> list[Found]:
    """Faces in one frame of the result. The slower detectors take turns, for the sake of memory."""
    image = rgb(frame, facts.matrix)
    fast, others = fast_first(detectors)
    slow: list[Detection] = []
    if number % (_SECOND_EVERY * max(1, round(facts.rate))) == 0:
        with one_at_a_time:
            slow = second_look(image, fast, others).beside([])
    small, factor = reduced(image, CHECK_SCALE)
    found = [d for d in every_scale(brightened(small), fast) if d.score >= threshold(fast)]
    found += find_behind_patterns(small, [fast], CHECK, found)
    return [Found(number, d, image) for d in (*slow, *(moved(d, 0, 0, factor) for d in found))]
