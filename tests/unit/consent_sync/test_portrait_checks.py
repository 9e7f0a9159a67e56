from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from consent_sync.loaded import Portrait
from pipeline.domain.types import (
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
from pipeline.people.portrait_checks import (
    NO_PORTRAIT,
    TOO_YOUNG,
    PortraitRefusal,
    Refusal,
    plan_enrolment,
    usable_portrait,
)
from pipeline.people.portrait_consistency import PortraitFace, shared_face
from pipeline.recognition.matching import EngineScale

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
        ((face(0, 30), face(1, 110)), 1),  # a passer-by, below 48 pixels
        ((face(0, 60), face(1, 200)), 1),  # a passer-by, below a third
        ((face(0, 110), face(1, 100, score=0.3)), 0),  # a pattern that a detector took for a face
    ],
)
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
        "P10": {},
    }
    ids = [*changes, "P9"]  # P9 has no row at all
    people = {i: replace(person, person_id=i) for i in ids}
    people["P10"] = Person("P10", "N", Role.PUPIL, (), date(2022, 11, 2))  # four years old tomorrow
    rows = {(i, Medium.MATCHING, ""): replace(row, person_id=i, **change) for i, change in changes.items()}  # type: ignore[arg-type]
    rows["P10", Medium.MATCHING, ""] = replace(row, person_id="P10", signed_by=Signer.PARENT)
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
        "P10": TOO_YOUNG,
    }
    assert all(r.sentence for r in plan.refused)


# --- portraits with several faces ---------------------------------------------------------------------------------


def _vectors(*weights: float) -> dict[str, Vector]:
    vector = np.zeros(8, np.float32)
    vector[: len(weights)] = weights
    return dict.fromkeys(ENGINES, np.asarray(vector / np.linalg.norm(vector), np.float32))


SCALES = {"sface": EngineScale(0.0, 0.1), "dlib": EngineScale(0.0, 0.1, 0.5)}  # equal faces score 15
ANNA, ANNA_TOO, FRIEND, OTHER = _vectors(1), _vectors(1, 0.2), _vectors(0, 1), _vectors(0, 0, 1)
OLDER = _vectors(0.36, 0, 0, 0.93)
"""A score of 5.4 with ANNA."""


def chosen(*pictures: list[dict[str, Vector] | PortraitFace], known: list[dict[str, Vector]] | None = None) -> list:
    """What shared_face makes of pictures whose first face is the largest."""
    faces = [
        [f if isinstance(f, PortraitFace) else PortraitFace(f, 200 - k) for k, f in enumerate(p)] for p in pictures
    ]
    return shared_face(faces, known or [], SCALES)


def test_the_face_that_resembles_the_other_portrait_is_the_persons() -> None:
    assert chosen([FRIEND, ANNA_TOO], [OTHER], known=[ANNA]) == [1, None]
    assert chosen([FRIEND, OLDER], known=[ANNA]) == [1]


def test_the_one_face_that_two_portraits_share_is_the_persons() -> None:
    assert chosen([ANNA, FRIEND], [ANNA_TOO, OTHER]) == [0, 0]
    assert chosen([OLDER, FRIEND], [ANNA, OTHER]) == [0, 0]
    assert chosen([ANNA, FRIEND]) == [None]


def test_a_third_portrait_follows_the_two_that_share_a_face() -> None:
    assert chosen([ANNA, FRIEND], [ANNA_TOO, OTHER], [OTHER, ANNA]) == [None, None, None]  # OTHER is in two as well
    assert chosen([ANNA, FRIEND], [ANNA_TOO, OTHER], [ANNA]) == [0, 0, 0]
    assert chosen([ANNA, FRIEND], [ANNA_TOO, OTHER], [OLDER]) == [0, 0, 0]


def test_friends_who_are_together_in_both_portraits_are_neither() -> None:
    assert chosen([FRIEND, ANNA], [ANNA_TOO, FRIEND]) == [None, None]
    assert chosen([FRIEND, ANNA], [FRIEND, OLDER]) == [None, None]  # the friend is the clearer one: 15 and 5.4
    faint = _vectors(0.22, 0, 0, 0.98)  # 3.3 with ANNA
    assert chosen([FRIEND, ANNA], [FRIEND, faint]) == [None, None]


def test_a_friend_in_both_is_not_chosen_because_the_person_is_turned_away_in_one() -> None:
    turned = PortraitFace(OLDER, 150, clear=False)
    assert chosen([FRIEND, ANNA], [FRIEND, turned]) == [None, None]


def test_a_face_that_is_shared_and_smaller_than_another_is_nobodys() -> None:
    assert chosen([FRIEND, ANNA], [ANNA_TOO, OTHER]) == [None, None]


def test_what_lies_on_its_side_is_not_the_largest_face() -> None:
    """Two faces beside each other are taken for one on its side at times; a baby on an arm is one."""
    lying = PortraitFace(OTHER, 300, clear=False, upright=False)
    assert chosen([lying, ANNA], [ANNA_TOO, FRIEND]) == [1, 0]
    assert chosen([FRIEND, lying], [FRIEND, lying]) == [None, None]


def test_two_pairs_of_portraits_that_each_share_a_face_are_nobodys() -> None:
    assert chosen([ANNA], [ANNA_TOO], [FRIEND], [FRIEND]) == [None] * 4


def test_whoever_the_frame_cuts_off_is_not_whom_the_portraits_were_made_of() -> None:
    beside = PortraitFace(FRIEND, 300, whole=False)
    assert chosen([beside, ANNA], [ANNA_TOO, beside]) == [1, 0]


def test_a_face_that_is_turned_away_helps_and_makes_no_template() -> None:
    turned = PortraitFace(OLDER, 150, clear=False)
    assert chosen([turned], [ANNA, FRIEND]) == [None, 0]
    assert chosen([turned], known=[ANNA]) == [None]


def test_a_twin_beside_the_person_is_not_chosen() -> None:
    assert chosen([ANNA, ANNA_TOO], known=[ANNA]) == [None]
    assert chosen([], [{"sface": ANNA["sface"]}], known=[ANNA]) == [None, None]
