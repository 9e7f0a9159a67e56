"""How sure a spot check makes: the error rate that was measured, with its interval. Pure."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""Of the normal distribution, for 95 %."""


def wilson(wrong: int, looked_at: int, z: float = Z95) -> tuple[float, float]:
    """The interval in which the true error rate lies, with 95 % by default (Wilson 1927), as parts of 1.

    It stays within 0 and 1 and is honest about small samples: nothing wrong of 20 still leaves up to 16 %. Of nothing
    looked at, nothing is known: 0 to 1. Raises ValueError for counts that contradict each other.
    """
    if not 0 <= wrong <= looked_at:
        raise ValueError(f"{wrong} wrong of {looked_at}")
    if looked_at == 0:
        return 0.0, 1.0
    rate, n = wrong / looked_at, looked_at
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if wrong == 0 else max(0.0, middle - half)
    high = 1.0 if wrong == looked_at else min(1.0, middle + half)
    return low, high
