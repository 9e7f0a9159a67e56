"""The same face in several photos of one event, so that an officer says once who it is.

Embeddings stand here in memory, for one session, for a limited time; nothing writes them down, and signing out forgets
them at once (GDPR art. 9).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.console.auth import digest
from pipeline.console.previews import Previews
from pipeline.domain.types import Analysis, Face
from pipeline.errors import ChildError, KeyUnknown, OriginalGone
from pipeline.recognition.matching import ADULT, CHILD, MatchSettings
from pipeline.store.rows import Item

KEPT_SECONDS = 15 * 60
MOST_ITEMS = 200
_PATIENCE = 6.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """A face of another item that resembles the one that was asked about. `score` is the fused one."""

    item: Item
    face: Face
    score: float


@dataclass(slots=True)
class _Kept:
    event: str
    used: float
    analyses: dict[int, Analysis | None] = field(default_factory=dict)


class Memory:
    """What was seen of one event per session."""

    def __init__(self, previews: Previews, seconds: Callable[[], float] = time.monotonic) -> None:
        self._previews = previews
        self._seconds = seconds
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def look(self, token: str, item: Item, others: list[Item]) -> int:
        """Look at the photos of an event, for a few seconds at most. Returns how many are left to look at."""
        kept = self._of(token, item.event.name)
        end = self._seconds() + _PATIENCE
        wanted = [item, *(o for o in others if o.id != item.id)][:MOST_ITEMS]
        for position, one in enumerate(wanted):
            if one.id in kept.analyses:
                continue
            if self._seconds() > end:
                return sum(1 for w in wanted[position:] if w.id not in kept.analyses)
            try:
                kept.analyses[one.id] = self._previews.analyse(one)
            except (ChildError, KeyUnknown, OriginalGone, OSError):
                kept.analyses[one.id] = None  # it cannot be looked at; nothing of it resembles anybody
        return 0

    def alike(self, token: str, item: Item, face: int, others: list[Item], rules: MatchSettings) -> list[Likeness]:
        """Faces of other items that resemble this one (see `closest`), closest first."""
        kept = self._of(token, item.event.name)
        own = kept.analyses.get(item.id)
        wanted = next((f for f in own.faces if f.index == face), None) if own else None
        if wanted is None:
            return []
        found = []
        for other in others:
            seen = kept.analyses.get(other.id) if other.id != item.id else None
            best = closest(wanted, seen.faces, rules) if seen else None
            if best is not None:
                found.append(Likeness(other, *best))
        return sorted(found, key=lambda x: -x.score)

    def forget(self, token: str) -> None:
        """Sign-out: nothing is left."""
        with self._lock:
            self._kept.pop(digest(token), None)

    def held(self) -> int:
        """Of how many sessions something is kept."""
        with self._lock:
            return len(self._kept)

    def _of(self, token: str, event: str) -> _Kept:
        now = self._seconds()
        with self._lock:
            for key in [k for k, v in self._kept.items() if now - v.used > KEPT_SECONDS]:
                del self._kept[key]
            kept = self._kept.get(digest(token))
            if kept is None or kept.event != event:
                kept = self._kept[digest(token)] = _Kept(event, now)
            kept.used = now
            return kept


def closest(wanted: Face, faces: Sequence[Face], rules: MatchSettings) -> tuple[Face, float] | None:
    """The face of one photo that resembles another's most, when closely enough: nobody is in a photo twice.

    Whose faces they are is not known, nor how old: so it takes the stricter of the thresholds by which children and
    adults are named. A person still looks at each of them.
    """
    least = max(rules.rule(CHILD).threshold, rules.rule(ADULT).threshold)
    scored = [(f, s) for f in faces if (s := resemblance(wanted, f, rules)) is not None and s >= least]
    return max(scored, key=lambda pair: pair[1], default=None)


def resemblance(one: Face, other: Face, rules: MatchSettings) -> float | None:
    """The fused score of two faces, as matching computes it; None when one of them lacks an engine."""
    total = 0.0
    for engine, scale in rules.engines.items():
        a, b = one.embeddings.get(engine), other.embeddings.get(engine)
        if a is None or b is None or a.shape != b.shape:
            return None
        similarity = float(np.dot(a.astype(np.float64), b.astype(np.float64)))
        total += scale.weight * (similarity - scale.mean) / scale.deviation
    return total if np.isfinite(total) else None
