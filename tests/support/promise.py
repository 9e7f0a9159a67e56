"""What somebody was promised, written down a second time, apart from the rules of the program."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.domain.types import StopKind


@dataclass
class Promise:
    """What one person said, and what is known of him or her."""

    yes: dict[str, bool]
    until: date | None = None
    withdrawn: date | None = None
    sixteen: date | None = None
    left: date | None = None
    matching: bool = True
    stops: tuple[tuple[int, StopKind, str], ...] = ()
    """What was asked for here, of photos on a channel."""

    def holds(self, channel: str, on: date) -> bool:
        """Whether the person may be seen on a channel on a day."""
        over = self.until is not None and self.until < on
        taken_back = self.withdrawn is not None and self.withdrawn <= on
        grown = self.sixteen is not None and self.sixteen <= on  # a guardian signed
        gone = self.left is not None and self.left < on
        stopped = any(c == channel for _, _, c in self.stops)
        return self.yes[channel] and not stopped and not (over or taken_back or grown or gone)
