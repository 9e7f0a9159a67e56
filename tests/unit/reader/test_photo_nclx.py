"""Colours that a file names by numbers: the light that reaches the eye stays the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import RgbImage
from pipeline.reader.photo_nclx import Nclx, in_file, to_srgb

SRGB, P3, REC2020 = 1, 12, 9
GAMMA, LINEAR, PQ, HLG = 13, 8, 16, 18


def patch(*colour: int) -> RgbImage:
    return np.full((4, 4, 3), colour, np.uint8)


def one(image: RgbImage, colours: Nclx) -> list[int]:
    return [int(v) for v in to_srgb(image, colours)[0, 0]]


def encoded(light: float, transfer: int) -> int:
    """A grey of this light (1 is the reference white, 203 cd/m2) by the formulas of BT.2100."""
    if transfer == PQ:
        y = (light * 203 / 10000) ** 0.1593017578125
        return round(255 * float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375))
    scene = (light * 203 / 1000) ** (1 / 1.2)
    signal = (3 * scene) ** 0.5 if scene <= 1 / 12 else 0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073
    return round(255 * float(signal))


@pytest.mark.parametrize("primaries", [P3, REC2020])
@pytest.mark.parametrize("grey", [0, 1, 16, 128, 200, 255])
def test_greys_stay_what_they_are_in_any_primaries(primaries: int, grey: int) -> None:
    assert one(patch(grey, grey, grey), Nclx(primaries, GAMMA)) == pytest.approx([grey] * 3, abs=1)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize(("light", "grey"), [(0.05, 63), (0.2158, 128), (0.5, 188), (0.7, 218)])
def test_what_is_darker_than_the_reference_white_has_its_own_light(transfer: int, light: float, grey: int) -> None:
    code = encoded(light, transfer)
    assert one(patch(code, code, code), Nclx(REC2020, transfer)) == pytest.approx([grey] * 3, abs=4)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_highlights_are_told_apart_and_the_brightest_is_white(transfer: int) -> None:
    greys = [one(patch(code, code, code), Nclx(REC2020, transfer))[0] for code in (150, 165, 180, 255)]
    assert greys == sorted(set(greys)) and greys[-1] == 255


def test_a_red_of_display_p3_lies_outside_of_srgb_and_a_skin_only_moves() -> None:
    assert one(patch(255, 0, 0), Nclx(P3, GAMMA)) == [255, 0, 0]
    assert one(patch(171, 123, 103), Nclx(P3, GAMMA)) == pytest.approx([180, 120, 100], abs=2)


@given(st.integers(0, 255), st.integers(0, 255))
def test_what_is_not_named_is_taken_as_it_is(primaries: int, transfer: int) -> None:
    colours = Nclx(primaries, transfer)
    assert colours.is_srgb == (primaries not in (9, 11, 12) and transfer not in (LINEAR, PQ, HLG))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_search(data: bytes) -> None:
    assert in_file(data) is None or isinstance(in_file(data), Nclx)


def test_the_numbers_are_found_behind_other_boxes() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    colr = box(b"colr", b"nclx" + bytes([0, 12, 0, 13, 0, 1, 0x80]))
    properties = box(b"iprp", box(b"ipco", box(b"ispe", bytes(12)) + colr))
    assert in_file(box(b"ftyp", b"avif0000") + box(b"meta", bytes(4) + box(b"hdlr", bytes(20)) + properties)) == Nclx(
        12, 13
    )
