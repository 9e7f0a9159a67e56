"""Pure: whether a rendition may go out, from what was found when it was opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.domain.film import Cover, Track
from pipeline.domain.types import Analysis, Box, Check, Detection, Outline, Region
from pipeline.redaction.certainty import SECOND_ALONE
from pipeline.redaction.film_regions import box_at

COVERED_ENOUGH = 0.6
"""How much of the middle of a found box has to be covered: eyes, nose and mouth. Beside a cover detectors take the hair
around it for a head, in boxes that are wider than the face was."""
_RIM = 0.15  # of a found box on each side
FAST_ENGINE = "yunet"
NEW_FACE = 0.8  # score of the fast detector alone in a film's result
INSIDE = 0.8  # of a faint finding's box lies in the face that it is a part of
SAME_FACE = 0.3  # overlap (IoU) from which a face found in the result is one that may be shown


def look_again(result: Analysis, regions: Sequence[Region], shown: Mapping[int, Box]) -> tuple[list[Detection], Check]:
    """Faces in the result that nobody decided on: neither one that may be shown, nor under a cover."""
    covers = [region.shape for region in regions]
    extra = [
        f.detection
        for f in result.faces
        if not _covered(f.detection.box, covers)
        and not _is_shown(f.detection.box, shown)
        and not _part_of_one(f.detection, shown)
    ]
    detail = f"{len(result.faces)} found, {len(shown)} may be shown" + (f", {len(extra)} undecided" if extra else "")
    return extra, Check("no_undecided_face", not extra, detail)


def failed_checks(checks: Sequence[Check]) -> list[str]:
    """The names of the checks that did not pass, as reasons to hold."""
    return [f"check_failed:{c.name}" for c in checks if not c.passed]


def _covered(box: Box, outlines: Sequence[Outline]) -> bool:
    return Outline.share(box.grow(-_RIM), outlines) >= COVERED_ENOUGH


def _is_shown(box: Box, shown: Mapping[int, Box]) -> bool:
    return any(box.iou(s) >= SAME_FACE for s in shown.values())


def _part_of_one(found: Detection, shown: Mapping[int, Box]) -> bool:
    """Whether a faint finding lies in the middle of a face that may be shown: a mouth, an eye, a hand before it."""
    if not found.score < SECOND_ALONE:  # NaN is not faint
        return False
    x, y = found.box.center
    return any(
        found.box.intersection(s) > INSIDE * found.box.area
        and ((x - s.center[0]) / s.width) ** 2 + ((y - s.center[1]) / s.height) ** 2 <= 0.25
        for s in shown.values()
    )


def film_look_again(
    found: Sequence[tuple[int, Detection]], covers: Sequence[Cover], shown: Sequence[Track]
) -> tuple[list[tuple[int, Detection]], Check]:
    """Faces in the frames of a written film that nobody decided on, each with its frame.

    A finding of one detector alone needs to be convincing: every frame was looked at before, and asked for less. What
    is new in the result are the edges of covers, in which detectors see faces at times.
    """
    extra = []
    for frame, face in found:
        if face.score < (NEW_FACE if face.engines == (FAST_ENGINE,) else SECOND_ALONE):
            continue
        drawn = [outline for c in covers if (outline := c.outline(frame))]
        seen = {t.index: Box(*place) for t in shown if (place := box_at(t, frame))}
        if not _covered(face.box, drawn) and not _is_shown(face.box, seen):
            extra.append((frame, face))
    detail = f"{len(found)} found, {len(shown)} tracks may be shown" + (f", {len(extra)} undecided" if extra else "")
    return extra, Check("no_undecided_face", not extra, detail)
