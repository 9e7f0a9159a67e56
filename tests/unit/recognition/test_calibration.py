"""Calibration on galleries that are made for the purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Template, Vector
from pipeline.recognition.calibration import Calibration, calibrate
from pipeline.recognition.matching import ADULT, BandRule, EngineScale, MatchSettings

RULE = BandRule(threshold=6.0, margin=2.0, false_match_rate=1e-6, smallest=20.0, small=40.0, small_extra=1.0)
SETTINGS = MatchSettings(engines={"one": EngineScale(0.0, 0.1)}, adult=RULE, child=RULE)


def axis(*weights: float) -> Vector:
    vector = np.zeros(8, np.float32)
    vector[: len(weights)] = weights
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def portraits(name: str, *vectors: Vector) -> list[Template]:
    return [Template(name, f"{name}{n}", "one", v) for n, v in enumerate(vectors)]


ANNA = portraits("anna", axis(1), axis(1, 0, 0, 0.3))
BELLA = portraits("bella", axis(0, 1), axis(0, 1, 0, 0.3))
TWIN = portraits("anna-too", axis(1, 0, 0.2))
BANDS = dict.fromkeys(("anna", "bella", "anna-too"), ADULT)


def test_different_people_are_never_named_and_everyone_is_recognised() -> None:
    found = calibrate(ANNA + BELLA, BANDS, SETTINGS)
    assert (found.people, found.strangers, found.wrong, found.guests, found.right) == (2, 4, 0, 4, 4)
    assert found.pairs == ()
    share, low, high = found.wrong_share()
    assert share == low == 0 and high == pytest.approx(1 - 0.05 ** (1 / 4))


def test_a_twin_outside_the_gallery_is_named_wrongly_and_reported() -> None:
    found = calibrate(ANNA + BELLA + TWIN, BANDS, SETTINGS)
    assert found.wrong == 3, "each of the three portraits of the twins, once the other twin alone is left"
    assert found.pairs[0][:2] == ("anna", "anna-too")
    assert found.proposed[ADULT] > RULE.threshold and found.right < found.guests


@given(st.integers(1, 5000), st.integers(0, 5000))
def test_the_interval_holds_the_share(strangers: int, wrong: int) -> None:
    wrong = min(wrong, strangers)
    share, low, high = Calibration(9, strangers, wrong, 0, 0, {}, ()).wrong_share()
    assert 0 <= low <= share <= high <= 1
    facts = Calibration(9, strangers, wrong, 0, 0, {}, ()).facts(5.0)
    assert facts["wrong shows per 1,000 photos"] == pytest.approx(share * 5000, abs=0.01)
