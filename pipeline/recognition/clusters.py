"""The same unknown face in several photos of one event, gathered so that a person says once who it is. Pure.

Complete linkage: every two faces of a cluster resemble each other, and two faces of one photo are never together (a
person is in a photo once). A cluster may still hold two people who look alike: whoever names it sees every face, and
can leave some out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Face
from pipeline.recognition.matching import EngineScale

ALIKE = 6.25
"""Fused score that any two faces of a cluster have: a little more than what an adult needs to be named by likeness."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A face of an item that nobody is known for."""

    item: int
    face: Face


def clusters(
    unknown: Sequence[Unknown], engines: Mapping[str, EngineScale], alike: float = ALIKE
) -> list[tuple[Unknown, ...]]:
    """The faces in clusters, the largest first; inside each the sharpest face first.

    Faces that an engine could not describe stand alone. The order of the faces does not matter.
    """
    faces = sorted(unknown, key=lambda u: (u.item, u.face.index))
    scores = _scores(faces, engines)
    groups = [{n} for n in range(len(faces))]
    items = [{f.item} for f in faces]
    owner = list(range(len(faces)))
    rows, columns = np.nonzero(np.triu(scores >= alike, 1))
    for k in np.argsort(-scores[rows, columns], kind="stable"):
        a, b = owner[rows[k]], owner[columns[k]]
        if a == b or items[a] & items[b]:
            continue
        if (scores[np.ix_(sorted(groups[a]), sorted(groups[b]))] >= alike).all():
            groups[a] |= groups[b]
            items[a] |= items[b]
            for n in groups[b]:
                owner[n] = a
            groups[b] = set()
    found = [tuple(sorted((faces[n] for n in g), key=_clearest)) for g in groups if g]
    return sorted(found, key=lambda c: (-len(c), c[0].item, c[0].face.index))


def _clearest(unknown: Unknown) -> tuple[float, int]:
    return -unknown.face.sharpness * unknown.face.detection.box.size, unknown.item


def _scores(faces: Sequence[Unknown], engines: Mapping[str, EngineScale]) -> NDArray[np.float64]:
    """Fused scores of all pairs; minus infinity where an engine gave nothing usable."""
    total = np.zeros((len(faces), len(faces)))
    for engine, scale in engines.items():
        vectors = [f.face.embeddings.get(engine) for f in faces]
        size = next((len(v) for v in vectors if v is not None), 1)
        rows = [v if v is not None and v.shape == (size,) else np.full(size, np.nan) for v in vectors]
        matrix = np.array(rows, np.float64).reshape(len(faces), size)
        total += scale.weight * (matrix @ matrix.T - scale.mean) / scale.deviation
    return np.where(np.isfinite(total), total, -np.inf)
