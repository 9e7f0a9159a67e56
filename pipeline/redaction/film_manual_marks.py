"""What an officer did by hand to a film, carried over to its tracks. Pure; regions only grow, and nobody is shown.

A mark on a face of a film is on its track: it is named by the box of the track's best frame, as a name is, and covers
the face wherever it goes. What was drawn, and a mark whose track is not found any more, stays in its place for the
seconds that it names, or through the whole film.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import Cover, FirstPass, Stretch, Track
from pipeline.domain.types import Face, Subject, Verdict
from pipeline.redaction import film_regions, manual_marks
from pipeline.redaction.manual_marks import DOWNWARDS, SIDEWAYS, WIDER, Annotation, AnnotationKind
from pipeline.redaction.regions import SIDE
from pipeline.rules.reasons import HoldReason

SAME_TRACK = 0.98
"""Overlap (IoU) from which a face in the film's best frame is the one that was shown or named; reading is exact."""

_ON_A_FACE = frozenset({AnnotationKind.COVER, AnnotationKind.WIDEN, AnnotationKind.FIGURE})
_FACE = 1 / (1 + 2 * SIDE)
"""A face's part of the width or height of the least cover that it gets."""

Grow = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def is_on(mark: Annotation, face: Face) -> bool:
    """Whether a mark was put on this face, and so goes where its track goes."""
    return mark.kind in _ON_A_FACE and mark.box is not None and face.detection.box.iou(mark.box) >= SAME_TRACK


def reviewed(
    verdicts: Sequence[Verdict],
    faces: Sequence[Face],
    seconds: Sequence[Stretch],
    by_hand: Sequence[Annotation],
    size: tuple[int, int],
) -> tuple[Verdict, ...]:
    """The verdicts on tracks after what was done by hand; `faces` are the tracks in their best frames.

    A track is covered as a whole: by a mark on it, and by one in a place where it is seen best, while it is there.
    """
    standing = [m for m in by_hand if not any(is_on(m, f) for f in faces)]
    found: list[Verdict] = []
    for v in verdicts:
        face = faces[v.face]
        own = [m for m in by_hand if is_on(m, face)]
        own += [m for m in standing if m.span is None or _meet(m.span, seconds[v.face])]
        found += manual_marks.reviewed([v], [face], own, size)
    return tuple(found)


def covers(
    look: FirstPass,
    faces: Sequence[Face],
    by_hand: Sequence[Annotation],
    hidden: Set[int],
    size: tuple[int, int],
    rate: float,
) -> tuple[Cover, ...]:
    """What is covered besides the faces, numbered -1, -2...; `hidden` are the tracks that are covered anyway.

    Where somebody whose whereabouts are secret may be in the film and an officer let it go, that is the whole figure
    of every hidden face.
    """
    following: dict[tuple[int, AnnotationKind], Grow] = {}
    still: list[Cover] = []
    for mark in by_hand:
        tracks = [f.index for f in faces if is_on(mark, f)]
        for index in tracks:
            if mark.kind in _GROWTH:
                following[index, mark.kind] = _GROWTH[mark.kind]
        region = None if tracks else manual_marks.region(mark, *size)
        if region is not None:
            still.append(film_regions.standing(region.box, _frames(mark.span, rate, look.frames), *size))
    if HoldReason.PROTECTED_PERSON in manual_marks.lifted(by_hand):
        following |= {(index, AnnotationKind.FIGURE): _figure for index in hidden}
    moving = [
        _following(look.tracks[i], look.frames, kind, grow, size, rate) for (i, kind), grow in sorted(following.items())
    ]
    return tuple(replace(c, track=-1 - n) for n, c in enumerate((*still, *moving)))


def _following(
    track: Track, frames: int, kind: AnnotationKind, grow: Grow, size: tuple[int, int], rate: float
) -> Cover:
    """The cover of a track, made larger in every frame."""
    own = film_regions.cover(track, frames, *size, rate)
    larger = replace(own, boxes=film_regions.whole(grow(own.boxes.astype(np.float64)), *size))
    return replace(larger, corners=None, subject=Subject.FIGURE) if kind is AnnotationKind.FIGURE else larger


def _wider(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    side = (boxes[:, 2:] - boxes[:, :2]) * _FACE * WIDER
    return np.concatenate([boxes[:, :2] - side, boxes[:, 2:] + side], axis=1)


def _figure(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """From above the head to below the feet, as pipeline.redaction.manual_marks has it for photos."""
    width, height = ((boxes[:, 2:] - boxes[:, :2]) * _FACE).T
    left, right = boxes[:, 0] - SIDEWAYS * width, boxes[:, 2] + SIDEWAYS * width
    return np.stack([left, boxes[:, 1], right, boxes[:, 3] + DOWNWARDS * height], axis=1)


_GROWTH: Mapping[AnnotationKind, Grow] = {AnnotationKind.WIDEN: _wider, AnnotationKind.FIGURE: _figure}


def _meet(first: Stretch, second: Stretch) -> bool:
    return first.start < second.end and second.start < first.end


def _frames(span: Stretch | None, rate: float, frames: int) -> tuple[int, int]:
    """The first frame of a stretch and the one after its last, outwards, inside the film."""
    if span is None:
        return 0, frames
    start = min(max(0, int(np.floor(span.start * rate))), frames - 1)
    return start, max(start + 1, min(frames, int(np.ceil(span.end * rate))))
