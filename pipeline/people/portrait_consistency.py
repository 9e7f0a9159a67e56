"""Whether the portraits of one person show one person, and who resembles somebody else. Pure: vectors in, figures out.

Scores are the fused scores of `pipeline.recognition.matching`. Two portraits of one adult score 3.8 and more (300
pairs of Labeled Faces in the Wild), two different adults below 3.1 in 99 of 100 cases (19,600 pairs). Children are
closer to each other, so a swap of two children is found less often; the report of look-alikes then names the pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import LookAlike, Template, Vector
from pipeline.recognition.matching import EngineScale

CONSISTENT = 3.0
"""Fused score from which two portraits can be of one person."""
LOOK_ALIKE = 5.0
"""Fused score from which two people are reported: of 19,600 pairs of different adults none came that far."""
SHARED = 5.0
"""Fused score from which a face that portraits share is the person's: of 19,600 pairs of two adults none came that
far."""
BEHIND = 2.0
"""How far the other faces of a portrait are behind."""
_BLOCK = 512

_Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PortraitFace:
    """A face in a portrait in which it may not be the only one.

    `size`: its longer side in pixels. `clear`: it can be a template; one that is turned away or blurred only helps to
    tell whose face the portraits share. `whole`: the frame does not cut it off. `upright`: its eyes are level.
    """

    vectors: Mapping[str, Vector]
    size: float
    clear: bool = True
    whole: bool = True
    upright: bool = True


def odd_ones_out(
    portraits: Mapping[str, Sequence[Template]], engines: Mapping[str, EngineScale], limit: float = CONSISTENT
) -> frozenset[str]:
    """The portraits (by SHA-256) of one person that do not show whom the others show.

    Portraits that resemble each other, directly or by way of others, belong together. The group that holds more than
    half of all stays; when none does, nobody knows which is right, and all are odd. One portrait alone never is.
    """
    names = sorted(portraits)
    if len(names) < 2:
        return frozenset()
    scores = fused(names, portraits, names, portraits, engines)
    groups: list[set[int]] = []
    for i in range(len(names)):
        near = [g for g in groups if any(scores[i, j] >= limit for j in g)]
        groups = [g for g in groups if g not in near] + [set().union({i}, *near)]
    largest = max(groups, key=len)
    keep = largest if 2 * len(largest) > len(names) else set()
    return frozenset(name for i, name in enumerate(names) if i not in keep)


def shared_face(
    pictures: Sequence[Sequence[PortraitFace]],
    known: Sequence[Mapping[str, Vector]],
    engines: Mapping[str, EngineScale],
) -> list[int | None]:
    """Which face of each portrait with several faces is the person's, or None.

    It is the one that resembles the person's other portraits (`known`, one face each), while no other face comes near.
    Without such portraits it is the one that two of the pictures share and that is the largest in both (`_shared`).
    """
    known = known or _shared(pictures, engines)
    found: list[int | None] = []
    for faces in pictures:
        scores = [min(_score(face.vectors, other, engines) for other in known) for face in faces] if known else []
        best = max(range(len(scores)), key=scores.__getitem__, default=-1)
        sure = best >= 0 and scores[best] >= SHARED and faces[best].clear
        near = [s for k, s in enumerate(scores) if k != best and not scores[best] - s >= BEHIND]
        found.append(best if sure and not near else None)
    return found


def _shared(
    pictures: Sequence[Sequence[PortraitFace]], engines: Mapping[str, EngineScale]
) -> list[Mapping[str, Vector]]:
    """The one face that pictures share, as it is in the two that are closest; nothing when there is any doubt.

    It is the largest upright one in both, since these are portraits of the person. No other two faces of different
    pictures may be of one person, nor may there be two groups of pictures that each share another: a friend is together
    with the person in all of them, and nobody knows who is who. Faces that the frame cuts off do not count.
    """
    whole = [[face for face in faces if face.whole] for faces in pictures]
    first = {max(faces, key=lambda face: (face.upright, face.size)) for faces in whole if faces}
    alike = [
        (score, x, y)
        for a, b in combinations(whole, 2)
        for x, y in product(a, b)
        if (score := _score(x.vectors, y.vectors, engines)) >= CONSISTENT
    ]
    score, *pair = max(alike, key=lambda found: found[0], default=(-math.inf,))
    person = {*pair, *(face for _, x, y in alike for face in (x, y) if x in pair or y in pair)}
    if score < SHARED or any({x, y} - first or not {x, y} & person for _, x, y in alike):
        return []
    return [face.vectors for face in pair]


def _score(one: Mapping[str, Vector], other: Mapping[str, Vector], engines: Mapping[str, EngineScale]) -> float:
    """The fused score of two faces; minus infinity where one lacks an engine."""
    if any(engine not in one or engine not in other for engine in engines):
        return -math.inf
    total = sum(
        scale.weight
        * (float(one[engine].astype(np.float64) @ other[engine].astype(np.float64)) - scale.mean)
        / scale.deviation
        for engine, scale in engines.items()
    )
    return total if math.isfinite(total) else -math.inf


def look_alikes(
    fresh: Iterable[str],
    gallery: Sequence[Template],
    engines: Mapping[str, EngineScale],
    limit: float = LOOK_ALIKE,
) -> list[LookAlike]:
    """Every pair of one of `fresh` with anybody else whose portraits resemble each other, closest first.

    The closest two portraits of the pair count: that is what could be mistaken.
    """
    by_portrait: dict[str, list[Template]] = {}
    for t in gallery:
        by_portrait.setdefault(f"{t.person_id}\0{t.portrait_sha256}", []).append(t)
    complete = sorted(k for k, own in by_portrait.items() if {t.engine for t in own} >= set(engines))
    owner = [k.partition("\0")[0] for k in complete]
    new = set(fresh)
    wanted = [i for i, person in enumerate(owner) if person in new]
    found: dict[tuple[str, str], LookAlike] = {}
    for start in range(0, len(wanted), _BLOCK):
        rows = wanted[start : start + _BLOCK]
        parts = _parts([complete[i] for i in rows], by_portrait, complete, by_portrait, engines)
        scores = _fuse(parts, engines)
        for r, c in zip(*np.nonzero(scores >= limit), strict=True):
            first, second = sorted((owner[rows[r]], owner[c]))
            score = float(scores[r, c])
            if first != second and ((first, second) not in found or found[first, second].score < score):
                similar = {engine: float(matrix[r, c]) for engine, matrix in parts.items()}
                found[first, second] = LookAlike(first, second, score, similar)
    return sorted(found.values(), key=lambda pair: (-pair.score, pair.first, pair.second))


def fused(
    rows: Sequence[str],
    row_templates: Mapping[str, Sequence[Template]],
    columns: Sequence[str],
    column_templates: Mapping[str, Sequence[Template]],
    engines: Mapping[str, EngineScale],
) -> _Scores:
    """The fused score of every row with every column; NaN, which is below every limit, where one lacks an engine."""
    return _fuse(_parts(rows, row_templates, columns, column_templates, engines), engines)


def _parts(
    rows: Sequence[str],
    row_templates: Mapping[str, Sequence[Template]],
    columns: Sequence[str],
    column_templates: Mapping[str, Sequence[Template]],
    engines: Mapping[str, EngineScale],
) -> dict[str, _Scores]:
    parts = {}
    for engine in engines:
        left = {name: _vector(row_templates[name], engine) for name in rows}
        right = left if rows is columns else {name: _vector(column_templates[name], engine) for name in columns}
        size = next((len(v) for v in (*left.values(), *right.values()) if v is not None), 0)
        parts[engine] = _stack([left[n] for n in rows], size) @ _stack([right[n] for n in columns], size).T
    return parts


def _fuse(parts: Mapping[str, _Scores], engines: Mapping[str, EngineScale]) -> _Scores:
    scores = [scale.weight * (parts[engine] - scale.mean) / scale.deviation for engine, scale in engines.items()]
    return np.asarray(sum(scores), np.float64)


def _vector(templates: Sequence[Template], engine: str) -> NDArray[np.float64] | None:
    return next((t.vector.astype(np.float64) for t in templates if t.engine == engine), None)


def _stack(vectors: Sequence[NDArray[np.float64] | None], size: int) -> _Scores:
    return np.stack([np.full(size, np.nan) if v is None or len(v) != size else v for v in vectors])
