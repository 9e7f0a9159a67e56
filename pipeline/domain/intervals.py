"""Pieces of time put together: sorted, apart from each other, and within the sound. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pipeline.domain.film import Stretch


def joined(stretches: Iterable[Stretch], end: float, pad: float = 0.0, gap: float = 0.0) -> tuple[Stretch, ...]:
    """The stretches, each longer by `pad` seconds at both ends, those at most `gap` seconds apart made one.

    The result is sorted, has no overlaps, and lies within 0 and `end`. Every piece of time of the input that lies
    there is in it. A stretch whose figures make no sense (not a number, or its end before its start) raises ValueError.
    """
    result: list[Stretch] = []
    for s in sorted((_checked(s) for s in stretches), key=lambda s: s.start):
        first, last = max(0.0, s.start - pad), min(end, s.end + pad)
        if first >= last:
            continue
        if result and first - result[-1].end <= gap:
            result[-1] = Stretch(result[-1].start, max(result[-1].end, last))
        else:
            result.append(Stretch(first, last))
    return tuple(result)


def within(inner: Iterable[Stretch], outer: Sequence[Stretch]) -> bool:
    """Whether each of the first lies in one of the second as a whole."""
    return all(any(o.start <= i.start and i.end <= o.end for o in outer) for i in inner)


def _checked(s: Stretch) -> Stretch:
    if math.isnan(s.start) or math.isnan(s.end) or s.end < s.start:
        raise ValueError(f"no piece of time: {s.start} to {s.end}")
    return s
