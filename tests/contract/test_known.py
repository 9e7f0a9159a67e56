"""Engines that see less than they should are noticed before they look at anything: real engines, broken on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.detection import self_check
from models.detection.self_check import Unfit, prove
from models.engines.base import Detector, Embedder
from models.engines.registry import load_detectors, load_embedders
from pipeline.domain.types import Detection, RgbImage, Vector

DETECTORS, EMBEDDERS = ("centerface", "yunet"), ("sface", "dlib")


@pytest.fixture(scope="module")
def engines(weights: Path) -> dict[str, Any]:
    return {e.engine_id: e for e in (*load_detectors(DETECTORS, weights), *load_embedders(EMBEDDERS, weights))}


class Swapped:
    """An engine that gets its colours in the wrong order."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.engine_id, self.dimensions = engine, engine.engine_id, 128

    def detect(self, image: RgbImage) -> list[Detection]:
        found: list[Detection] = self.engine.detect(np.ascontiguousarray(image[:, :, ::-1]))
        return found

    def embed(self, image: RgbImage, faces: Sequence[Detection]) -> list[Vector | None]:
        found: list[Vector | None] = self.engine.embed(np.ascontiguousarray(image[:, :, ::-1]), faces)
        return found


class Blank:
    """The session of an engine whose weights are all zero: right shapes, and nothing in them."""

    def __init__(self, session: Any) -> None:
        self.session, self.outputs = session, session.outputs

    def run(self, blob: Any) -> dict[str, Any]:
        return {name: np.zeros_like(value) for name, value in self.session.run(blob).items()}


def asked(engine: Detector | Embedder | Any, weights: Path) -> None:
    """Have one engine look at the known photographs."""
    prove([engine] if engine.engine_id in DETECTORS else [], [engine] if engine.engine_id in EMBEDDERS else [], weights)


def test_engines_as_they_are_see_what_is_there(engines: dict[str, Any], weights: Path) -> None:
    prove([engines[n] for n in DETECTORS], [engines[n] for n in EMBEDDERS], weights)


@pytest.mark.parametrize("name", [*DETECTORS, *EMBEDDERS])
def test_colours_in_the_wrong_order_are_noticed(name: str, engines: dict[str, Any], weights: Path) -> None:
    with pytest.raises(Unfit, match=name):
        asked(Swapped(engines[name]), weights)


@pytest.mark.parametrize("name", [*DETECTORS, *EMBEDDERS])
def test_weights_that_give_nothing_are_noticed(
    name: str, engines: dict[str, Any], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines[name], "_session", Blank(engines[name]._session))
    with pytest.raises(Unfit, match=f"{name}.* 0 of the 3 faces" if name in DETECTORS else name):
        asked(engines[name], weights)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_threshold_of_one_is_noticed(
    name: str, engines: dict[str, Any], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_check, "PLAIN", replace(self_check.PLAIN, thresholds={name: 1.0}))
    with pytest.raises(Unfit, match="0 of the 3 faces"):
        asked(engines[name], weights)


def test_two_people_who_look_alike_to_a_recogniser_are_noticed(engines: dict[str, Any], weights: Path) -> None:
    class Same(Swapped):
        def embed(self, image: RgbImage, faces: Sequence[Detection]) -> list[Vector | None]:
            return [self.engine.embed(image, faces)[0]] * len(faces)

    with pytest.raises(Unfit, match=r"those of two people 1\.000"):
        asked(Same(engines["sface"]), weights)


def test_an_engine_without_known_figures_is_not_fit(engines: dict[str, Any], weights: Path) -> None:
    other = Swapped(engines["yunet"])
    other.engine_id = "new"
    with pytest.raises(Unfit, match=r"models/detection/self_check\.py does not say"):
        prove([other], [], weights)


def test_without_the_known_photographs_no_engine_is_fit(engines: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="beeldwacht models fetch"):
        prove([engines["yunet"]], [], tmp_path)
