"""Pure: the constant rate at which a film is read, whatever its own frames do."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

STANDARD = tuple(Fraction(n) for n in (5, 10, 12, 15, 20, 24, 25, 30, 40, 48, 50, 60, 100, 120))
_AGREE = 0.005
_MAY_BE_LOST = 0.01  # of all frames: a phone's clock trembles, and one frame in a hundred is no reason to double them


def constant_rate(real: Fraction, average: Fraction, highest: int) -> Fraction | None:
    """The rate of a film whose own two figures agree (within 0.5 %), or None for one whose rate varies.

    `real` is the lowest rate at which every frame has a moment of its own, `average` is frames by duration; 0 where
    unknown. Above `highest` frames per second every second, third ... frame is kept.
    """
    if real <= 0 or average <= 0 or abs(float(real / average) - 1) > _AGREE:
        return None
    return at_most(real, highest)


def at_most(rate: Fraction, highest: int) -> Fraction:
    """The rate, divided by the smallest whole number that brings it down to `highest`."""
    return rate / -(-rate // highest) if rate > highest else rate


def variable_rate(times: NDArray[np.float64], highest: int) -> Fraction:
    """The smallest standard rate that loses (nearly) none of the frames shown at these times (seconds, sorted).

    For a film that does not tell its times: 25.
    """
    if not len(times):
        return min(Fraction(25), Fraction(highest))
    allowed = [r for r in STANDARD if r <= highest] or [Fraction(highest)]
    for rate in allowed:
        moments = np.floor((times - times[0]) * float(rate) + 0.5)
        lost = len(times) - len(np.unique(moments))
        if lost <= _MAY_BE_LOST * len(times):
            return rate
    return allowed[-1]
