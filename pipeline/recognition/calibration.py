"""How well matching does on the school's own gallery. Pure: templates in, figures out; nothing of it is a face.

Each portrait plays a face of an event. As a stranger: its person is taken out of the gallery, and whoever is named then
is named wrongly. As a guest: the person's other portraits are the template, and the right name is what is hoped for.
Portraits are sharper and larger than faces in photos: wrong names are about as many there, right ones fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.types import Box, Detection, Face, JsonObject, MatchResult, Template, Vector
from pipeline.recognition.matching import MatchSettings, match

SIZE = 160.0
"""Pixels that a portrait's face is taken to have: no rule asks for more than that."""
HEADROOM = 0.5
"""How far above the closest stranger a proposed threshold lies."""
_NEAR = 1.0
_MOST_PAIRS = 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured. Counts are of portraits; `pairs` are two people and how close they come."""

    people: int
    strangers: int
    wrong: int
    guests: int
    right: int
    proposed: Mapping[str, float]
    """Per age band: the threshold that keeps `HEADROOM` from the closest stranger, never below the one in force."""
    pairs: tuple[tuple[str, str, float], ...]

    def wrong_share(self) -> tuple[float, float, float]:
        """The share of strangers who are named, and its 95 % interval (Clopper-Pearson)."""
        n, k = self.strangers, self.wrong
        if not n:
            return 0.0, 0.0, 1.0
        from scipy.special import betaincinv  # noqa: PLC0415 - slow to load, and most commands do without

        low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
        # Nobody named wrongly: a one-sided bound (the rule of three).
        high = float(betaincinv(k + 1, n - k, 0.975)) if 0 < k < n else (1.0 if k else 1 - 0.05 ** (1 / n))
        return k / n, low, high

    def facts(self, strangers_per_photo: float) -> JsonObject:
        """The figures for the log and for officers."""
        share, low, high = self.wrong_share()
        each = 1000 * strangers_per_photo
        return {
            "people": self.people,
            "portraits compared as strangers": self.strangers,
            "named wrongly": self.wrong,
            "strangers in a photo": strangers_per_photo,
            "wrong shows per 1,000 photos": round(share * each, 2),
            "95 % interval": [round(low * each, 2), round(high * each, 2)],
            "portraits compared as guests": self.guests,
            "named rightly": self.right,
            "proposed thresholds": {band: round(value, 2) for band, value in self.proposed.items()},
        }


def calibrate(gallery: Sequence[Template], bands: Mapping[str, str], settings: MatchSettings) -> Calibration:
    """Measure a gallery by the rules in force. `bands` are age bands by person id, as for `matching.match`."""
    portraits: dict[tuple[str, str], dict[str, Vector]] = {}
    for t in gallery:
        portraits.setdefault((t.person_id, t.portrait_sha256), {})[t.engine] = t.vector
    whole = {key: own for key, own in sorted(portraits.items()) if set(own) >= set(settings.engines)}
    people = {person for person, _ in whole}
    wrong = right = guests = 0
    closest: dict[str, float] = {}
    near: dict[tuple[str, str], float] = {}
    for (person, portrait), vectors in whole.items():
        others = [t for t in gallery if t.person_id != person]
        seen = _alone(vectors, others, bands, settings)
        wrong += seen.person_id is not None
        if seen.candidate is not None and seen.score is not None and seen.threshold is not None:
            if _clear(seen):
                closest[seen.band] = max(seen.score, closest.get(seen.band, seen.score))
            if seen.score >= seen.threshold - _NEAR:
                pair = (min(person, seen.candidate), max(person, seen.candidate))
                near[pair] = max(seen.score, near.get(pair, seen.score))
        own = [t for t in gallery if t.person_id == person and t.portrait_sha256 != portrait]
        if own:
            guests += 1
            right += _alone(vectors, [*others, *own], bands, settings).person_id == person
    proposed = {band: max(settings.rule(band).threshold, score + HEADROOM) for band, score in sorted(closest.items())}
    pairs = sorted(((a, b, score) for (a, b), score in near.items()), key=lambda x: (-x[2], x[0], x[1]))
    return Calibration(len(people), len(whole), wrong, guests, right, proposed, tuple(pairs[:_MOST_PAIRS]))


def _alone(
    vectors: Mapping[str, Vector], gallery: Sequence[Template], bands: Mapping[str, str], settings: MatchSettings
) -> MatchResult:
    """What matching says of one face in a photo by itself."""
    found = Detection(Box(0, 0, SIZE, SIZE), 1.0, None, ())
    return match([Face(0, found, vectors)], gallery, bands, settings)[0]


def _clear(seen: MatchResult) -> bool:
    """Whether only the threshold keeps this stranger from a name: the runner-up is far behind."""
    if seen.score is None or seen.margin is None:
        return False
    return seen.runner_up is None or seen.score - seen.runner_up >= seen.margin
