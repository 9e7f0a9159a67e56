"""Faces behind nets, fences, blinds, printed screens and strong grain: looks at copies without fine patterns. Pure.

A face that shows through a pattern is all there for the eye, and nothing of it is there for a detector, which looks at
a few pixels at a time. A Gaussian that is wider than the pattern takes the pattern away and leaves the face, and a
blurred copy loses nothing when it is reduced, so such a look costs a quarter and less (bench/patterns.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice

import cv2
import numpy as np

from models.detection.fusion import Candidate
from models.detection.passes import near_parts, one_pass, pyramid
from models.detection.settings import DetectSettings
from models.engines.base import Detector
from pipeline.domain.types import Box, Detection, RgbImage

ROUGH = 10.0
"""Levels (of 255) of fine structure from which on a quarter of the picture makes it a patterned one. Photos and films
stay below 8, small pictures of crowds reach 15; the nets, screens, blinds and grain that hide faces have 10 to 50."""

SURE = 0.8
"""Score of one of the looks that agree on somebody in a picture that is not patterned."""

_SIDE = 1024  # pixels of the longer side at which the structure is measured
_BLOCK = 32
_LINE, _SOFT = 5, 1.5  # pixels of a copy: side of what is wider than a line, and the blur of the steps that are left
_SHARE = 75  # percentile over blocks
_GAIN = np.float32(np.sqrt(np.pi / 2) / np.sqrt(6))  # of the mean second difference of white noise of deviation 1
_SECOND = np.array([[1.0, -2.0, 1.0]], np.float32)

_KNOWN = 0.3  # overlap (IoU) from which on a finding has the place of a known face
_INSIDE = 0.7  # ... part of the smaller box that lies in the other one
_AGAIN = 0.4  # overlap from which on two looks see one face
_OFTEN = 2  # other looks that see it
_SMALLER, _BESIDE = 0.6, 0.1  # of two people that are taken for one: size of each, and their overlap


def roughness(image: RgbImage) -> float:
    """Measure the fine structure of an RGB image (height, width, 3), uint8, in levels of its brightness.

    In blocks of 32 pixels the mean second difference along rows or columns, whichever is more, as the deviation of
    white noise that would give the same (after Immerkaer 1996, whose kernel does not see blinds and railings); of the
    blocks the third quartile, so that a pattern over a quarter of the picture is noticed.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    factor = _SIDE / max(gray.shape)
    if factor < 1:
        gray = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    size = (max(1, gray.shape[1] // _BLOCK), max(1, gray.shape[0] // _BLOCK))
    along = [
        cv2.resize(np.abs(cv2.filter2D(gray, cv2.CV_32F, kernel)), size, interpolation=cv2.INTER_AREA)
        for kernel in (_SECOND, _SECOND.T)
    ]
    return float(np.percentile(np.maximum(*along), _SHARE) * _GAIN)


def patterned(image: RgbImage) -> bool:
    """Tell whether fine structure covers so much of an image that faces may hide behind it."""
    return roughness(image) >= ROUGH


def low_passed(image: RgbImage, sigma: float) -> RgbImage:
    """Blur an image by a Gaussian of so many pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def without_lines(image: RgbImage, *, bright: bool) -> RgbImage:
    """Remove lines of up to four pixels that are brighter than what they cross (a net before a face), or darker ones.

    By morphological opening or closing: what is left has the contrast of the face, which a Gaussian mixes with the
    pattern's.
    """
    operation = cv2.MORPH_OPEN if bright else cv2.MORPH_CLOSE
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_LINE, _LINE))
    return low_passed(np.asarray(cv2.morphologyEx(image, operation, element), np.uint8), _SOFT)


def copies(image: RgbImage, sigmas: Sequence[float], *, lines: bool) -> Iterator[RgbImage]:
    """Give copies of an image through Gaussians, and, with `lines`, without bright and without dark lines."""
    for sigma in sigmas:
        yield low_passed(image, sigma)
    if lines:
        yield without_lines(image, bright=True)
        yield without_lines(image, bright=False)


def behind_patterns(
    image: RgbImage,
    detectors: Sequence[Detector],
    settings: DetectSettings,
    known: Sequence[Detection],
    near: Sequence[Box] | None = None,
) -> list[Candidate]:
    """Find faces in copies of an image without fine patterns, in its pixels, that are none of the `known` ones.

    `near` is as in `find_faces`.
    """
    look = settings.low_pass
    if look is None:
        return []
    quick = [d for d in detectors if d.engine_id in look.engines]
    new = _unknown(_looks(image, quick, look.sigmas, settings, near), known)
    rough = patterned(image)
    if new or rough:
        new += _unknown(_looks(image, detectors, look.more_sigmas, settings, near, lines=True), known)
    least = {d.engine_id: settings.threshold_of(d.engine_id) + look.extra for d in detectors} if rough else None
    new = [c for c in new if c.found.score >= look.alone or _seen_again(c, new, least)]
    return [c for c in new if not _holds_two(c.found.box, [other.found.box for other in new])]


def _looks(
    image: RgbImage,
    detectors: Sequence[Detector],
    sigmas: Sequence[float],
    settings: DetectSettings,
    near: Sequence[Box] | None,
    *,
    lines: bool = False,
) -> Iterator[Candidate]:
    if not detectors:
        return
    settings = replace(settings, coarse_extra=0.0)
    whole = max(image.shape[:2]) <= settings.smallest_side  # too small to be reduced: it is seen as it is
    for scale, level in islice(pyramid(image, settings), 0 if whole else 1, None):
        for copy in copies(level, sigmas, lines=lines):
            for detector in detectors:
                for part in near_parts(level, scale, near, settings):
                    yield from one_pass(copy, scale, detector, settings, part)


def _unknown(found: Iterable[Candidate], known: Sequence[Detection]) -> list[Candidate]:
    return [c for c in found if not any(same_place(c.found.box, k.box) for k in known)]


def _seen_again(one: Candidate, all_found: Sequence[Candidate], least: Mapping[str, float] | None) -> bool:
    """Whether another look that agrees makes sure of it.

    In a patterned image another engine does, one of the two that has `least` of its engine, or two more looks; in
    others (None) nobody should have to be looked for, and one that agrees has to be sure.
    """
    again = [c.found for c in all_found if c is not one and one.found.box.iou(c.found.box) >= _AGAIN]
    if least is None:
        return any(f.score >= SURE for f in again)
    looks = (*again, one.found)
    engines = {engine for f in looks for engine in f.engines}
    clear = any(f.score >= least[f.engines[0]] for f in looks)
    return len(again) >= _OFTEN or len(engines) > 1 or (bool(again) and clear)


def _holds_two(box: Box, boxes: Sequence[Box]) -> bool:
    """Whether two smaller findings lie in a box beside each other: the box is two people taken for one."""
    inside = [b for b in boxes if b.size < _SMALLER * box.size and box.holds(b.center)]
    return any(a.iou(b) < _BESIDE for a, b in combinations(inside, 2))


def elsewhere(found: Iterable[Detection], known: Sequence[Detection]) -> list[Detection]:
    """Those that are not in the place of a face that is known."""
    return [f for f in found if not any(same_place(f.box, k.box) for k in known)]


def same_place(box: Box, face: Box) -> bool:
    """Tell whether a finding has the place of a face, or is a part of it, or holds it."""
    shared = box.intersection(face)
    return shared > 0 and (box.iou(face) >= _KNOWN or shared > _INSIDE * min(box.area, face.area))
