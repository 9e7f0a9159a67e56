"""Faces of `lfw` as portraits and as they look in photos of events, described once and kept where the caller says.

Portraits are the photos as they are; probes the same photos resized to 72 to 300 pixels, some blurred or darkened, in
sheets of 6 to 35 faces, JPEG, found by the detectors. Describing all of them takes a quarter of an hour; with a cache
folder that is done once. What is kept there are the vectors of a public research set, for the caller to delete.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models.detection.find_faces import find_faces
from models.downloads import manifest
from models.engines.base import Detector, Embedder
from models.engines.registry import load_detectors, load_embedders
from pipeline.domain.types import Box, Detection, RgbImage, Vector

ENGINES = ("sface", "dlib")
SIZES = (72, 110, 160, 220, 300)
FACE = (0.5, 0.52)
"""Where the face is in a photo of lfw, in parts of its side."""
_SEED = 11


@dataclass(frozen=True)
class Seen:
    """One face with its truth."""

    person: str
    photo: str
    tile: int
    detection: Detection
    vectors: dict[str, Vector]


def lfw(data: Path, people: int = 500, cache: Path | None = None) -> tuple[list[Seen], list[Seen]]:
    """Portraits and probes of so many people of `data`/lfw; read from `cache` when they are there, else left there."""
    kept = None if cache is None else cache / f"lfw-{people}.npz"
    if kept and kept.exists():
        with np.load(kept) as stored:
            return _rows(stored, "portraits"), _rows(stored, "probes")
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER)
    detectors = load_detectors(["centerface", "yunet"], manifest.FOLDER, 1)
    embedders = load_embedders(list(ENGINES), manifest.FOLDER, 1)
    rng = np.random.default_rng(_SEED)
    folders = sorted(path for path in (data / "lfw").iterdir() if path.is_dir())
    chosen = sorted(rng.permutation(len(folders))[:people])
    files = [file for k in chosen for file in sorted(folders[k].glob("*.jpg"))]
    portraits = [seen for file in files if (seen := portrait(file, detectors, embedders))]
    probes = sheets(files, detectors, embedders, rng)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **_columns(portraits, "portraits"), **_columns(probes, "probes"))
    return portraits, probes


def portrait(file: Path, detectors: Sequence[Detector], embedders: Sequence[Embedder]) -> Seen | None:
    """The face of a portrait, or None when none is found."""
    image = np.asarray(Image.open(file).convert("RGB"))
    found = central(find_faces(image, detectors), 0, 0, image.shape[0])
    return described(file, image.shape[0], image, found, embedders) if found else None


def sheets(
    files: Sequence[Path], detectors: Sequence[Detector], embedders: Sequence[Embedder], rng: np.random.Generator
) -> list[Seen]:
    """Every photo once, in a sheet, at a size and in a state that the school's photos have too."""
    order = [files[k] for k in rng.permutation(len(files))]
    found: list[Seen] = []
    while order:
        columns, rows = ((3, 2), (4, 3), (6, 4), (7, 5))[rng.integers(4)]
        tile = int(rng.choice(SIZES))
        part, order = order[: columns * rows], order[columns * rows :]
        canvas = Image.new("RGB", (columns * tile, rows * tile), (128, 128, 128))
        for k, file in enumerate(part):
            canvas.paste(worn(file, tile, rng), (k % columns * tile, k // columns * tile))
        buffer = io.BytesIO()
        canvas.save(buffer, "JPEG", quality=92)
        image = np.asarray(Image.open(buffer).convert("RGB"))
        results = find_faces(image, detectors)
        for k, file in enumerate(part):
            own = central(results, k % columns * tile, k // columns * tile, tile)
            seen = described(file, tile, image, own, embedders) if own else None
            found += [seen] if seen else []
    return found


def worn(file: Path, tile: int, rng: np.random.Generator) -> Image.Image:
    """The photo at a size, sometimes blurred, darkened or brightened."""
    image = Image.open(file).convert("RGB").resize((tile, tile), Image.Resampling.LANCZOS)
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.2))))
    if rng.random() < 0.25:
        factor = float(rng.uniform(0.65, 1.25))
        image = image.point(lambda value: max(0, min(255, int(value * factor))))
    return image


def central(results: Sequence[Detection], left: float, top: float, side: float) -> Detection | None:
    """The face in the middle of a tile."""
    point = left + FACE[0] * side, top + FACE[1] * side
    return max((d for d in results if d.box.holds(point)), key=lambda d: d.score, default=None)


def described(file: Path, tile: int, image: RgbImage, found: Detection, embedders: Sequence[Embedder]) -> Seen | None:
    """The face with its embeddings, or None when an engine gave none."""
    vectors = {engine.engine_id: engine.embed(image, [found])[0] for engine in embedders}
    whole = {name: vector for name, vector in vectors.items() if vector is not None}
    return Seen(file.parent.name, file.name, tile, found, whole) if len(whole) == len(embedders) else None


def matrix(seen: Sequence[Seen], engine: str) -> NDArray[np.float64]:
    """The embeddings of one engine as rows."""
    return np.stack([s.vectors[engine] for s in seen]).astype(np.float64)


def _columns(seen: Sequence[Seen], name: str) -> dict[str, NDArray[np.generic]]:
    boxes = [(s.detection.box.left, s.detection.box.top, s.detection.box.right, s.detection.box.bottom) for s in seen]
    return {
        f"{name}.who": np.array([(s.person, s.photo) for s in seen]),
        f"{name}.tile": np.array([s.tile for s in seen]),
        f"{name}.box": np.array([(*box, s.detection.score) for box, s in zip(boxes, seen, strict=True)]),
        f"{name}.vectors": np.stack([[s.vectors[engine] for engine in ENGINES] for s in seen]),
    }


def _rows(stored: np.lib.npyio.NpzFile, name: str) -> list[Seen]:
    columns = (stored[f"{name}.{part}"] for part in ("who", "tile", "box", "vectors"))
    return [
        Seen(
            str(person),
            str(photo),
            int(tile),
            Detection(Box(*(float(v) for v in box[:4])), float(box[4]), None, ()),
            dict(zip(ENGINES, vectors, strict=True)),
        )
        for (person, photo), tile, box, vectors in zip(*columns, strict=True)
    ]
