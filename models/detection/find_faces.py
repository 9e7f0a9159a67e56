"""Find every face in a photo: all detectors, at several scales, in tiles, fused so that regions only grow.

Each pass looks at the photo at one scale. Detectors see faces of a certain range of pixels, so large faces are found
at small scales and small faces at full size or enlarged. Tiles keep memory bounded: they overlap by more than the
largest face that a scale is for, and larger faces are whole at the next smaller scale.
Dark places are brightened first (models.detection.exposure). Where a scout suspects faces that it is not sure of, the
photo is seen enlarged and turned (models.detection.zoom), and all of it is seen without its fine patterns
(models.detection.patterns). What all looks find is fused (models.detection.fusion).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.detection.exposure import brightened
from models.detection.fusion import Candidate, fuse
from models.detection.passes import Places, near_parts, one_pass, pyramid, tiles, whole
from models.detection.patterns import behind_patterns, same_place
from models.detection.settings import DetectSettings, ZoomPass
from models.detection.turned import TURNS, leaning, on_all_sides, turned
from models.detection.zoom import MARGIN, parts_at
from models.engines.base import Detector, Scout
from models.errors import EngineError
from pipeline.domain.types import Box, Detection, RgbImage

SMALL = 32.0
"""Pixels up to which a face and its surroundings need less room."""


def find_faces(
    image: RgbImage,
    detectors: Sequence[Detector],
    settings: DetectSettings | None = None,
    near: Sequence[Box] | None = None,
) -> list[Detection]:
    """All faces in an upright RGB image (height, width, 3), uint8, in reading order.

    `near`: only the surroundings of these boxes are seen at scales at which the image has more than `settings.coarse`
    megapixels, for an image of which the rest is known.
    Every detection of any engine from its threshold on lies inside the box of a result; what a closer look finds in the
    middle of a face that is sure is that face. Boxes are clamped to the frame. Raises EngineError when an engine fails
    or returns what it may not; there is no partial answer.
    """
    settings = settings or DetectSettings()
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise EngineError(f"an image must be uint8 (height, width, 3) and not empty, not {image.dtype} {image.shape}")
    if not detectors:
        raise EngineError("no detector is given: without one every face would leak")
    image = brightened(image)
    candidates: list[Candidate] = []
    suspected: list[Places] = []
    huge = image.shape[0] * image.shape[1] > settings.huge * 1e6 and len(detectors) > 1
    for step, (scale, level) in enumerate(pyramid(image, settings)):
        for detector in detectors:
            if (step % 2 == 1) != huge and detector.engine_id in settings.sparse:
                continue
            for part in near_parts(level, scale, near, settings):
                candidates += one_pass(level, scale, detector, settings, part, suspected if scale == 1 else None)
    for look in settings.closer:
        if image.shape[0] * image.shape[1] <= look.megapixels * 1e6:
            least = look.extra_huge if huge else look.extra
            candidates += _closer(image, look, least, detectors, settings, suspected, candidates)
    for detector in detectors:
        if detector.engine_id in settings.turned:
            candidates += on_all_sides(image, detector, settings)
    candidates += _leaning(image, detectors, settings, suspected, candidates)
    found = fuse(candidates, image.shape[1], image.shape[0])
    more = behind_patterns(image, detectors, settings, found, near)
    return fuse([*candidates, *more], image.shape[1], image.shape[0]) if more else found


def find_lying(
    image: RgbImage, detector: Detector, settings: DetectSettings, turns: Sequence[int] = TURNS
) -> list[Detection]:
    """Faces on their side or head, and some that stand upright: what a detector finds in other orientations.

    `turns`: by how many quarters the image is turned, against the clock. Of the settings those of turned copies count.
    The image, the boxes and what is raised are as in `find_faces`.
    """
    return fuse(list(on_all_sides(brightened(image), detector, settings, turns)), image.shape[1], image.shape[0])


def find_behind_patterns(
    image: RgbImage, detectors: Sequence[Detector], settings: DetectSettings, known: Sequence[Detection]
) -> list[Detection]:
    """Find faces in copies without fine patterns that are none of the known ones; otherwise as `find_faces`."""
    more = behind_patterns(brightened(image), detectors, settings, known)
    return fuse(more, image.shape[1], image.shape[0])


def _closer(
    image: RgbImage,
    look: ZoomPass,
    extra: float,
    detectors: Sequence[Detector],
    settings: DetectSettings,
    suspected: Sequence[Places],
    found: Sequence[Candidate],
) -> list[Candidate]:
    """What the engine of this look finds: everywhere, when no scout is there to say where."""
    where, sure = [whole(image)], list[Box]()
    if look.suspicion is not None and any(isinstance(d, Scout) for d in detectors):
        sure = [c.found.box for c in found if c.found.score >= settings.sure]
        points = np.concatenate([np.empty((0, 3), np.float32), *suspected])
        points = points[(points[:, 2] >= look.suspicion) & ~_inside(points[:, :2], sure)]
        where = parts_at(points[:, :2], image.shape[1], image.shape[0], MARGIN if look.largest > SMALL else MARGIN - 1)
    least = settings.thresholds.get(look.engine, settings.threshold) + extra
    closer: list[Candidate] = []
    for detector in (d for d in detectors if d.engine_id == look.engine):
        for part in where:
            if look.turned:
                for tile in tiles(part, 1.0, detector, settings):
                    closer += turned(image, tile, detector, least)
            else:
                closer += one_pass(image, look.factor, detector, settings, part)
    closer = [c for c in closer if c.found.box.size <= look.largest and c.found.score >= least]
    known = _inside(np.array([c.found.box.center for c in closer], np.float32).reshape(-1, 2), sure)
    return [c for c, one in zip(closer, known, strict=True) if not one]


def _leaning(
    image: RgbImage,
    detectors: Sequence[Detector],
    settings: DetectSettings,
    suspected: Sequence[Places],
    found: Sequence[Candidate],
) -> list[Candidate]:
    """Find who leans, where a scout suspects somebody and nobody was found."""
    if settings.leaning is None or not suspected:
        return []
    points = np.concatenate(suspected)
    points = points[points[:, 2] >= settings.leaning]
    known = [c.found.box for c in found]
    points = points[~_inside(points[:, :2], known)]

    def is_known(box: Box) -> bool:
        return any(same_place(box, other) for other in known)

    where = parts_at(points[:, :2], image.shape[1], image.shape[0], MARGIN)
    return [c for part in where for c in leaning(image, part, detectors, settings, is_known)]


def _inside(points: NDArray[np.float32], boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """Which points (n, 2) lie in the ellipse of a box; in the corners of a box there may be somebody else behind."""
    inside = np.zeros(len(points), np.bool_)
    for box in boxes:
        x, y = (points[:, 0] - box.center[0]) / box.width, (points[:, 1] - box.center[1]) / box.height
        inside |= x**2 + y**2 <= 0.25
    return inside
