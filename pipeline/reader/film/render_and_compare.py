"""The second pass over a film: render from the plan, then read what was written beside the original. In the child.

Every frame is decoded again by the same command, and must be the picture that the first pass saw. Nothing is published
that was not read back: same frames, every cover in every frame, the rest as it was, and a further look of the
detectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from pipeline.domain.film import Cover, FilmFacts
from pipeline.domain.types import Check
from pipeline.reader.film.encode import FilmWriter, Sound
from pipeline.reader.film.ffmpeg import Tools
from pipeline.reader.film.fingerprint import Fingerprint
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.redaction import Painter, Schedule, steady, strayed, uncovered


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
    tools: Tools,
    progress: Callable[[int], None],
) -> list[Check]:
    """Read original and result side by side, every frame.

    `painter`, a new one, paints every frame of the original once more: what was written must be that.
    """
    schedule = Schedule(covers)
    open_places = 0
    first_open = ""
    worst, worst_at, count = (0.0, 0.0), [0, 0], 0
    with (
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
            count = number + 1
            progress(count)
        ended = next(second, None) is None and next(first, None) is None
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
