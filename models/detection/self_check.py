"""Photographs of two people whom everybody knows, and what the engines have to see in them: are they fit for work?

An engine whose weights are right can still be blind: its colours arrive in the wrong order, a threshold is set to 1, a
library changed. Such a program finds nobody and covers nobody, without any error. So every engine looks at these three
faces before it looks at a school's: each detector must find each face where it is, and nothing else; each recogniser
must find the two of one person, and the two of different people, as alike as they are. In wrong colours the boxes move
by four pixels and more, and the recognisers are asked in red light, where they are off by four times what is allowed.

The figures were measured with the pinned weights and are the same on every machine to about 0.2 pixels and 0.005.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from models.detection.find_faces import find_faces
from models.detection.settings import DetectSettings
from models.downloads import manifest
from models.downloads.manifest import KNOWN, KNOWN_FOLDER, WeightsError
from models.engines.base import Detector, Embedder
from models.errors import EngineError
from pipeline.domain.types import Box, Detection, Landmarks, RgbImage

SIDE = 112
"""Pixels of each face's square in the picture that the engines see."""
SQUARES: Mapping[str, tuple[int, int, int]] = {"obama": (121, 0, 250), "obama2": (16, 67, 297), "biden": (135, 35, 298)}
"""Where a head is in its photograph at half size: left, top, side."""

FACES: Mapping[str, tuple[Box, ...]] = {
    "centerface": (Box(31.1, 21.9, 82.9, 94.1), Box(144.6, 20.7, 194.7, 95.0), Box(255.3, 24.2, 308.0, 91.8)),
    "yunet": (Box(28.3, 17.2, 85.7, 92.8), Box(140.5, 17.7, 197.9, 94.3), Box(251.8, 19.7, 308.7, 95.2)),
}
"""Where each detector sees the three faces, from left to right."""
NEAR = 2.0
"""By how many pixels a side of a box may be off."""

MARKS: tuple[Landmarks, ...] = (
    ((42.7, 48.0), (70.4, 47.7), (56.7, 62.2), (44.9, 73.1), (68.1, 72.8)),
    ((152.9, 44.5), (176.7, 45.0), (160.3, 59.9), (153.1, 74.1), (173.4, 73.3)),
    ((271.1, 46.7), (299.2, 48.0), (285.7, 62.5), (269.8, 73.4), (293.4, 75.2)),
)
"""Eyes, nose and corners of the mouth of the three faces."""

ALIKE: Mapping[str, tuple[float, float, float]] = {"sface": (0.712, 0.177, 0.05), "dlib": (0.955, 0.846, 0.015)}
"""Of each recogniser, in red light: how alike the first two faces are, which are one person's; how alike the second and
the third are, which are not; and by how much either may be off."""

PLAIN = DetectSettings(closer=(), turned=())
"""The thresholds that photos and films are looked at with; once, as it is."""


class Unfit(EngineError):
    """An engine does not see in the known photographs what it has to: nothing that it says may be relied on."""


def prove(detectors: Sequence[Detector], embedders: Sequence[Embedder], weights_folder: Path) -> None:
    """Have every engine look at the known photographs. Raises Unfit, which says which engine sees what instead."""
    try:
        picture = _picture(weights_folder / KNOWN_FOLDER)
        for detector in detectors:
            _finds(detector, picture)
        red = picture * np.array([1, 0, 0], np.uint8)
        for embedder in embedders:
            _tells_apart(embedder, red)
    except Unfit:
        raise
    except (EngineError, WeightsError) as error:
        raise Unfit(str(error)) from error


def _picture(folder: Path) -> RgbImage:
    """The three faces beside each other, RGB uint8 (SIDE, 3 * SIDE, 3). Raises Unfit, or WeightsError."""
    squares = []
    for name, (left, top, side) in SQUARES.items():
        data = manifest.read(manifest.item(name, KNOWN), folder)
        photo = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
        if photo is None:
            raise Unfit(f"the known photograph {name} cannot be decoded: install the versions of requirements.lock")
        square = photo[top : top + side, left : left + side]
        squares.append(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(np.concatenate(squares, axis=1)[:, :, ::-1], np.uint8)


def _finds(detector: Detector, picture: RgbImage) -> None:
    name = detector.engine_id
    if name not in FACES:
        raise Unfit(
            f"{name}: models/detection/self_check.py does not say where it sees the faces of the known photographs"
        )
    found = sorted((d.box for d in find_faces(picture, [detector], PLAIN)), key=lambda box: box.left)
    if len(found) != len(FACES[name]):
        raise Unfit(f"{name} finds {len(found)} of the {len(FACES[name])} faces in the known photographs")
    off = max(_apart(box, known) for box, known in zip(found, FACES[name], strict=True))
    if not off <= NEAR:
        raise Unfit(f"{name} finds the faces in the known photographs {off:.1f} pixels from where they are")


def _apart(one: Box, other: Box) -> float:
    """How far the sides of two boxes are apart, at most."""
    return max(
        abs(one.left - other.left),
        abs(one.top - other.top),
        abs(one.right - other.right),
        abs(one.bottom - other.bottom),
    )


def _tells_apart(embedder: Embedder, picture: RgbImage) -> None:
    name = embedder.engine_id
    if name not in ALIKE:
        raise Unfit(
            f"{name}: models/detection/self_check.py does not say how alike it finds the faces of the known photographs"
        )
    first, second, third = embedder.embed(picture, [Detection(_around(m), 1.0, m, (name,)) for m in MARKS])
    if first is None or second is None or third is None:
        raise Unfit(f"{name} does not describe the faces of the known photographs")
    same, other, near = ALIKE[name]
    figures = float(first @ second), float(second @ third)
    if not max(abs(figures[0] - same), abs(figures[1] - other)) <= near:
        raise Unfit(
            f"{name} finds two portraits of one person {figures[0]:.3f} alike instead of {same}, "
            f"and those of two people {figures[1]:.3f} instead of {other}"
        )


def _around(marks: Landmarks) -> Box:
    across, down = zip(*marks, strict=True)
    return Box(min(across), min(down), max(across), max(down))
