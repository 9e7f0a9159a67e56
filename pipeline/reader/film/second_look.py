"""The second look at a frame of a film: the slower detectors, and the fast one at people who lie or are upside down.

It is made once a second at the whole frame, and in between where the first look is in doubt
(pipeline.redaction.tracker).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from models.detection.find_faces import find_behind_patterns, find_faces, find_lying
from models.detection.fusion import apart
from models.detection.passes import moved
from models.detection.patterns import elsewhere
from models.detection.settings import DetectSettings, ZoomPass
from models.detection.turned import TURNS
from models.engines.base import Detector
from pipeline.domain.types import Box, Detection, RgbImage
from pipeline.reader.film.fast_detector import SAME, threshold
from pipeline.redaction.certainty import SECOND_ALONE

SECOND = DetectSettings(closer=(), turned=(), tile=768)  # CenterFace: 100 MiB for each look, in any size of film
LYING = DetectSettings(turned_side=960, turned_threshold=0.7)
LYING_ALONE = 0.88
"""Score from which on the fast detector is believed about a face in another orientation: below, folds of cloth reach
it, and another detector has to see a face in the same place."""

CLOSE = DetectSettings(closer=(ZoomPass("yunet", 2.0, largest=math.inf),), turned=())
"""For the landmarks of one face: both detectors, and the fast one at twice the size."""

_LEAST_PIECE, _MOST_PIECE = 160, 192  # sides in pixels; faces in them are 64 and more, or as they are
_MOST_CLOSE = 384
_WORTH = 0.6


@dataclass(frozen=True, slots=True)
class SecondPass:
    """What a second look found: faces that are upright, those that are not, and those behind a pattern."""

    upright: list[Detection]
    lying: list[Detection]
    behind: list[Detection]

    def beside(self, seen: Sequence[Detection]) -> list[Detection]:
        """All of them but lying ones and ones behind a pattern that are faces of `seen`, which the fast detector found
        upright."""
        return [*self.upright, *apart(self.lying, seen), *elsewhere(self.behind, seen)]


def second_look(
    image: RgbImage, fast: Detector, others: Sequence[Detector], *, beside_upright: bool = True
) -> SecondPass:
    """What the slower detectors find, and the fast one in the three other orientations, where they agree.

    `beside_upright`: also where the slower detectors are sure of somebody upright.
    """
    upright = find_faces(image, others, SECOND) if others else []
    sure = [d for d in upright if d.score >= SECOND_ALONE]
    if sure and not beside_upright:
        return SecondPass(upright, [], [])
    behind = find_behind_patterns(image, [fast], SECOND, upright)
    lying = apart(find_lying(image, fast, LYING), sure)
    lying = [d for d in lying if d.score >= LYING_ALONE or _confirmed(image, d, others)]
    return SecondPass(upright, lying, elsewhere(behind, lying))


def _confirmed(image: RgbImage, face: Detection, others: Sequence[Detector]) -> bool:
    """Whether a slower detector sees it too, in the same orientation."""
    part, back = _piece(image, face.box)
    for other in others:
        settings = replace(SECOND, turned_side=_MOST_PIECE, turned_threshold=threshold(other))
        if any(back(d).box.iou(face.box) > SAME for d in find_lying(part, other, settings, _turns(face))):
            return True
    return False


def _turns(face: Detection) -> tuple[int, ...]:
    """By how many quarters against the clock an image is turned for a face in it to stand upright."""
    if face.landmarks is None:
        return TURNS
    eyes, mouth = np.mean(face.landmarks[:2], axis=0), np.mean(face.landmarks[3:], axis=0)
    right, down = mouth - eyes
    quarters = round(math.atan2(-right, down) / (math.pi / 2)) % 4
    return (quarters,) if quarters else TURNS


def second_look_around(
    image: RgbImage, fast: Detector, others: Sequence[Detector], places: Sequence[Box]
) -> SecondPass:
    """The same around places that are in doubt; where somebody is found upright, nobody is sought in other ways."""
    second = SecondPass([], [], [])
    for box in places:
        part, back = _piece(image, box)
        here = second_look(part, fast, others, beside_upright=False)
        for all_found, found in (
            (second.upright, here.upright), (second.lying, here.lying), (second.behind, here.behind)
        ):  # fmt: skip
            for face in map(back, found):
                if not any(other.box.iou(face.box) > SAME for other in all_found):
                    all_found.append(face)
    return second


def exact_landmarks(image: RgbImage, face: Detection, detectors: Sequence[Detector]) -> Detection:
    """The face with landmarks in which several looks at it agree, for recognition; itself where they find nobody.

    The first look is one look of the fast detector, which may be off by a tenth of the face.
    """
    part, back = _piece(image, face.box, _MOST_CLOSE)
    seen = [back(found) for found in find_faces(part, detectors, CLOSE)]
    best = max(seen, key=lambda found: found.box.iou(face.box), default=None)
    if best is None or best.landmarks is None or best.box.iou(face.box) <= SAME:
        return face
    return replace(face, landmarks=best.landmarks)


def _piece(image: RgbImage, box: Box, most: int = _MOST_PIECE) -> tuple[RgbImage, Callable[[Detection], Detection]]:
    """The surroundings of a box, of so many pixels a side at most, and the way of a finding back to the image."""
    piece = _surroundings(box, image.shape[1], image.shape[0])
    left, top = int(piece.left), int(piece.top)
    part = np.ascontiguousarray(image[top : int(piece.bottom), left : int(piece.right)])
    factor = max(1.0, max(part.shape[:2]) / most)
    if factor > 1:
        size = (max(1, round(part.shape[1] / factor)), max(1, round(part.shape[0] / factor)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return part, lambda found: moved(found, left / factor, top / factor, factor)


def covers_most(places: Sequence[Box], width: int, height: int) -> bool:
    """Whether a look at these places is as much work as one at everything."""
    pieces = (_surroundings(box, width, height) for box in places)
    return sum(min(p.area, _MOST_PIECE**2) for p in pieces) > _WORTH * width * height


def _surroundings(box: Box, width: int, height: int) -> Box:
    side = max(_LEAST_PIECE, 2.5 * box.size)
    x, y = box.center
    low_x, low_y = max(0.0, min(x - side / 2, width - side)), max(0.0, min(y - side / 2, height - side))
    return Box(int(low_x), int(low_y), int(min(width, low_x + side)), int(min(height, low_y + side)))
