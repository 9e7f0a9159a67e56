"""Who a face may be compared with: the templates of those who may be at the event and still agree to be matched."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pipeline.config import Matching
from pipeline.domain.types import Box, Check, Event, Face, FaceName, MatchResult, Reason, Register, Template, young
from pipeline.files.template_keys import KeyProblem, TemplateKeys, unseal
from pipeline.recognition.matching import MatchSettings, band, match, too_young
from pipeline.redaction.verification import SAME_FACE
from pipeline.rules import verdicts
from pipeline.store import Store

logger = logging.getLogger(__name__)
BY_HAND = "by hand"
"""Stands in the place of the age band of a sighting that staff named."""
SAME_BOX = 0.5
"""Overlap (IoU) from which a face is the one that staff gave a name; detection is deterministic, so it is near 1."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Candidates of one event, or nobody when matching is off."""

    templates: Sequence[Template]
    bands: Mapping[str, str]
    settings: MatchSettings
    enabled: bool
    unreadable: bool = False
    """The templates cannot be opened (pipeline.files.template_keys): nobody is named."""

    def match(self, faces: Sequence[Face]) -> tuple[MatchResult, ...]:
        """One sighting per face; with matching off each says so."""
        if not self.enabled:
            return tuple(MatchResult(f.index, None, Reason.MATCHING_OFF) for f in faces)
        if self.unreadable:
            return tuple(MatchResult(f.index, None, Reason.NOT_COMPARED) for f in faces)
        return match(faces, self.templates, self.bands, self.settings)

    def recognises(self, faces: Sequence[Face], shown: Sequence[Box]) -> Check:
        """Whether anybody can still be named in a result, outside the faces that may be shown."""
        hidden = [f for f in faces if not any(f.detection.box.iou(b) >= SAME_FACE for b in shown)]
        named = [s for s in self.match(hidden) if s.person_id is not None]
        detail = f"{len(hidden)} covered faces still look like faces" if hidden else ""
        if named:
            detail = f"{len(named)} covered faces can still be recognised"
        return Check("nobody_recognised", not named, detail)


def with_names(
    sightings: Sequence[MatchResult], faces: Sequence[Face], names: Sequence[FaceName]
) -> tuple[tuple[MatchResult, ...], tuple[FaceName, ...]]:
    """The sightings with those faces named that staff named by hand, and the names that found no face.

    A name belongs to the one face whose box is the named one (IoU of `SAME_BOX` and more); two names for one face
    contradict each other and neither counts. Where matching gave the same person to another face, that face loses the
    name: staff know better, and a person is in a photo once. GDPR art. 22: a person decides, not the likeness.
    """
    by_index = {f.index: f for f in faces}
    wanted: dict[int, list[FaceName]] = {}
    lost: list[FaceName] = []
    for name in names:
        best = max(by_index.values(), key=lambda f: f.detection.box.iou(name.box), default=None)
        if best is None or not best.detection.box.iou(name.box) >= SAME_BOX:
            lost.append(name)
        else:
            wanted.setdefault(best.index, []).append(name)
    given = {face: own[0] for face, own in wanted.items() if len(own) == 1}
    lost += [n for own in wanted.values() if len(own) > 1 for n in own]
    taken = {n.person_id for n in given.values()}
    result = []
    for s in sightings:
        if s.face in given:
            name = given[s.face]
            result.append(MatchResult(s.face, name.person_id, None, band=BY_HAND, named_by=name.named_by))
        elif s.reason is None and s.person_id in taken:
            result.append(replace(s, person_id=None, reason=Reason.TWICE_IN_PHOTO))
        else:
            result.append(s)
    return tuple(result), tuple(lost)


class GalleryCache:
    """The templates of the register in force, read once per version. For use by several threads."""

    def __init__(
        self, store: Store, weights: Mapping[str, str], matching: Matching, keys: TemplateKeys, max_age_months: int
    ) -> None:
        self._store = store
        self._weights = weights
        self._matching = matching
        self._keys = keys
        self._max_age_months = max_age_months
        self._unreadable = False
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
                self._templates, self._unreadable = self._opened()
                self._key = None if self._unreadable else key
            templates, unreadable = self._templates, self._unreadable
        wanted = {
            p
            for p in verdicts.candidates(register, event, on)
            if verdicts.may_match(register, p, on).allowed and not too_young(register.people[p], on)
        }
        return Gallery(
            [t for t in templates if t.person_id in wanted and young(t.dated, self._max_age_months, on)],
            {p: band(register.people[p], on) for p in wanted},
            self._matching.rules,
            True,
            unreadable,
        )

    def whole(self, register: Register, on: date) -> Gallery:
        """Everyone who may be matched on a day, whatever the event: what a calibration looks at."""
        everyone = Event("", groups=())
        return self.of(register, everyone, on)

    def _opened(self) -> tuple[list[Template], bool]:
        """The templates, and whether they cannot be opened: then there are none, and nobody is named."""
        sealed = self._store.templates.all(self._weights)
        if not sealed:
            return [], False
        try:
            key = self._keys.current()
            return [unseal(t, key) for t in sealed], False
        except KeyProblem as e:
            logger.error("nobody is matched: %s", e)
            return [], True
