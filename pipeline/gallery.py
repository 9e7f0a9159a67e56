"""Who a face may be compared with: the templates of those who may be at the event and still agree to be matched."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline import policy
from pipeline.config import Matching
from pipeline.match import MatchSettings, band, match
from pipeline.store import Store
from pipeline.triage import SAME_FACE
from pipeline.types import Box, Check, Event, Face, Reason, Register, Sighting, Template


@dataclass(frozen=True, slots=True)
class Gallery:
    """Candidates of one event, or nobody when matching is off."""

    templates: Sequence[Template]
    bands: Mapping[str, str]
    settings: MatchSettings
    enabled: bool

    def match(self, faces: Sequence[Face]) -> tuple[Sighting, ...]:
        """One sighting per face; with matching off each says so."""
        if not self.enabled:
            return tuple(Sighting(f.index, None, Reason.MATCHING_OFF) for f in faces)
        return match(faces, self.templates, self.bands, self.settings)

    def recognises(self, faces: Sequence[Face], shown: Sequence[Box]) -> Check:
        """Whether anybody can still be named in a result, outside the faces that may be shown."""
        hidden = [f for f in faces if not any(f.detection.box.iou(b) >= SAME_FACE for b in shown)]
        named = [s for s in self.match(hidden) if s.person_id is not None]
        detail = f"{len(hidden)} covered faces still look like faces" if hidden else ""
        if named:
            detail = f"{len(named)} covered faces can still be recognised"
        return Check("nobody_recognised", not named, detail)


class GalleryCache:
    """The templates of the register in force, read once per version. For use by several threads."""

    def __init__(self, store: Store, weights: Mapping[str, str], matching: Matching) -> None:
        self._store = store
        self._weights = weights
        self._matching = matching
        self._lock = threading.Lock()
        self._key: tuple[int, int] | None = None
        self._templates: list[Template] = []

    def of(self, register: Register, event: Event, on: date) -> Gallery:
        """The gallery of an event on a day. Who may no longer be matched is left out, template or not."""
        if not self._matching.enabled:
            return Gallery((), {}, self._matching.rules, False)
        with self._lock:
            key = (register.version, self._store.journal.last_seq("register.enrolled"))
            if key != self._key:
                self._templates, self._key = self._store.templates.all(self._weights), key
            templates = self._templates
        wanted = {p for p in policy.candidates(register, event, on) if policy.may_match(register, p, on).allowed}
        return Gallery(
            [t for t in templates if t.person_id in wanted],
            {p: band(register.people[p], on) for p in wanted},
            self._matching.rules,
            True,
        )
