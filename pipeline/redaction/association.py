"""Which finding of a frame belongs to which track: by overlap with where each should be, the best pairs over all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.domain.types import Box, Detection
from pipeline.redaction.track_run import TrackRun

_REACH, _REACH_EACH, _REACH_BLIND = 0.5, 0.05, 1.0
_MOST_STEPS = 12


def joined(
    frame: int, found: Sequence[Detection], runs: list[TrackRun], *, fast: bool
) -> tuple[list[TrackRun], list[Detection]]:
    """Give findings to tracks, the best pairs first over all; returns what is left of both."""
    if not found or not runs:
        return runs, list(found)
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to load, and most commands do without

    expected = [(r, r.predict(frame)) for r in runs]
    cost = np.array([[_cost(r, predicted, f.box, frame) for f in found] for r, predicted in expected])
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    pairs = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if math.isfinite(cost[i, j])]
    for i, j in pairs:
        runs[i].add(frame, found[j], fast)
    taken, used = {i for i, _ in pairs}, {j for _, j in pairs}
    return [r for i, r in enumerate(runs) if i not in taken], [f for j, f in enumerate(found) if j not in used]


def same(a: Box, b: Box) -> bool:
    """Whether boxes of the two detectors in one frame are around one face."""
    return a.iou(b) >= 0.4 or a.intersection(b) > 0.8 * min(a.area, b.area)


def _cost(run: TrackRun, predicted: Box, box: Box, frame: int) -> float:
    """How badly a finding fits a track: below 1 when they overlap, above when it is only near; infinite if neither."""
    ratio = box.size / max(1e-6, run.here.size)
    if not 0.4 <= ratio <= 2.5:
        return math.inf
    iou = max(predicted.iou(box), run.here.iou(box))
    if iou >= 0.15:
        return 1 - iou
    away = math.dist(predicted.center, box.center) / max(1e-6, (box.size + predicted.size) / 2)
    reach = _REACH + _REACH_EACH * min(_MOST_STEPS, frame - run.last) + _REACH_BLIND * (run.blind > 0)
    return 1 + away if away < reach and 0.6 <= ratio <= 1.7 else math.inf
