"""Who is who in one photo: pure, and careful in one direction only. In doubt nobody is named.

A face is compared with everyone in the gallery by every engine. An engine's similarity becomes a score in units of
its own impostors: (similarity - impostor mean) / impostor deviation. The scores of the engines are added: they err on
different pairs, and asking each for a yes of its own costs far more true matches than it prevents false ones.

A face gets a name only when, for that pair of face and person,
- the score reaches the threshold of the person's age band, raised for small faces,
- every other person is behind by the margin: look-alikes and siblings in the gallery make both doubtful,
- every other face of the photo is behind by the margin for this person: a person is in a photo once.
The margin is what tells children apart: a stranger resembles several of them, and the one he is resembles none. A list
of a few people has no such others, so there the threshold of children is higher.

Such pairs never share a face or a person, so they are a one-to-one assignment by themselves; the optimal assignment
would add only pairs that fail a margin. Adding people (to a list that is not short), portraits of others or faces can
take names away, never give one. NaN compares false everywhere, and what cannot be compared is not named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Face, MatchResult, Person, Reason, Template
from pipeline.rules.consent import turns_sixteen

ADULT = "adult"
CHILD = "child"
NEAR = 0.5
"""Part of the threshold from which the closest person is named as candidate: below it the log would only link people
to faces of strangers."""
LEAST_SIZE = 28.0
"""Pixels: smaller faces are nobody's in any band, and are not even described."""
ADULT_AGE = 16
"""From the 16th birthday on a person decides alone (GDPR art. 8, UAVG art. 5); the thresholds turn there too."""
YOUNGEST = 4
"""Years. How well younger children can be told apart was never measured (bench/children.py): they are always doubt."""


@dataclass(frozen=True, slots=True)
class EngineScale:
    """Mean and deviation of an engine's similarity between different people, and its share in the sum."""

    mean: float
    deviation: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class BandRule:
    """What it takes to be named, for people of one age band.

    `threshold` and `margin` are fused scores. `false_match_rate` is what the threshold stands for: the share of
    comparisons of two different people that reach it, as measured. Faces smaller than `smallest` pixels are not
    matched; below `small` the threshold rises, by `small_extra` at `smallest`. From half of `large` on it rises as
    well, by `large_extra` from `large` on: there two people who resemble each other score highest, and who is on the
    list scores far above it. With fewer candidates than `few` it rises by `few_extra`.
    """

    threshold: float
    margin: float
    false_match_rate: float
    smallest: float
    small: float
    small_extra: float
    few: int = 0
    few_extra: float = 0.0
    large: float = 1.0
    large_extra: float = 0.0

    def threshold_at(self, size: float, candidates: int) -> float:
        """The threshold for a face of this size in pixels among so many candidates."""
        missing = (self.small - size) / max(1e-6, self.small - self.smallest)
        clear = 2 * size / self.large - 1
        alone = self.few_extra if candidates < self.few else 0.0
        small, large = (min(1.0, max(0.0, part)) for part in (missing, clear))
        return self.threshold + alone + self.small_extra * small + self.large_extra * large


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """The rules of matching; the defaults are measured by bench/matching.py and bench/children.py (RESULTS.md).

    `engines` names exactly the engines that take part: a face that lacks one of them is not compared.
    """

    engines: Mapping[str, EngineScale] = field(
        default_factory=lambda: MappingProxyType(
            {"sface": EngineScale(0.0988, 0.0876), "dlib": EngineScale(0.8339, 0.0351, 0.5)}
        )
    )
    adult: BandRule = BandRule(
        6.0, 2.0, 5e-7, smallest=LEAST_SIZE, small=40.0, small_extra=0.35, large=96.0, large_extra=0.3
    )
    child: BandRule = BandRule(7.0, 4.5, 1e-3, smallest=40.0, small=80.0, small_extra=1.0, few=10, few_extra=1.5)

    def rule(self, band: str) -> BandRule:
        """The rule of a band; whatever is not `adult` is a child."""
        return self.adult if band == ADULT else self.child


def band(person: Person, on: date) -> str:
    """`adult` from the 16th birthday on, else `child`; an unknown date of birth is a child's."""
    born = person.birth_date
    if born is None:
        return CHILD
    return ADULT if (on.year - born.year, on.month, on.day) >= (ADULT_AGE, born.month, born.day) else CHILD


def too_young(person: Person, on: date) -> bool:
    """Whether somebody is younger than YOUNGEST, and so has no template and is named by people only."""
    sixteen = turns_sixteen(person)
    if sixteen is None:
        return False  # where the age counts, nothing is allowed without one
    return (on.year + ADULT_AGE - YOUNGEST, on.month, on.day) < (sixteen.year, sixteen.month, sixteen.day)


def match(
    faces: Sequence[Face],
    gallery: Sequence[Template],
    bands: Mapping[str, str],
    settings: MatchSettings | None = None,
) -> tuple[MatchResult, ...]:
    """One sighting per face, in the order of `faces`, each with its face's `index`.

    `gallery` holds the templates of the candidates; `bands` their age bands by person id (missing: child). A person
    with a template that is not a finite unit vector, or that lacks an engine, is no candidate. The order of faces and
    templates does not matter. Never raises for odd numbers: they are not compared.
    """
    settings = settings or MatchSettings()
    people, scores, parts = _scores(faces, gallery, settings)
    return tuple(_sighting(row, face, people, scores, parts, bands, settings) for row, face in enumerate(faces))


def _scores(
    faces: Sequence[Face], gallery: Sequence[Template], settings: MatchSettings
) -> tuple[list[str], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Candidates, the fused scores (faces, candidates), and the similarity per engine; NaN where not compared."""
    references = {engine: _references(gallery, engine) for engine in settings.engines}
    complete = set.intersection(*(set(found) for found in references.values())) if references else set()
    people = sorted(complete)
    fused = np.zeros((len(faces), len(people)))
    parts: dict[str, NDArray[np.float64]] = {}
    for engine, scale in settings.engines.items():
        similarity = np.full((len(faces), len(people)), np.nan)
        if people:
            matrix = np.stack([references[engine][person] for person in people])
            for row, face in enumerate(faces):
                vector = usable_vector(face.embeddings.get(engine))
                if vector is not None and vector.shape == matrix.shape[1:]:
                    similarity[row] = matrix @ vector
        parts[engine] = similarity
        fused += scale.weight * (similarity - scale.mean) / scale.deviation
    return people, fused, parts


def _references(gallery: Sequence[Template], engine: str) -> dict[str, NDArray[np.float64]]:
    """One unit vector per person: the middle of their portraits; people with an unusable portrait are left out."""
    vectors: dict[str, list[NDArray[np.float64]]] = {}
    broken: set[str] = set()
    sizes = [len(t.vector) for t in gallery if t.engine == engine and t.vector.ndim == 1]
    size = max(set(sizes), key=sizes.count, default=0)
    for template in gallery:
        if template.engine != engine:
            continue
        vector = usable_vector(template.vector)
        if vector is None or vector.shape != (size,):
            broken.add(template.person_id)
        else:
            vectors.setdefault(template.person_id, []).append(vector)
    found = {}
    for person, own in vectors.items():
        # Summed in a fixed order, so that the order of the gallery cannot change the last bit.
        middle = np.sum(np.sort(np.stack(own), axis=0), axis=0)
        length = float(np.linalg.norm(middle))
        if person not in broken and length > 1e-6:
            found[person] = middle / length
    return found


def usable_vector(vector: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    """The vector in double precision; None when it is no finite unit vector."""
    if vector is None or vector.ndim != 1:
        return None
    wide = vector.astype(np.float64)
    return wide if np.isfinite(wide).all() and abs(float(np.linalg.norm(wide)) - 1) < 1e-2 else None


def _sighting(
    row: int,
    face: Face,
    people: list[str],
    scores: NDArray[np.float64],
    parts: Mapping[str, NDArray[np.float64]],
    bands: Mapping[str, str],
    settings: MatchSettings,
) -> MatchResult:
    size = face.detection.box.size
    if not face.embeddings and size < min(settings.adult.smallest, settings.child.smallest):
        return MatchResult(face.index, None, Reason.TOO_SMALL)
    if any(usable_vector(face.embeddings.get(engine)) is None for engine in settings.engines):
        return MatchResult(face.index, None, Reason.NOT_COMPARED)
    if not people:
        return MatchResult(face.index, None, Reason.UNKNOWN_PERSON)
    own = scores[row]
    if not np.isfinite(own).all():
        return MatchResult(face.index, None, Reason.NOT_COMPARED)
    best = int(np.argmax(own))
    score = float(own[best])
    others = np.delete(own, best)
    rival = float(others.max()) if others.size else None
    elsewhere = np.delete(scores[:, best], row)
    elsewhere = elsewhere[np.isfinite(elsewhere)]
    twin = float(elsewhere.max()) if elsewhere.size else None

    person = people[best]
    age = ADULT if bands.get(person) == ADULT else CHILD
    rule = settings.rule(age)
    threshold = rule.threshold_at(size, len(people))
    reason = None
    if not size >= rule.smallest:
        reason = Reason.TOO_SMALL
    elif not score >= threshold:
        reason = Reason.UNKNOWN_PERSON
    elif rival is not None and not score - rival >= rule.margin:
        reason = Reason.AMBIGUOUS
    elif twin is not None and not score - twin >= rule.margin:
        reason = Reason.TWICE_IN_PHOTO
    return MatchResult(
        face=face.index,
        person_id=None if reason else person,
        reason=reason,
        candidate=person if score >= threshold * NEAR else None,
        score=score,
        runner_up=rival,
        threshold=threshold,
        margin=rule.margin,
        false_match_rate=rule.false_match_rate,
        band=age,
        engine_scores={engine: float(similarity[row, best]) for engine, similarity in parts.items()},
    )
