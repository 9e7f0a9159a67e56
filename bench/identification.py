#!/usr/bin/env python3
"""Open-set identification: how often a face outside the list gets a name, against how often one on it gets none.

    python -m bench.identification --data ../shared/data [--cache DIR] [--ages DIR] [--plots bench/plots] [--json]

Galleries of 25, 150 and 500 people of `lfw` (templates of two portraits; of one for people with fewer than four
photos), drawn anew many times; probes: see bench/faces.py. Every probe plays a stranger: its own person is taken out
of the gallery, and a name is a false positive identification (FPIR). Every probe of a person in the gallery that is no
portrait plays a guest: anything but its own name is a miss (FNIR). Small faces need what
`pipeline.recognition.matching` asks of them. Systems: SFace, dlib, their fused score, and the fused score with the
margin in force, which is what decides.

--ages: All-Age-Faces (see bench/children.py): people of 16 to 60 years, one photo each, none of whom took part in any
choice of a threshold. Galleries of one portrait; the others, at 60 to 160 pixels through JPEG, are strangers.
The 95 % intervals draw the people of the probes anew (bootstrap); of no mistake at all the upper end is that of the
rule of three over the people, as if each had been asked once.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from bench.children import SAME, SAME_SERIES, SERIES, Eyes, at_size, bordered, fused
from bench.faces import ENGINES, Seen, lfw, matrix
from models.downloads import manifest
from models.engines.registry import load_detectors, load_embedders
from pipeline.recognition.matching import MatchSettings

GALLERIES = (25, 150, 500)
SYSTEMS = ("SFace", "dlib", "fused", "fused, margin")
RATES = (1e-2, 1e-3, 1e-4)
AGES = (16, 60)
PIXELS = (60, 80, 120, 160)
_Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """Best scores of one system: strangers (best, person of the probe), guests (own score, or -inf when not named)."""

    strangers: _Rows
    who: NDArray[np.int64]
    guests: _Rows


def main() -> int:
    """Run from the command line; exit status 1 when the rule in force names more than 1 stranger in 10,000."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--ages", type=Path, help="folder of All-Age-Faces")
    parser.add_argument("--people", type=int, default=3000, help="of --ages, at most")
    parser.add_argument("--draws", type=int, default=60, help="galleries of each size")
    parser.add_argument("--cache", type=Path, help="keep the descriptions of the faces in this folder")
    parser.add_argument("--plots", type=Path, help="folder for the plot")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    a = parser.parse_args()
    portraits, probes = lfw(a.data, 500, a.cache)
    found = {size: measured(portraits, probes, size, a.draws) for size in GALLERIES}
    rows = [row(system, size, trials) for size, systems in found.items() for system, trials in systems.items()]
    outsiders = others(a.ages, a.people, a.cache, a.draws) if a.ages else []
    if a.plots:
        plot(found, a.plots / "identification.png")
    if a.json:
        print(json.dumps({"lfw": rows, "outsiders": outsiders}))
    mine = [r for r in rows if r["system"] == SYSTEMS[-1] and r["gallery"] == 150]
    return int(any(r["at_the_rule"]["fpir"] > 1e-4 for r in mine))


def measured(portraits: list[Seen], probes: list[Seen], size: int, draws: int) -> dict[str, Trials]:
    """All trials of every system with galleries of one size."""
    settings = MatchSettings()
    rule = settings.adult
    names, people = np.unique([s.person for s in portraits], return_inverse=True)
    own_photos = [np.nonzero(people == k)[0] for k in range(len(names))]
    who = np.searchsorted(names, [s.person for s in probes])
    photo = np.array([f"{s.person}/{s.photo}" for s in probes])
    sizes = np.array([s.detection.box.size for s in probes])
    extra = np.array([rule.threshold_at(s, size) - rule.threshold for s in sizes])
    extra[sizes < rule.smallest] = np.inf  # never named
    of_portraits = {engine: matrix(portraits, engine) for engine in ENGINES}
    of_probes = {engine: matrix(probes, engine) for engine in ENGINES}
    rng = np.random.default_rng(size)
    kept: dict[str, list[tuple[_Rows, NDArray[np.int64], _Rows]]] = {system: [] for system in SYSTEMS}
    for _ in range(draws if size < len(names) else max(1, draws // 5)):
        chosen = rng.permutation(len(names))[:size]
        picks = [rng.permutation(own_photos[k])[: 2 if len(own_photos[k]) >= 4 else 1] for k in chosen]
        used = {f"{portraits[i].person}/{portraits[i].photo}" for pick in picks for i in pick}
        free = np.nonzero(~np.isin(photo, list(used)))[0]
        score: dict[str, _Rows] = {}
        for engine, label in zip(ENGINES, SYSTEMS, strict=False):
            middle = np.stack([of_portraits[engine][pick].sum(axis=0) for pick in picks])
            middle /= np.linalg.norm(middle, axis=1, keepdims=True)
            scale = settings.engines[engine]
            score[label] = (of_probes[engine][free] @ middle.T - scale.mean) / scale.deviation
        weight = settings.engines["dlib"].weight
        score["fused"] = score["SFace"] + weight * score["dlib"]
        own = who[free][:, None] == chosen
        for system in SYSTEMS:
            base = score["fused" if system == SYSTEMS[-1] else system] - extra[free][:, None]
            strangers = named(np.where(own, -np.inf, base), rule.margin if system == SYSTEMS[-1] else 0.0)
            right = named(base, rule.margin if system == SYSTEMS[-1] else 0.0)
            right[base.argmax(axis=1) != own.argmax(axis=1)] = -np.inf
            kept[system].append((strangers, who[free], right[own.any(axis=1)]))
    return {s: Trials(*(np.concatenate([part[k] for part in parts]) for k in range(3))) for s, parts in kept.items()}


def named(score: _Rows, margin: float) -> _Rows:
    """The best score of each row; minus infinity where the runner-up is nearer than the margin."""
    two = np.partition(score, -2, axis=1)[:, -2:]
    with np.errstate(invalid="ignore"):
        clear = two[:, 1] - two[:, 0] >= margin
    return np.where(clear & np.isfinite(two[:, 1]), two[:, 1], -np.inf)


def row(system: str, size: int, trials: Trials) -> dict[str, Any]:
    """One line of the table."""
    ordered = np.sort(trials.strangers)
    at = {}
    for rate in RATES:
        threshold = float(ordered[-max(1, round(len(ordered) * rate))])
        reached = math.isfinite(threshold)  # with a margin so many strangers may not even be near a name
        at[rate] = {
            "reached": reached,
            "threshold": threshold if reached else None,
            "fnir": float((trials.guests <= threshold).mean()),
        }
    threshold = MatchSettings().adult.threshold
    result = {
        "system": system,
        "gallery": size,
        "strangers": len(trials.strangers),
        "guests": len(trials.guests),
        "at": at,
    }
    text = f"{system:14} {size:4d}: {len(trials.strangers)} strangers, {len(trials.guests)} guests; " + "; ".join(
        f"FPIR {rate:g}: FNIR {v['fnir']:.2%} at {v['threshold']:.2f}" for rate, v in at.items() if v["reached"]
    )
    if system.startswith("fused"):
        hits = trials.strangers >= threshold
        fpir, low, high = rate_of(hits, trials.who)
        fnir = float((trials.guests < threshold).mean())
        result["at_the_rule"] = {"fpir": fpir, "interval": [low, high], "wrong": int(hits.sum()), "fnir": fnir}
        text += f"; at {threshold}: FPIR {fpir:.2e} ({low:.1e} to {high:.1e}, {int(hits.sum())}), FNIR {fnir:.2%}"
    print(text, flush=True)
    return result


def rate_of(hits: NDArray[np.bool_], who: NDArray[np.int64]) -> tuple[float, float, float]:
    """The share of hits and its 95 % interval over people."""
    _, index = np.unique(who, return_inverse=True)
    wrong, seen = np.bincount(index, hits), np.bincount(index)
    if not wrong.any():
        return 0.0, 0.0, 3.0 / len(seen)
    picks = np.random.default_rng(3).integers(0, len(seen), (1000, len(seen)))
    shares = wrong[picks].sum(axis=1) / seen[picks].sum(axis=1)
    return float(hits.mean()), float(np.quantile(shares, 0.025)), float(np.quantile(shares, 0.975))


# --- other people -------------------------------------------------------------------------------------------------


def others(folder: Path, people: int, cache: Path | None, draws: int) -> list[dict[str, Any]]:
    """False positive identifications among people of another set, by the rule in force."""
    number, full, small = described(folder, people, cache)
    score = fused(full, full)
    series = (np.abs(number[:, None] - number) <= SERIES) & (score >= SAME_SERIES)
    count, group = connected_components(csr_matrix((score >= SAME) | series), directed=False)
    rule = MatchSettings().adult
    rows = []
    for pixels, probes in small.items():
        score = fused(probes, full)
        found = np.isfinite(score[:, 0])
        for size in GALLERIES:
            rng = np.random.default_rng(size)
            hits, who = [], []
            for _ in range(draws):
                gallery = rng.permutation(len(number))[:size]
                asked = np.nonzero(found & ~np.isin(group, group[gallery]))[0]
                best = named(score[np.ix_(asked, gallery)], rule.margin)
                hits.append(best >= rule.threshold_at(pixels, size))
                who.append(group[asked].astype(np.int64))
            fpir, low, high = rate_of(np.concatenate(hits), np.concatenate(who))
            wrong, asked_all = int(np.concatenate(hits).sum()), sum(map(len, hits))
            rows.append({"pixels": pixels, "gallery": size, "fpir": fpir, "interval": [low, high], "wrong": wrong})
            print(
                f"other people ({count}), {pixels} px, gallery {size}: {wrong} of {asked_all} named, "
                f"FPIR {fpir:.2e} ({low:.1e} to {high:.1e})",
                flush=True,
            )
    return rows


def described(folder: Path, people: int, cache: Path | None) -> tuple[NDArray[np.int64], _Rows, dict[int, _Rows]]:
    """Numbers of the photos, their vectors, and those at each size: (photos, engines, 128)."""
    kept = None if cache is None else cache / f"others-{people}.npz"
    if kept and kept.exists():
        with np.load(kept) as stored:
            return stored["number"], stored["full"], {size: stored[f"at{size}"] for size in PIXELS}
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER)
    detectors = load_detectors(["centerface", "yunet"], manifest.FOLDER, 1)
    eyes = Eyes(detectors, load_embedders(list(ENGINES), manifest.FOLDER, 1))
    ages = [(path, re.match(r"(\d+)A(\d+)", path.stem)) for path in sorted(folder.glob("*.jpg"))]
    adults = [(path, int(m[1])) for path, m in ages if m and AGES[0] <= int(m[2]) <= AGES[1]]
    adults = adults[:: max(1, len(adults) // people)][:people]
    number, full = [], []
    small: dict[int, list[_Rows]] = {size: [] for size in PIXELS}
    for path, n in adults:
        image = bordered(path)
        face = eyes.face(image)
        whole = eyes.vectors(image, face) if face else None
        if face is None or whole is None:
            continue
        number.append(n)
        full.append(whole)
        for size in PIXELS:
            small[size].append(at_size(image, face, size, eyes))
    columns = {"number": np.array(number), "full": np.array(full)}
    columns |= {f"at{size}": np.array(own) for size, own in small.items()}
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **columns)
    return columns["number"], columns["full"], {size: columns[f"at{size}"] for size in PIXELS}


def plot(found: dict[int, dict[str, Trials]], path: Path) -> None:
    """One panel per size of gallery: FNIR against FPIR, both on logarithmic axes, and the rule in force."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, len(found), figsize=(11, 3.8), sharey=True)
    threshold = MatchSettings().adult.threshold
    for axis, (size, systems) in zip(axes, found.items(), strict=True):
        for system, trials in systems.items():
            steps = np.linspace(-2, 14, 400)
            strangers, guests = np.sort(trials.strangers), np.sort(trials.guests)
            fpir = 1 - np.searchsorted(strangers, steps) / len(strangers)
            fnir = np.searchsorted(guests, steps) / len(guests)
            seen = fpir > 0
            axis.loglog(fpir[seen], fnir[seen], label=system)
            if system == SYSTEMS[-1]:
                at = max(float((trials.strangers >= threshold).mean()), 1.0 / len(strangers))
                axis.plot(at, float((trials.guests < threshold).mean()), "k*", label=f"the rule in force ({threshold})")
        axis.set_title(f"gallery of {size}", fontsize=10)
        axis.set_xlabel("FPIR")
        axis.set_xlim(1e-6, 1)
        axis.set_ylim(3e-3, 1)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("FNIR")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    sys.exit(main())
