"""How much work waits, and how long files take: counts and times only. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BUCKETS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper limits in seconds of the histogram of how long files take."""


@dataclass(frozen=True, slots=True)
class Queue:
    """How many items stand in a state, and since when the first of them."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long files took: how many, together, and how many took at most each of `BUCKETS`."""

    count: int
    total: float
    within: tuple[int, ...]


SERVICE_HEARTBEAT = "service"
"""Under this name the service tells that it is alive."""
