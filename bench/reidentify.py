#!/usr/bin/env python3
"""Attack the covers: can recognition still find the person behind a covered face among 500?

    python -m bench.reidentify --data ../shared/data [--people 500] [--json]

Each person of `lfw` has one photo in the attacker's gallery; another photo, at several sizes of face, is covered as the
pipeline covers it (the face box grown by 30 %), saved as JPEG, and described by SFace and dlib at the place where the
face is (the attacker knows the original's landmarks, which is more than anybody would). The attacker takes the crop as
it is, sharpened, smoothed (which undoes the mosaic's edges), reduced and enlarged again, and for films the mean of ten
frames whose noise differs. Two galleries: plain portraits, and portraits that are covered in the same way with another
seed, the stronger attack. Rank-1 is the share whose nearest gallery face is the right person; by chance 1 in as many as
there are people; the mean rank of the right person, in parts of the gallery, is 0.5 by chance. `beats chance` when even
the lower end of the 95 % interval (Clopper-Pearson) is above that. The flat block is the control: what an attacker gets
there comes from hair, clothes and background, not from the face.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import beta

from models.detection.find_faces import find_faces
from models.detection.settings import DetectSettings
from models.downloads import manifest
from models.engines.base import Embedder
from models.engines.registry import load_detectors, load_embedders
from pipeline.domain.types import Detection, RgbImage
from pipeline.redaction.pixels import redact
from pipeline.redaction.regions import region_of
from pipeline.redaction.styles import STYLES

FRAMES = 10


def main() -> int:
    """Run from the command line; exit status 1 when an attack beats chance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--heights", type=int, nargs="+", default=[64, 160], help="sizes of the covered face, pixels")
    parser.add_argument("--styles", nargs="+", default=list(STYLES), choices=list(STYLES))
    parser.add_argument("--attacks", nargs="+", default=ATTACKS, choices=ATTACKS)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    a = parser.parse_args()
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER)
    detectors = load_detectors(["yunet"], manifest.FOLDER, 1)
    engines = load_embedders(["sface", "dlib"], manifest.FOLDER, 1)

    def look(path: Path) -> tuple[RgbImage, Detection] | None:
        image = np.asarray(Image.open(path).convert("RGB"))
        found = [
            f for f in find_faces(image, detectors, DetectSettings(turned=(), closer=())) if f.box.holds((125, 130))
        ]
        return (image, max(found, key=lambda f: f.box.area)) if found else None

    folders = [d for d in sorted((a.data / "lfw").iterdir()) if d.is_dir()][: a.people]
    looked = [[x for f in sorted(d.glob("*.jpg"))[:2] if (x := look(f))] for d in folders]
    looked = [own for own in looked if own]
    gallery = [own[0] for own in looked]
    probes = [(n, own[1]) for n, own in enumerate(looked) if len(own) > 1]
    right = np.array([n for n, _ in probes])
    print(f"{len(gallery)} people in the gallery, {len(probes)} probes; chance {1 / len(gallery):.2%}", flush=True)
    rows = []
    for style in a.styles:
        for height in a.heights:
            plain = vectors([scaled(*g, height) for g in gallery], engines)
            own = vectors([covered(*scaled(*g, height), style, 10_000 + n) for n, g in enumerate(gallery)], engines)
            for attack in a.attacks:
                crops = [attacked(*scaled(*p, height), style, n, attack) for n, p in probes]
                described = vectors(crops, engines)
                for engine in described:
                    for name, reference in (("plain", plain), ("covered", own)):
                        score = described[engine] @ reference[engine].T
                        ahead = (score > score[np.arange(len(probes)), right][:, None]).sum(axis=1)
                        rows.append(row(style, height, attack, engine, name, ahead, len(gallery)))
    if a.json:
        print(json.dumps(rows))
    return int(any(r["beats_chance"] for r in rows))


def row(
    style: str, height: int, attack: str, engine: str, gallery: str, ahead: NDArray[np.int64], people: int
) -> dict[str, Any]:
    """One line of the table; `ahead` is how many people are ahead of the right one, per probe."""
    n, hits, rank = len(ahead), int((ahead == 0).sum()), float(ahead.mean() / people)
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits))
    better = low > 1 / people
    note = " BEATS CHANCE" if better else ""
    print(
        f"{style:6} {height:4d} px, {attack:9}, {engine:5}, {gallery:7} gallery: {hits} of {n} "
        f"({low:.2%} to {high:.2%}), mean rank {rank:.3f}{note}",
        flush=True,
    )
    return {
        "style": style,
        "height": height,
        "attack": attack,
        "engine": engine,
        "gallery": gallery,
        "hits": hits,
        "probes": n,
        "low": low,
        "high": high,
        "mean_rank": rank,
        "beats_chance": better,
    }


def scaled(image: RgbImage, face: Detection, height: float) -> tuple[RgbImage, Detection]:
    """The photo at the size where its face has this height."""
    factor = height / face.box.size
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=way).astype(np.uint8)
    box = type(face.box)(*(v * factor for v in (face.box.left, face.box.top, face.box.right, face.box.bottom)))
    marks = tuple((x * factor, y * factor) for x, y in face.landmarks or ())
    return small, Detection(box, face.score, marks, face.engines)  # type: ignore[arg-type]


def covered(image: RgbImage, face: Detection, style: str, seed: int) -> tuple[RgbImage, Detection]:
    """The photo with its face covered, through JPEG."""
    region = region_of(face, image.shape[1], image.shape[0])
    buffer = io.BytesIO()
    Image.fromarray(redact(image, [region], style, seed)).save(buffer, "JPEG", quality=92)
    return np.asarray(Image.open(buffer).convert("RGB")), face


ATTACKS = ("raw", "sharpened", "smoothed", "upscaled", "frames")


def attacked(image: RgbImage, face: Detection, style: str, seed: int, attack: str) -> tuple[RgbImage, Detection]:
    """What the attacker makes of a covered face."""
    if attack == "frames":
        frames = [covered(image, face, style, seed * 1000 + k)[0].astype(np.float32) for k in range(FRAMES)]
        return np.mean(frames, axis=0).round().astype(np.uint8), face
    pixels, _ = covered(image, face, style, seed)
    cell = max(2.0, face.box.size / 6)
    if attack == "sharpened":
        pixels = np.clip(pixels * 2.0 - cv2.GaussianBlur(pixels, (0, 0), 3).astype(np.float64), 0, 255).astype(np.uint8)
    elif attack == "smoothed":
        pixels = cv2.GaussianBlur(pixels, (0, 0), cell / 2).astype(np.uint8)
    elif attack == "upscaled":
        size = (max(2, round(pixels.shape[1] / cell)), max(2, round(pixels.shape[0] / cell)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return np.ascontiguousarray(pixels), face


def vectors(crops: list[tuple[RgbImage, Detection]], engines: tuple[Embedder, ...]) -> dict[str, NDArray[np.float32]]:
    """Per engine one row per face."""
    return {
        e.engine_id: np.stack([v for image, face in crops for v in e.embed(image, [face]) if v is not None])
        for e in engines
    }


if __name__ == "__main__":
    sys.exit(main())
