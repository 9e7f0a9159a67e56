#!/usr/bin/env python3
"""Detection recall against the size of a face, turning, blur, darkness, strong light and covered parts.

    python -m bench.robustness --data ../shared/data [--json] [--plots bench/plots]

Faces: those annotated in `boxed` and `noses`, and those of `groups` that both engines find surely in the photo as it is
(at least 40 pixels there, so that they can be made smaller). Each photo is changed as a whole and looked at again; a
face counts as found when the middle of it lies in a result. Sizes are the longer side of the face's box.

`crowd` is a photo of 12 megapixels: all those photos reduced to one size of face, some turned a little, side by side;
`hard` the same of photos that are dark, out of focus, with masks ..., at each of the sizes in HARD_SIZES.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.detection import photo, truth
from models.detection.find_faces import find_faces
from models.detection.settings import DetectSettings
from models.downloads import manifest
from models.engines.base import Detector
from models.engines.registry import load_detectors
from pipeline.domain.types import RgbImage

SIZES = (8, 10, 12, 16, 24, 32, 48)
HARD_SIZES = (10, 14, 20, 30)
ANGLES = (15, 30, 45, 60, 90, 135, 180)
Change = Callable[["Scene", float], "Scene"]


@dataclass(frozen=True)
class Scene:
    """A photo, a point in each of its faces (n, 2), and how large each is (n,)."""

    image: RgbImage
    points: NDArray[np.float64]
    sizes: NDArray[np.float64]


def main() -> int:
    """Run from the command line; exit status 1 when a face of 24 pixels or more in a crowd is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--plots", type=Path, help="folder for the plot")
    parser.add_argument("--crowd-only", action="store_true")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER, ["centerface", "yunet"])
    detectors = load_detectors(["centerface", "yunet"], manifest.FOLDER, 1)
    scenes = load(arguments.data, detectors)
    print(f"{sum(len(s.points) for s in scenes)} faces in {len(scenes)} photos", flush=True)
    result: dict[str, Any] = {"crowd": {}, "hard": {}, "changes": {}}
    for size in SIZES:
        result["crowd"][size] = row = crowd(scenes, size, detectors)
        print(
            f"crowd, faces of {size} px: {row['found']} of {row['faces']}, {row['regions']} regions, "
            f"{row['seconds']:.1f} s",
            flush=True,
        )
    for name, (change, value) in HARD.items():
        of_all = change is lit  # dark is the whole photo, with what lies between its parts
        changed = scenes if of_all else [change(scene, value) for scene in scenes]
        light = value if of_all else 1.0
        result["hard"][name] = rows = {size: crowd(changed, size, detectors, light=light) for size in HARD_SIZES}
        print(
            f"crowd, {name}: " + ", ".join(f"{size} px {r['found']} of {r['faces']}" for size, r in rows.items()),
            flush=True,
        )
    if not arguments.crowd_only:
        for name, (change, values) in CHANGES.items():
            result["changes"][name] = rows = {}
            for value in values:
                rows[value] = row = looked(scenes, change, value, detectors)
                print(f"{name} {value:g}: {row['found']} of {row['faces']}", flush=True)
    if arguments.plots:
        plot(result, arguments.plots / "detection.png")
    if arguments.json:
        print(json.dumps(result))
    return int(any(r["found"] < r["faces"] for size, r in result["crowd"].items() if size >= 24))


def load(data: Path, detectors: tuple[Detector, ...]) -> list[Scene]:
    """The photos with their faces."""
    scenes = []
    for path, points in truth(data):
        image = photo(path)
        found = find_faces(image, detectors)
        sizes = [max((f.place.size for f in found if f.box.holds(p)), default=0.0) for p in points]
        scenes.append(Scene(image, np.array(points, np.float64).reshape(-1, 2), np.array(sizes)))
    for path in sorted((data / "groups").glob("*.jpg")):
        image = photo(path)
        both = [f for f in find_faces(image, detectors) if len(f.engines) > 1 and f.score > 0.7]
        sure = [f.place for f in both if f.place.size >= 40]  # a look that is off makes the box larger, not the place
        if sure:
            scenes.append(Scene(image, np.array([b.center for b in sure]), np.array([b.size for b in sure])))
    return [Scene(s.image, s.points[s.sizes > 0], s.sizes[s.sizes > 0]) for s in scenes if (s.sizes > 0).any()]


def scaled(scene: Scene, factor: float) -> Scene:
    """The photo reduced or enlarged."""
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    image = cv2.resize(scene.image, None, fx=factor, fy=factor, interpolation=way).astype(np.uint8)
    return Scene(image, scene.points * factor, scene.sizes * factor)


def turned(scene: Scene, degrees: float) -> Scene:
    """The photo turned about its middle, on grey, nothing cut off."""
    height, width = scene.image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    wide, tall = round(height * sine + width * cosine), round(height * cosine + width * sine)
    matrix[:, 2] += (wide - width) / 2, (tall - height) / 2
    image = cv2.warpAffine(scene.image, matrix, (wide, tall), borderValue=(128, 128, 128)).astype(np.uint8)
    return Scene(image, scene.points @ matrix[:, :2].T + matrix[:, 2], scene.sizes)


def blurred(scene: Scene, share: float) -> Scene:
    """Out of focus: a Gaussian whose deviation is this share of the middle face of the photo."""
    image = cv2.GaussianBlur(scene.image, (0, 0), max(0.1, share * float(np.median(scene.sizes)))).astype(np.uint8)
    return Scene(image, scene.points, scene.sizes)


def lit(scene: Scene, factor: float) -> Scene:
    """Darker (below 1) or overexposed (above 1)."""
    image = np.clip(scene.image.astype(np.float32) * factor, 0, 255).astype(np.uint8)
    return Scene(image, scene.points, scene.sizes)


def masked(scene: Scene, share: float) -> Scene:
    """The lower part of each face under a plain cloth: this share of its height, from the chin up."""
    return _painted(scene, lambda y, size: (y + size * (0.5 - share), y + size * 0.5))


def glasses(scene: Scene, share: float) -> Scene:
    """A dark bar of this share of the height over the eyes."""
    return _painted(scene, lambda y, size: (y - size * (0.12 + share / 2), y - size * (0.12 - share / 2)))


def _painted(scene: Scene, rows: Callable[[float, float], tuple[float, float]]) -> Scene:
    image = scene.image.copy()
    for (x, y), size in zip(scene.points, scene.sizes, strict=True):
        top, bottom = (int(max(0, v)) for v in rows(y, size))
        image[top:bottom, int(max(0, x - 0.4 * size)) : int(x + 0.4 * size)] = (40, 60, 90)
    return Scene(image, scene.points, scene.sizes)


CHANGES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "turned by degrees": (turned, ANGLES),
    "blur, share of the face": (blurred, (0.02, 0.04, 0.06, 0.08)),
    "light": (lit, (0.1, 0.2, 0.5, 2.0, 3.0)),
    "masked from below, share of the face": (masked, (0.2, 0.35, 0.45)),
    "bar over the eyes, share of the face": (glasses, (0.15, 0.25)),
}


HARD: dict[str, tuple[Change, float]] = {
    "out of focus": (blurred, 0.06),
    "masked": (masked, 0.45),
    "bar over the eyes": (glasses, 0.2),
    "turned by 45 degrees": (turned, 45.0),
    "in 15 % of the light": (lit, 0.15),
    "in 5 % of the light": (lit, 0.05),
    "overexposed 2.5 times": (lit, 2.5),
}


def looked(scenes: list[Scene], change: Change, value: float, detectors: tuple[Detector, ...]) -> dict[str, int]:
    """How many faces are still found."""
    found = faces = 0
    for scene in scenes:
        after = change(scene, value)
        results = find_faces(after.image, detectors)
        found += sum(any(f.box.holds((x, y)) for f in results) for x, y in after.points)
        faces += len(after.points)
    return {"found": found, "faces": faces}


def crowd(
    scenes: list[Scene],
    size: float,
    detectors: tuple[Detector, ...],
    settings: DetectSettings | None = None,
    light: float = 1.0,
) -> dict[str, float]:
    """All photos at one size of face in a photo of 12 megapixels, taken in so much light."""
    canvas, points = packed(scenes, [size] * len(scenes))
    canvas = lit(Scene(canvas, points[:, :2], points[:, 2]), light).image
    start = time.process_time()
    results = find_faces(canvas, detectors, settings)
    seconds = time.process_time() - start
    found = sum(any(f.box.holds((px, py)) for f in results) for px, py, _ in points)
    return {"found": found, "faces": len(points), "regions": len(results), "seconds": seconds}


def packed(scenes: Sequence[Scene], sizes: Sequence[float]) -> tuple[RgbImage, NDArray[np.float64]]:
    """Photos side by side in one of 4000 x 3000, each at its size of face and some turned a little.

    Returns the photo and the faces near that size as rows (x, y, size); photos that no longer fit are left out.
    """
    canvas = np.full((3000, 4000, 3), 110, np.uint8)
    points: list[NDArray[np.float64]] = []
    x = y = row = 8
    for number, (scene, size) in enumerate(zip(scenes, sizes, strict=True)):
        small = scaled(scene, size / float(np.median(scene.sizes)))
        small = turned(small, (0, 12, -20, 0, 30)[number % 5])
        height, width = small.image.shape[:2]
        if x + width + 8 > canvas.shape[1]:
            x, y, row = 8, y + row + 8, 8
        if y + height + 8 > canvas.shape[0] or width + 16 > canvas.shape[1]:
            continue
        canvas[y : y + height, x : x + width] = small.image
        near = np.abs(small.sizes / size - 1) < 0.25
        points.append(np.column_stack([small.points[near] + (x, y), small.sizes[near]]))
        x, row = x + width + 8, max(row, height)
    return canvas, np.concatenate(points)


def plot(result: dict[str, Any], path: Path) -> None:
    """One panel per change: the share of faces that is found."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    panels = {"size (px) in a photo of 12 megapixels": {"": result["crowd"]}, "size (px), harder": result["hard"]}
    panels |= {name: {"": rows} for name, rows in result["changes"].items()}
    figure, axes = plt.subplots(2, 4, figsize=(13, 5.5), sharey=True)
    axes.flat[-1].axis("off")
    for axis, (title, lines) in zip(axes.flat, panels.items(), strict=False):
        for name, rows in lines.items():
            axis.plot([str(k) for k in rows], [r["found"] / r["faces"] for r in rows.values()], "o-", label=name)
        if len(lines) > 1:
            axis.legend(fontsize=6, loc="lower right")
        axis.set_title(title, fontsize=9)
        axis.set_ylim(0, 1.03)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    sys.exit(main())
