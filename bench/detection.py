#!/usr/bin/env python3
"""Measure the detectors on real photos: which annotated faces are covered, what is covered needlessly, how fast.

    python -m bench.detection --data ../shared/data [--engines centerface,yunet] [--json]

Recall: `boxed` and `noses` as they are and turned by 90, 180 and 270 degrees; a face counts when the middle of its box
(or its nose) lies in a result. `false` are results that hold no annotated face (drawn faces count as false). Small
faces: the photos of `boxed`, reduced until their faces are 8 to 16 pixels wide, in a photo of 12 megapixels. Sheets:
faces of `lfw` in rows, as in the test school; `double` are tiles in which more than one result lies on the one face.
Seconds are processor time of one thread. Exit status 0 when every annotated face is covered in all four
orientations.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from models.detection.find_faces import find_faces
from models.downloads import manifest
from models.engines.base import Detector
from models.engines.registry import load_detectors
from pipeline.domain.types import Detection, Point, RgbImage


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--engines", default="centerface,yunet")
    parser.add_argument("--sheets", type=int, default=8, help="sheets of faces to measure (0 for none)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER, arguments.engines.split(","))
    detectors = load_detectors(arguments.engines.split(","), manifest.FOLDER, 1)

    result: dict[str, Any] = {"engines": arguments.engines.split(",")}
    for turns in range(4):
        row = recall(arguments.data, detectors, turns)
        result[f"turned_{turns * 90}"] = row
        print(
            f"photos turned {turns * 90:3d}: {row['covered']} of {row['faces']} faces covered, "
            f"{row['false']} regions without one in {row['photos']} photos, {row['seconds_per_photo']:.2f} s a photo"
        )
    result["big"] = big(arguments.data, detectors)
    print(
        f"12 megapixels: {result['big']['seconds']:.1f} s, peak {result['big']['peak_mib']} MiB; found of each width: "
        + ", ".join(f"{px} px {share}" for px, share in result["big"]["found"].items())
    )
    if arguments.sheets:
        result["sheets"] = row = sheets(arguments.data, detectors, arguments.sheets)
        print(
            f"sheets: {row['found']} of {row['tiles']} faces, {row['double']} double, "
            f"{row['seconds_per_megapixel']:.2f} s a megapixel"
        )
    if arguments.json:
        print(json.dumps(result))
    return int(any(row["covered"] < row["faces"] for name, row in result.items() if name.startswith("turned_")))


def photo(path: Path) -> RgbImage:
    """The photo as RGB."""
    return np.asarray(Image.open(path).convert("RGB"))


def truth(data: Path) -> list[tuple[Path, list[Point]]]:
    """Photos with a point in each face: the middle of its box, or its nose."""
    boxes = json.loads((data / "boxed" / "boxes.json").read_text())
    noses = json.loads((data / "noses" / "noses.json").read_text())
    found = [
        (data / "boxed" / name, [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in faces])
        for name, faces in boxes.items()
    ]
    return found + [(data / "noses" / name, [(x, y) for x, y in faces]) for name, faces in noses.items()]


def recall(data: Path, detectors: tuple[Detector, ...], turns: int) -> dict[str, Any]:
    """How many annotated faces are covered when every photo is turned by so many quarters."""
    covered = total = false = photos = 0
    seconds = 0.0
    for path, points in truth(data):
        image = photo(path)
        height, width = image.shape[:2]
        turned = [
            {0: (x, y), 1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[turns] for x, y in points
        ]
        start = time.process_time()
        results = find_faces(np.ascontiguousarray(np.rot90(image, turns)), detectors)
        seconds += time.process_time() - start
        covered += sum(any(found.box.holds(point) for found in results) for point in turned)
        false += sum(not any(found.box.holds(point) for point in turned) for found in results)
        total += len(points)
        photos += 1
    return {
        "faces": total,
        "covered": covered,
        "false": false,
        "photos": photos,
        "seconds_per_photo": seconds / photos,
    }


def big(data: Path, detectors: tuple[Detector, ...]) -> dict[str, Any]:
    """Small faces in a photo of 4000 x 3000: a real group photo enlarged, with reduced photos pasted in."""
    canvas = cv2.resize(photo(data / "groups" / "10.jpg"), (4000, 3000), interpolation=cv2.INTER_CUBIC)
    boxes = json.loads((data / "boxed" / "boxes.json").read_text())
    points: dict[int, list[Point]] = {}
    for row, pixels in enumerate((8, 10, 12, 16)):
        x, y = 50, 40 + 220 * row
        for name, faces in boxes.items():
            scale = pixels / float(np.median([b[2] - b[0] for b in faces]))
            small = cv2.resize(photo(data / "boxed" / name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
            points.setdefault(pixels, []).extend(
                (x + (b[0] + b[2]) / 2 * scale, y + (b[1] + b[3]) / 2 * scale) for b in faces
            )
            x += small.shape[1] + 60
    start = time.process_time()
    results = find_faces(canvas.astype(np.uint8), detectors)
    return {
        "seconds": time.process_time() - start,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "found": {
            str(pixels): f"{sum(any(f.box.holds(p) for f in results) for p in own)}/{len(own)}"
            for pixels, own in points.items()
        },
    }


def sheets(data: Path, detectors: tuple[Detector, ...], count: int) -> dict[str, Any]:
    """Faces in rows, as in the test school."""
    rng = np.random.default_rng(3)
    files = sorted((data / "lfw").glob("*/*.jpg"))
    tiles = found = double = 0
    seconds = megapixels = 0.0
    for number in range(count):
        columns, rows = ((3, 2), (4, 3), (6, 4), (7, 5))[number % 4]
        size = (110, 160, 220, 300)[number // 2 % 4]
        canvas = np.full((rows * size, columns * size, 3), 128, np.uint8)
        corners = [(k % columns * size, k // columns * size) for k in range(columns * rows)]
        for (x, y), pick in zip(corners, rng.choice(len(files), len(corners), replace=False), strict=True):
            tile = Image.open(files[pick]).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
            canvas[y : y + size, x : x + size] = np.asarray(tile)
        start = time.process_time()
        results = find_faces(canvas, detectors)
        seconds += time.process_time() - start
        megapixels += canvas.shape[0] * canvas.shape[1] / 1e6
        for x, y in corners:
            own = [f for f in results if on_face(f, x, y, size)]
            tiles += 1
            found += bool(own)
            double += len(own) > 1
    return {"tiles": tiles, "found": found, "double": double, "seconds_per_megapixel": seconds / megapixels}


def on_face(found: Detection, x: float, y: float, size: float) -> bool:
    """Whether a result lies on the face in the middle of this tile: its own middle is within the inner face."""
    middle_x, middle_y = found.box.center
    return abs(middle_x - x - size / 2) < 0.14 * size and abs(middle_y - y - 0.52 * size) < 0.16 * size


if __name__ == "__main__":
    sys.exit(main())
