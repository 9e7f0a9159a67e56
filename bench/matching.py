#!/usr/bin/env python3
"""Measure recognition on real photos: how often two people are taken for one, and how many are recognised.

    python -m bench.matching --data ../shared/data [--people 500] [--schools 10] [--cache DIR] [--json]

Portraits and probes: see bench/faces.py. Two portraits per person make the template; no
photo is both portrait and probe. First the figures of the fused score over all pairs of people, then whole schools by
the rules of pipeline/recognition/matching.py: two classes of twenty and strangers in each photo. `false` are faces
that are given a name that is not theirs: it must be 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.faces import SIZES, Seen, lfw, matrix
from pipeline.domain.types import Face, Template
from pipeline.recognition.matching import ADULT, CHILD, BandRule, MatchSettings, match

RATES = (1e-3, 1e-4, 1e-5, 1e-6)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--schools", type=int, default=10)
    parser.add_argument("--cache", type=Path, help="keep the descriptions of the faces in this folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    arguments = parser.parse_args()
    portraits, probes = lfw(arguments.data, arguments.people, arguments.cache)
    print(f"{arguments.people} people; {len(portraits)} portraits, {len(probes)} probes", flush=True)
    rng = np.random.default_rng(12)

    settings = MatchSettings()
    result: dict[str, Any] = {
        "portraits": len(portraits),
        "probes": len(probes),
        "engines": engine_scales(portraits, settings),
        "pairs": pairs(portraits, probes, settings, rng),
    }
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
                "tile": label,
                "impostors": len(impostor),
                "genuine": len(genuine),
                "highest_impostor": highest,
                "threshold_at": at,
                "accepted_at": accepts,
                "accepted": chosen,
            }
        )
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
