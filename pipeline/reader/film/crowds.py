"""What the fast detector takes for one large face around several small ones: smeared crowds look like it."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.types import Detection
from pipeline.redaction.track_run import CONVINCING

_SMALLER = 0.5
_SEVERAL = 2


def around_others(found: Sequence[Detection]) -> list[Detection]:
    """Those findings of one frame whose box holds the middles of several convincing faces, each far smaller.

    Such a finding is no more than a hint: it asks for a look of the second detector, and counts when that agrees.
    """
    return [d for d in found if sum(_within(d, other) for other in found) >= _SEVERAL]


def _within(large: Detection, small: Detection) -> bool:
    x, y = small.box.center
    box = large.box
    inside = box.left < x < box.right and box.top < y < box.bottom
    return inside and small.score >= CONVINCING and small.box.size < _SMALLER * box.size
