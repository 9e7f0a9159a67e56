"""The default rules on real faces: the right name, and nobody's name for strangers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.detection.find_faces import find_faces
from models.engines.base import Detector, Embedder
from models.engines.registry import load_detectors, load_embedders
from pipeline.domain.types import Face, Reason, Template
from pipeline.recognition.matching import ADULT, CHILD, MatchSettings, match


class Eyes:
    """Both detectors and both embedders."""

    def __init__(self, weights: Path) -> None:
        self.detectors: tuple[Detector, ...] = load_detectors(["centerface", "yunet"], weights, 1)
        self.embedders: tuple[Embedder, ...] = load_embedders(["sface", "dlib"], weights, 1)

    def faces(self, path: Path, width: int | None = None) -> list[Face]:
        picture = Image.open(path).convert("RGB")
        if width:
            picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.BOX)
        image = np.asarray(picture)
        found = find_faces(image, self.detectors)
        vectors = {engine.engine_id: engine.embed(image, found) for engine in self.embedders}
        return [
            Face(i, d, {name: own[i] for name, own in vectors.items() if own[i] is not None})  # type: ignore[misc]
            for i, d in enumerate(found)
        ]

    def templates(self, person: str, path: Path) -> list[Template]:
        (face,) = self.faces(path)
        return [Template(person, path.name, engine, vector) for engine, vector in face.embeddings.items()]


@pytest.fixture(scope="module")
def eyes(weights: Path) -> Eyes:
    return Eyes(weights)


@pytest.fixture(scope="module")
def gallery(eyes: Eyes, samples: Path) -> list[Template]:
    return eyes.templates("obama", samples / "obama.jpg") + eyes.templates("biden", samples / "biden.jpg")


def test_engines_of_the_settings_are_those_that_exist(eyes: Eyes) -> None:
    assert {e.engine_id for e in eyes.embedders} == set(MatchSettings().engines)


@pytest.mark.parametrize("name", ["obama2.jpg", "obama3.jpg"])
def test_a_person_is_recognised_and_the_other_is_not_near(
    name: str, eyes: Eyes, gallery: list[Template], samples: Path
) -> None:
    named = [s for s in match(eyes.faces(samples / name), gallery, {"obama": ADULT, "biden": ADULT}) if s.person_id]
    assert [s.person_id for s in named] == ["obama"]
    assert named[0].runner_up is not None and named[0].runner_up < 4


def test_strangers_get_no_name_even_by_the_weaker_rule(eyes: Eyes, gallery: list[Template], samples: Path) -> None:
    for name in ("t1.jpg", "astronaut.png"):
        faces = [f for f in eyes.faces(samples / name) if f.detection.box.size > 40]  # not the portrait on the wall
        for sighting in match(faces, gallery, {"obama": ADULT, "biden": ADULT}):
            assert sighting.reason == Reason.UNKNOWN_PERSON
            assert sighting.score is not None and sighting.threshold is not None
            assert sighting.score < sighting.threshold - 1


def test_a_face_too_small_to_compare_gets_no_name(eyes: Eyes, gallery: list[Template], samples: Path) -> None:
    for band in (ADULT, CHILD):
        found = match(eyes.faces(samples / "obama2.jpg", 34), gallery, {"obama": band, "biden": band})
        assert found and all(s.reason == Reason.TOO_SMALL for s in found)


def test_small_faces_and_large_ones_need_more_than_those_between() -> None:
    """Small ones say little; where a face is clear look-alikes score highest, and who is on the list far above."""
    adult = MatchSettings().adult
    assert [round(adult.threshold_at(size, 60), 3) for size in (28, 34, 40, 48, 72, 96, 400)] == [
        6.35,
        6.175,
        6.0,
        6.0,
        6.15,
        6.3,
        6.3,
    ]


def test_children_are_held_to_the_stricter_rule() -> None:
    settings = MatchSettings()
    for size in (30, 60, 90, 150, 400):
        assert settings.child.threshold_at(size, 60) > settings.adult.threshold_at(size, 60)
    assert settings.child.threshold_at(400, 60) == settings.child.threshold_at(80, 60)
    assert settings.child.margin > settings.adult.margin
    assert settings.child.smallest > settings.adult.smallest
    assert settings.rule("") == settings.rule("Adult") == settings.child
