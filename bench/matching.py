#!/usr/bin/env python3
"""Measure recognition on real photos: how often two people are taken for one, and how many are recognised.

    python -m bench.matching --data ../shared/data [--people 500] [--schools 10] [--json]

Portraits are the photos of `lfw` as they are; probes the same photos resized to 72 to 300 pixels, some blurred or
darkened, in sheets of 6 to 35 faces, JPEG, found by the detectors. Two portraits per person make the template; no
photo is both portrait and probe. First the figures of the fused score over all pairs of people, then whole schools by
the rules of pipeline/match.py: two classes of twenty and strangers in each photo. `false` are faces that are given
a name that is not theirs: it must be 0. Embeddings stay in memory.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models import weights
from models.base import Detector, Embedder
from models.detect import find_faces
from models.engines import load_detectors, load_embedders
from pipeline.match import ADULT, CHILD, BandRule, MatchSettings, match
from pipeline.types import Detection, Face, RgbImage, Template, Vector

SIZES = (72, 110, 160, 220, 300)
RATES = (1e-3, 1e-4, 1e-5, 1e-6)
FACE = (0.5, 0.52)
"""Where the face is in a photo of lfw, in parts of its side."""


@dataclass(frozen=True)
class Seen:
    """One face with its truth."""

    person: str
    photo: str
    tile: int
    detection: Detection
    vectors: dict[str, Vector]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--schools", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    weights.fetch(weights.WEIGHTS, weights.FOLDER)
    detectors = load_detectors(["centerface", "yunet"], weights.FOLDER, 1)
    embedders = load_embedders(["sface", "dlib"], weights.FOLDER, 1)
    rng = np.random.default_rng(11)
    folders = sorted(path for path in (arguments.data / "lfw").iterdir() if path.is_dir())
    chosen = sorted(rng.permutation(len(folders))[: arguments.people])
    files = [file for k in chosen for file in sorted(folders[k].glob("*.jpg"))]
    portraits = [seen for file in files if (seen := portrait(file, detectors, embedders))]
    probes = sheets(files, detectors, embedders, rng)
    print(f"{len(files)} photos of {len(chosen)} people; {len(portraits)} portraits, {len(probes)} probes", flush=True)

    settings = MatchSettings()
    result: dict[str, Any] = {
        "portraits": len(portraits), "probes": len(probes), "engines": engine_scales(portraits, settings),
        "pairs": pairs(portraits, probes, settings, rng),
    }  # fmt: skip
    for band in (ADULT, CHILD):
        result[band] = row = schools(portraits, probes, band, settings, arguments.schools, rng)
        print(
            f"{arguments.schools} schools, all {band}: {row['false']} false names among {row['faces']} faces; "
            f"{row['named']} of {row['known']} known faces named ({row['named'] / max(1, row['known']):.1%}); "
            f"others {row['reasons']}"
        )
    if arguments.json:
        print(json.dumps(result))
    return 1 if result[ADULT]["false"] or result[CHILD]["false"] else 0


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


def engine_scales(portraits: Sequence[Seen], settings: MatchSettings) -> dict[str, Any]:
    """Mean and deviation of each engine over pairs of different people, to compare with the settings."""
    names = np.array([s.person for s in portraits])
    upper = np.triu_indices(len(names), 1)
    different = (names[:, None] != names[None])[upper]
    scales = {}
    for engine, scale in settings.engines.items():
        own = matrix(portraits, engine)
        similarity = (own @ own.T)[upper][different]
        scales[engine] = {"mean": float(similarity.mean()), "deviation": float(similarity.std())}
        print(
            f"{engine}: {len(similarity)} pairs of different people, mean {similarity.mean():.4f} "
            f"(settings {scale.mean}), deviation {similarity.std():.4f} (settings {scale.deviation})"
        )
    return scales


def pairs(
    portraits: Sequence[Seen], probes: Sequence[Seen], settings: MatchSettings, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Fused scores of probes against templates of two portraits: thresholds and true accepts per false match rate."""
    names = np.array([s.person for s in portraits])
    people = [name for name in np.unique(names) if (names == name).sum() >= 4]
    own = np.array([s.person for s in probes])
    sizes = np.array([s.tile for s in probes])
    rows = []
    samples: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for _ in range(5):
        picks = np.stack([rng.permutation(np.nonzero(names == name)[0])[:2] for name in people])
        used = {(portraits[k].person, portraits[k].photo) for k in picks.ravel()}
        free = np.array([(s.person, s.photo) not in used for s in probes])
        score = np.zeros((len(probes), len(people)))
        for engine, scale in settings.engines.items():
            middle = matrix(portraits, engine)[picks].sum(axis=1)
            middle /= np.linalg.norm(middle, axis=1, keepdims=True)
            score += scale.weight * (matrix(probes, engine) @ middle.T - scale.mean) / scale.deviation
        same = own[:, None] == np.array(people)[None]
        for label, which in [("all", free), *((str(size), free & (sizes == size)) for size in SIZES)]:
            samples.setdefault(label, []).append((score[which][same[which]], score[which][~same[which]]))
    for label, parts in samples.items():
        genuine = np.concatenate([g for g, _ in parts])
        impostor = np.sort(np.concatenate([i for _, i in parts]))
        if not len(genuine) or not len(impostor):
            continue
        at = {rate: float(impostor[-max(1, round(len(impostor) * rate))]) for rate in RATES}
        accepts = {rate: float((genuine > value).mean()) for rate, value in at.items()}
        highest = float(impostor[-1])
        chosen = {band: float((genuine >= settings.rule(band).threshold).mean()) for band in (ADULT, CHILD)}
        rows.append(
            {
                "tile": label, "impostors": len(impostor), "genuine": len(genuine), "highest_impostor": highest,
                "threshold_at": at, "accepted_at": accepts, "accepted": chosen,
            }
        )  # fmt: skip
        print(
            f"tile {label:>4}: {len(impostor)} impostors, highest {highest:.2f}; "
            + "; ".join(f"{rate:g}: {at[rate]:.2f} accepts {accepts[rate]:.1%}" for rate in RATES)
            + f"; at the thresholds {chosen[ADULT]:.1%} (adult), {chosen[CHILD]:.1%} (child)",
            flush=True,
        )
    return rows


def schools(
    portraits: Sequence[Seen],
    probes: Sequence[Seen],
    band: str,
    settings: MatchSettings,
    count: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Whole photos through `match`: up to 40 candidates; 12 faces of them and 12 strangers in each photo."""
    by_person: dict[str, list[Seen]] = {}
    for seen in portraits:
        by_person.setdefault(seen.person, []).append(seen)
    many = [name for name, own in by_person.items() if len(own) >= 4]
    total = {"faces": 0, "known": 0, "named": 0, "false": 0}
    reasons: dict[str, int] = {}
    for _ in range(count):
        pupils = [many[k] for k in rng.permutation(len(many))[: min(160, len(many) * 2 // 3)]]
        picks = {name: [by_person[name][k] for k in rng.permutation(len(by_person[name]))[:2]] for name in pupils}
        used = {(s.person, s.photo) for own in picks.values() for s in own}
        inside = [s for s in probes if s.person in picks and (s.person, s.photo) not in used]
        outside = [s for s in probes if s.person not in picks]
        for _ in range(60):
            candidates = [pupils[k] for k in rng.permutation(len(pupils))[:40]]
            gallery = [
                Template(s.person, s.photo, engine, vector)
                for name in candidates
                for s in picks[name]
                for engine, vector in s.vectors.items()
            ]
            crowd = _different([inside[k] for k in rng.permutation(len(inside)) if inside[k].person in candidates], 12)
            crowd += _different([outside[k] for k in rng.permutation(len(outside))], 12)
            faces = [Face(i, s.detection, s.vectors) for i, s in enumerate(crowd)]
            for seen, sighting in zip(crowd, match(faces, gallery, dict.fromkeys(pupils, band), settings), strict=True):
                known = seen.person in candidates
                total["faces"] += 1
                total["known"] += known
                total["named"] += known and sighting.person_id == seen.person
                if sighting.person_id not in (None, seen.person):
                    total["false"] += 1
                    print(f"FALSE {seen.person} {seen.photo} named {sighting.person_id}: {sighting.score:.2f}")
                if known and sighting.reason:
                    reasons[sighting.reason] = reasons.get(sighting.reason, 0) + 1
    return {**total, "reasons": reasons, "rule": _rule(settings.rule(band))}


def _different(crowd: Sequence[Seen], count: int) -> list[Seen]:
    """The first photos of as many different people."""
    return list({s.person: s for s in reversed(crowd)}.values())[-count:]


def _rule(rule: BandRule) -> dict[str, float]:
    return {name: float(getattr(replace(rule), name)) for name in rule.__slots__}


if __name__ == "__main__":
    sys.exit(main())
