"""The second pass over a film: render from the plan, then read what was written beside the original. In the child.

Every frame is decoded again by the same command, and must be the picture that the first pass saw. Nothing is published
that was not read back: same frames, every cover in every frame, the rest as it was, and a further look of the
detectors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from models.detection.exposure import brightened
from models.engines.base import Detector
from pipeline.domain.film import Cover, FilmFacts, Frame
from pipeline.domain.types import Check, Detection, RgbImage
from pipeline.reader.film.colour import rgb
from pipeline.reader.film.encode import FilmWriter, Sound
from pipeline.reader.film.fast_detector import every_scale, fast_first, threshold
from pipeline.reader.film.ffmpeg import Tools
from pipeline.reader.film.fingerprint import Fingerprint
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.redaction import Painter, Schedule, steady, strayed, uncovered
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


def render(
    path: Path,
    facts: FilmFacts,
    painter: Painter,
    target: Path,
    tools: Tools,
    sound: Sound | None,
    fingerprint: int,
    progress: Callable[[int], None],
) -> tuple[int, Check]:
    """Write the covered film to `target`; returns how many frames it has, and whether they are those of the first pass.

    `fingerprint` is what the first pass saw. Raises MediaError.
    """
    pictures = Fingerprint()
    with FilmWriter(target, facts, tools, sound) as writer, closing(read_frames(path, facts, tools)) as frames:
        for number, frame in pictures.over(frames):
            writer.write(painter.paint(number, frame))
            progress(number + 1)
        same = pictures.value == fingerprint
    return writer.frames, Check("same_pictures", same, "" if same else "the film reads otherwise than at first")


def compare(
    path: Path,
    target: Path,
    facts: FilmFacts,
    written: FilmFacts,
    frames: int,
    covers: Sequence[Cover],
    painter: Painter,
    watched: frozenset[int],
    detectors: Sequence[Detector],
    threads: int,
    tools: Tools,
    progress: Callable[[int], None],
    seen: Callable[[Found], None],
) -> list[Check]:
    """Read original and result side by side, every frame; `seen` is told each face found in the `watched` frames.

    `painter`, a new one, paints every frame of the original once more: what was written must be that.
    """
    schedule = Schedule(covers)
    open_places = 0
    first_open = ""
    worst, worst_at, count = (0.0, 0.0), [0, 0], 0
    looks: deque[Future[list[Found]]] = deque()
    one_at_a_time = Lock()
    with (
        ThreadPoolExecutor(max(1, threads), "look") as pool,
        closing(read_frames(path, facts, tools)) as first,
        closing(read_frames(target, written, tools)) as second,
    ):
        for (number, before), (_, after) in zip(first, second, strict=False):
            if before.shape != after.shape:
                return [Check("same_size", False, f"frame {number}: {after.shape} instead of {before.shape}")]
            spots = schedule.at(number)
            apart = strayed(painter.paint(number, before), after, spots)
            bad = uncovered(before, after, spots)
            open_places += len(bad)
            if bad and not first_open:
                first_open = f", the first in frame {number} at {bad[0].outline.box}"
            worst_at = [number if apart[k] > worst[k] else worst_at[k] for k in (0, 1)]
            worst = max(apart[0], worst[0]), max(apart[1], worst[1])
            if number in watched:
                looks.append(pool.submit(_faces, number, after, facts, detectors, one_at_a_time))
            while len(looks) > _AHEAD * threads or (looks and looks[0].done()):
                for face in looks.popleft().result():
                    seen(face)
            count = number + 1
            progress(count)
        ended = next(second, None) is None and next(first, None) is None
        for look in looks:
            for face in look.result():
                seen(face)
    total = sum(len(c.boxes) for c in covers)
    covers_steady, frames_steady = steady(*worst)
    open_covers = f"{open_places} of {total} places open{first_open}"
    return [
        Check("same_size", True),
        Check("same_frames", ended and count == frames, f"{count} of {frames} frames"),
        Check(
            "every_cover_in_every_frame",
            not open_places and covers_steady,
            f"{open_covers}; largest difference {worst[0]:.1f} in frame {worst_at[0]}",
        ),
        Check("as_planned", frames_steady, f"largest difference {worst[1]:.1f} in frame {worst_at[1]}"),
    ]


def _faces(
    number: int, frame: Frame, facts: FilmFacts, detectors: Sequence[Detector], one_at_a_time: Lock
) -> list[Found]:
    """Faces in one frame of the result: the fast detector always; every fourth second the others too, and in other
    orientations. Those take turns, for the sake of memory.
    """
    image = rgb(frame, facts.matrix)
    fast, others = fast_first(detectors)
    found = [d for d in every_scale(brightened(image), fast) if d.score >= threshold(fast)]
    if number % (_SECOND_EVERY * max(1, round(facts.rate))) == 0:
        with one_at_a_time:
            found += second_look(image, fast, others).beside(found)
    return [Found(number, d, image) for d in found]
