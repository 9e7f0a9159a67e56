"""The look at a written photo: whatever was left uncovered between the cover and the publication is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Analysis, Box, Check, Detection, Face, Region
from pipeline.redaction.verification import failed_checks, look_again

COVER = Region(0, Box(10, 10, 60, 70), Box(15, 15, 55, 65))
SHOWN = {1: Box(100, 10, 140, 60)}


def result(*boxes: Box) -> Analysis:
    faces = tuple(Face(n, Detection(b, 0.9, None, ("yunet",))) for n, b in enumerate(boxes))
    return Analysis(400, 300, "JPEG", faces)


def test_a_face_that_nobody_decided_on_is_found_whatever_else_is_there() -> None:
    planted = Box(200, 100, 240, 150)
    extra, check = look_again(result(Box(16, 16, 54, 64), Box(101, 11, 139, 59), planted), [COVER], SHOWN)
    assert [d.box for d in extra] == [planted] and not check.passed
    assert failed_checks([Check("same_size", True), check]) == ["check_failed:no_undecided_face"]


def test_covered_faces_and_those_that_may_be_shown_are_decided() -> None:
    extra, check = look_again(result(Box(16, 16, 54, 64), Box(101, 11, 139, 59)), [COVER], SHOWN)
    assert extra == [] and check.passed and failed_checks([check]) == []


@given(st.integers(0, 350), st.integers(80, 250), st.integers(12, 45))
def test_no_place_outside_the_covers_escapes(left: int, top: int, size: int) -> None:
    face = Box(left, top, left + size, top + size)
    assert look_again(result(face), [COVER], SHOWN)[0]
    assert look_again(result(face), [], {})[0]


@pytest.mark.parametrize(
    ("box", "score", "undecided"),
    [
        (Box(110, 40, 130, 55), 0.36, False),  # a mouth
        (Box(110, 40, 130, 55), 0.5, True),  # as sure as somebody who looks over a shoulder
        (Box(110, 40, 130, 55), float("nan"), True),
        (Box(100, 48, 112, 60), 0.36, True),  # in the corner: there somebody may stand behind
        (Box(130, 30, 155, 55), 0.36, True),  # half beside the face
    ],
)
def test_a_faint_finding_in_the_middle_of_a_face_that_is_shown_is_a_part_of_it(
    box: Box, score: float, undecided: bool
) -> None:
    found = Analysis(400, 300, "JPEG", (Face(0, Detection(box, score, None, ("centerface",))),))
    assert bool(look_again(found, [], SHOWN)[0]) is undecided
