"""How alike two faces of one film are, by the scores of matching. Pure."""

from __future__ import annotations

from pipeline.domain.types import Face
from pipeline.recognition.matching import MatchSettings, usable_vector


def likeness(first: Face, second: Face, settings: MatchSettings | None = None) -> float:
    """The fused score of two faces, as `match` has it for a face and a portrait; NaN where they cannot be compared."""
    settings = settings or MatchSettings()
    total = 0.0
    for engine, scale in settings.engines.items():
        a, b = usable_vector(first.embeddings.get(engine)), usable_vector(second.embeddings.get(engine))
        if a is None or b is None or a.shape != b.shape:
            return float("nan")
        total += scale.weight * (float(a @ b) - scale.mean) / scale.deviation
    return total
