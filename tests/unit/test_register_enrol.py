from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from consent_sync.enrol import NO_PORTRAIT, PortraitRefusal, Refusal, plan_enrolment, usable_portrait
from consent_sync.likeness import shared_face
from consent_sync.model import Portrait
from pipeline.match import EngineScale
from pipeline.types import (
    Analysis,
    Answer,
    Box,
    Consent,
    Detection,
    Face,
    Medium,
    Person,
    Reason,
    Register,
    Role,
    Signer,
    Vector,
)

ON = date(2026, 11, 1)
ENGINES = ("sface", "dlib")


def face(
    index: int,
    size: float,
    score: float = 0.9,
    engines: tuple[str, ...] = ENGINES,
    value: float = 0.1,
    at: tuple[float, float] | None = None,
) -> Face:
    left, top = at or (10 + index * 100, 10)
    box = Box(left, top, left + size * 0.8, top + size)
    vectors = {engine: np.full(4, value, dtype=np.float32) for engine in engines}
    return Face(index, Detection(box, score, None, ("yunet",)), vectors, sharpness=300.0)


def look(*faces: Face) -> PortraitRefusal | Face:
    return usable_portrait(Analysis(400, 400, "JPEG", faces), ENGINES)


@pytest.mark.parametrize(
    ("faces", "used"),
    [
        ((face(0, 110),), 0),
        ((face(0, 48),), 0),
        ((face(0, 30), face(1, 110)), 1),          # a passer-by, below 48 pixels
        ((face(0, 60), face(1, 200)), 1),          # a passer-by, below a third
        ((face(0, 110), face(1, 100, score=0.3)), 0),  # a pattern that a detector took for a face
    ],
)  # fmt: skip
def test_exactly_one_usable_face(faces: tuple[Face, ...], used: int) -> None:
    assert look(*faces) is faces[used]


@pytest.mark.parametrize(
    ("faces", "used"),
    [
        # Somebody whom the frame cuts off, at each side, beside a whole face that is no smaller.
        ((face(0, 110, at=(150, 150)), face(1, 100, at=(0, 150))), 0),
        ((face(0, 110, at=(150, 150)), face(1, 100, at=(320, 150))), 0),
        ((face(0, 110, at=(150, 150)), face(1, 100, at=(150, 0.5))), 0),
        ((face(0, 110, at=(150, 150)), face(1, 100, at=(50, 300))), 0),
        ((face(0, 110, at=(150, 150)), face(1, 110, at=(0, 150)), face(2, 80, at=(340, 150))), 0),
        # One face, seen by two engines.
        ((face(0, 110, 0.8, at=(150, 150)), face(1, 112, 0.95, at=(155, 148))), 1),
        # One face alone may be cut off.
        ((face(0, 110, at=(0, 150)),), 0),
    ],
)
def test_one_of_several_counts_alone(faces: tuple[Face, ...], used: int) -> None:
    assert look(*faces) is faces[used]


@pytest.mark.parametrize(
    "faces",
    [
        (face(0, 110, at=(150, 150)), face(1, 120, at=(0, 150))),  # the one cut off is larger
        (face(0, 110, at=(0, 150)), face(1, 110, at=(320, 150))),  # nobody is whole
        (face(0, 110, at=(20, 150)), face(1, 90, at=(150, 150)), face(2, 80, at=(320, 150))),  # two are whole
        (face(0, 110, at=(100, 150)), face(1, 110, at=(150, 150))),  # cheek to cheek
    ],
)
def test_several_faces_stay_several(faces: tuple[Face, ...]) -> None:
    refusal = look(*faces)
    assert isinstance(refusal, PortraitRefusal)
    assert refusal.reason is Refusal.SEVERAL_FACES


@pytest.mark.parametrize(
    ("faces", "why"),
    [
        ((), Refusal.NO_FACE),
        ((face(0, 110, score=0.3),), Refusal.NO_FACE),
        ((face(0, 47),), Refusal.TOO_SMALL),
        ((face(0, 40), face(1, 40)), Refusal.TOO_SMALL),
        ((face(0, float("nan")),), Refusal.TOO_SMALL),
        ((face(0, 110), face(1, 100)), Refusal.SEVERAL_FACES),
        ((face(0, 60), face(1, 180)), Refusal.SEVERAL_FACES),
        ((face(0, 110, engines=("sface",)),), Refusal.NOT_DESCRIBED),
        ((face(0, 110, engines=()),), Refusal.NOT_DESCRIBED),
        ((face(0, 110, value=float("nan")),), Refusal.NOT_DESCRIBED),
        ((face(0, 110, value=0.0),), Refusal.NOT_DESCRIBED),
    ],
)
def test_refused_portraits_say_why(faces: tuple[Face, ...], why: Refusal) -> None:
    refusal = look(*faces)
    assert isinstance(refusal, PortraitRefusal)
    assert refusal.reason is why
    assert refusal.sentence


def test_without_an_engine_nothing_is_described() -> None:
    refusal = usable_portrait(Analysis(250, 250, "JPEG", (face(0, 110),)), ())
    assert isinstance(refusal, PortraitRefusal)


def test_the_plan_holds_those_who_may_be_matched_and_have_a_portrait() -> None:
    person = Person("P1", "N", Role.EMPLOYEE, (), date(1980, 1, 1))
    row = Consent(
        "P1/matching", "P1", Medium.MATCHING, "", Answer.YES, Signer.SELF, date(2026, 9, 1), "f", "ab", None, None
    )
    changes = {
        "P1": {},
        "P2": {"answer": Answer.NO},
        "P3": {"form_sha256": None},
        "P4": {"withdrawn_on": ON},
        "P5": {"valid_until": date(2026, 10, 31)},
        "P6": {"signed_by": Signer.PARENT},
        "P7": {},
        "P8": {"answer": Answer.SILENT},
    }
    ids = [*changes, "P9"]  # P9 has no row at all
    people = {i: replace(person, person_id=i) for i in ids}
    rows = {(i, Medium.MATCHING, ""): replace(row, person_id=i, **change) for i, change in changes.items()}  # type: ignore[arg-type]
    portrait = Portrait(Path("1.jpg"), "cd" * 32, 1000)
    plan = plan_enrolment(Register(1, people, rows), {i: (portrait,) for i in ids if i != "P7"}, ON)
    assert dict(plan.enrol) == {"P1": (portrait,)}
    assert {r.person_id: r.reason for r in plan.refused} == {
        "P2": Reason.REFUSED,
        "P3": Reason.NO_EVIDENCE,
        "P4": Reason.WITHDRAWN,
        "P5": Reason.EXPIRED,
        "P6": Reason.WRONG_SIGNER,
        "P7": NO_PORTRAIT,
        "P8": Reason.SILENT,
        "P9": Reason.OUT_OF_SCOPE,
    }
    assert all(r.sentence for r in plan.refused)


# --- portraits with several faces ---------------------------------------------------------------------------------


def _vectors(*weights: float) -> dict[str, Vector]:
    vector = np.zeros(8, np.float32)
    vector[: len(weights)] = weights
    return dict.fromkeys(ENGINES, np.asarray(vector / np.linalg.norm(vector), np.float32))


SCALES = {"sface": EngineScale(0.0, 0.1), "dlib": EngineScale(0.0, 0.1, 0.5)}
ANNA, ANNA_TOO, FRIEND, OTHER = _vectors(1), _vectors(1, 0.2), _vectors(0, 1), _vectors(0, 0, 1)


def test_the_face_that_resembles_the_other_portrait_is_the_persons() -> None:
    assert shared_face([[FRIEND, ANNA_TOO], [OTHER]], [ANNA], SCALES) == [1, None]


def test_a_face_that_is_known_needs_less_than_one_that_is_only_shared() -> None:
    older = _vectors(0.36, 0, 0, 0.93)  # a score of 5.4 with ANNA
    assert shared_face([[FRIEND, older]], [ANNA], SCALES) == [1]
    assert shared_face([[FRIEND, older], [ANNA, OTHER]], [], SCALES) == [None, None]


def test_the_one_face_that_two_portraits_share_is_the_persons() -> None:
    assert shared_face([[FRIEND, ANNA], [ANNA_TOO, OTHER]], [], SCALES) == [1, 0]
    assert shared_face([[FRIEND, ANNA]], [], SCALES) == [None]


def test_friends_who_are_together_in_both_portraits_are_neither() -> None:
    assert shared_face([[FRIEND, ANNA], [ANNA_TOO, FRIEND]], [], SCALES) == [None, None]


def test_a_twin_beside_the_person_is_not_chosen() -> None:
    assert shared_face([[ANNA, ANNA_TOO]], [ANNA], SCALES) == [None]
    assert shared_face([[], [{"sface": ANNA["sface"]}]], [ANNA], SCALES) == [None, None]
