#!/usr/bin/env python3
"""Measure who is found behind nets, blinds, printed screens, moire and grain, and what looking for them costs.

    python -m bench.patterns --data ../shared/data [--kinds net-14-2-white ...] [--json]

Every annotated face of `boxed` and `noses`, behind each pattern that is drawn over the photo. `without` are the faces
whose middle (or nose) lies in a result when no copy without patterns is looked at, `with` when it is; `noticed` are
the photos of which the sign says that they are patterned. Then the photos as they are: results with and without, and
processor time of one thread. Exit status 1 when a kind has fewer than three quarters of its faces covered.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bench.detection import photo, truth
from models.detection.exposure import brightened
from models.detection.find_faces import find_faces
from models.detection.patterns import patterned
from models.detection.settings import DetectSettings
from models.downloads import manifest
from models.engines.base import Detector
from models.engines.registry import load_detectors
from pipeline.domain.types import RgbImage

WHITE, BLACK = (235, 235, 235), (25, 25, 25)
ENOUGH = 0.75
Pattern = Callable[[RgbImage], RgbImage]


def net(image: RgbImage, mesh: int, thick: int, colour: tuple[int, int, int]) -> RgbImage:
    """Draw a net at 45 degrees with meshes of so many pixels."""
    height, width = image.shape[:2]
    drawn = image.copy()
    for x in range(-height - 50, width + height + 50, round(mesh * 2**0.5)):
        cv2.line(drawn, (x, 0), (x + height, height), colour, thick, cv2.LINE_AA)
        cv2.line(drawn, (x + height, 0), (x, height), colour, thick, cv2.LINE_AA)
    return drawn


def bars(image: RgbImage, period: int, thick: int, colour: tuple[int, int, int], upright: bool) -> RgbImage:
    """Draw blinds, or railings when they stand upright."""
    drawn = image.copy()
    for start in range(0, max(image.shape[:2]), period):
        if upright:
            drawn[:, start : start + thick] = colour
        else:
            drawn[start : start + thick] = colour
    return drawn


def screen(image: RgbImage, cell: float, degrees: float) -> RgbImage:
    """Print in black and white with a clustered-dot screen of so many pixels."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]].astype(np.float32)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    limit = (np.cos((x * c + y * s) * 2 * np.pi / cell) + np.cos((y * c - x * s) * 2 * np.pi / cell)) / 4 + 0.5
    dots = ((gray > limit) * 255).astype(np.uint8)
    return np.stack([dots] * 3, axis=-1)


def grain(image: RgbImage, light: float, deviation: float) -> RgbImage:
    """Darken, and add the noise of a sensor."""
    noise = np.random.default_rng(1).normal(0, deviation, image.shape)
    return np.clip(image * light + noise, 0, 255).astype(np.uint8)


def moire(image: RgbImage, period: float, depth: float) -> RgbImage:
    """Lay waves over the image, as a photo of a screen has them."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    wave = np.cos((0.87 * x + 0.5 * y) * 2 * np.pi / period) * depth
    return np.clip(image + wave[..., None], 0, 255).astype(np.uint8)


KINDS: dict[str, Pattern] = {
    **{
        f"net-{mesh}-{thick}-{name}": partial(net, mesh=mesh, thick=thick, colour=colour)
        for mesh, thick in ((7, 1), (10, 2), (14, 2), (14, 3))
        for name, colour in (("white", WHITE), ("black", BLACK))
    },
    "blinds-6-2": partial(bars, period=6, thick=2, colour=WHITE, upright=False),
    "blinds-10-5": partial(bars, period=10, thick=5, colour=WHITE, upright=False),
    "railings-10-5": partial(bars, period=10, thick=5, colour=BLACK, upright=True),
    **{f"screen-{c}-{a}": partial(screen, cell=c, degrees=a) for c, a in ((4, 45), (5, 0), (6, 45), (8, 20))},
    "grain-70": partial(grain, light=1.0, deviation=70),
    "night-0.2-20": partial(grain, light=0.2, deviation=20),
    "moire-9": partial(moire, period=9, depth=60),
}


def behind(data: Path, detectors: tuple[Detector, ...], draw: Pattern) -> dict[str, int]:
    """Count the faces that are covered behind a pattern, without and with copies that do not have it."""
    plain = replace(DetectSettings(), low_pass=None)
    row = {"faces": 0, "without": 0, "with": 0, "noticed": 0, "photos": 0}
    for path, points in truth(data):
        image = draw(photo(path))
        row["photos"] += 1
        row["faces"] += len(points)
        row["noticed"] += patterned(brightened(image))
        for name, settings in (("without", plain), ("with", None)):
            results = find_faces(image, detectors, settings)
            row[name] += sum(any(found.box.holds(point) for found in results) for point in points)
    return row


def cost(data: Path, detectors: tuple[Detector, ...]) -> dict[str, float]:
    """Measure results and processor time on photos as they are, without and with copies without patterns."""
    row = {"results_without": 0.0, "results_with": 0.0, "seconds_without": 0.0, "seconds_with": 0.0}
    folders = ("boxed", "noses", "groups", "friends")
    for path in (p for f in folders for p in sorted((data / f).glob("*.[jp][pn]g"))):
        image = photo(path)
        for name, settings in (("without", replace(DetectSettings(), low_pass=None, leaning=None)), ("with", None)):
            start = time.process_time()
            row[f"results_{name}"] += len(find_faces(image, detectors, settings))
            row[f"seconds_{name}"] += time.process_time() - start
    return row


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    detectors = load_detectors(("centerface", "yunet"), manifest.FOLDER, 1)
    result: dict[str, dict[str, int] | dict[str, float]] = {}
    short = []
    for kind in arguments.kinds:
        row = behind(arguments.data, detectors, KINDS[kind])
        result[kind] = row
        short += [kind] if row["with"] < ENOUGH * row["faces"] else []
        print(
            f"{kind:18} {row['with']:3} of {row['faces']} faces covered, {row['without']:3} without; "
            f"{row['noticed']} of {row['photos']} photos noticed",
            flush=True,
        )
    result["cost"] = spent = cost(arguments.data, detectors)
    print(
        f"photos as they are: {spent['results_with']:.0f} regions, {spent['results_without']:.0f} without; "
        f"{spent['seconds_with']:.1f} s, {spent['seconds_without']:.1f} s without"
    )
    if arguments.json:
        print(json.dumps(result))
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
