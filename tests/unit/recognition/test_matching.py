"""Rules of matching on vectors that are made for the purpose: what may and may not be named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Box, Detection, Face, MatchResult, Person, Reason, Role, Template, Vector
from pipeline.recognition.matching import ADULT, CHILD, BandRule, EngineScale, MatchSettings, band, match, too_young

ENGINES = ("one", "two")
RULE = BandRule(threshold=12.0, margin=2.0, false_match_rate=1e-6, smallest=20.0, small=40.0, small_extra=3.0)
SETTINGS = MatchSettings(
    engines={"one": EngineScale(0.0, 0.1), "two": EngineScale(0.0, 0.1)},
    adult=RULE,
    child=replace(RULE, threshold=16.0, margin=3.0),
)
POINTS = ((30.0, 30.0), (60.0, 30.0), (45.0, 50.0), (35.0, 70.0), (55.0, 70.0))


def axis(*weights: float) -> Vector:
    """A unit vector with these first components."""
    vector = np.zeros(8, np.float32)
    vector[: len(weights)] = weights
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def face(index: int, vector: Vector, size: float = 80.0) -> Face:
    found = Detection(Box(10, 10, 10 + size, 10 + size), 0.9, POINTS, ("yunet",))
    return Face(index, found, dict.fromkeys(ENGINES, vector))


def person(name: str, vector: Vector, portrait: str = "1") -> list[Template]:
    return [Template(name, name + portrait, engine, vector) for engine in ENGINES]


ANNA, BELLA, CARLA = axis(1), axis(0, 1), axis(0, 0, 1)
ADULTS = {"anna": ADULT, "bella": ADULT, "carla": ADULT}


def names(sightings: tuple[MatchResult, ...]) -> list[str | None]:
    return [s.person_id for s in sightings]


def test_each_face_gets_its_own_name() -> None:
    faces = [face(0, axis(0, 1, 0.2)), face(1, axis(1, 0, 0.2))]
    found = match(faces, person("anna", ANNA) + person("bella", BELLA), ADULTS, SETTINGS)
    assert names(found) == ["bella", "anna"]
    assert [s.reason for s in found] == [None, None]
    first = found[0]
    assert first.score is not None and first.threshold == 12.0 and first.score >= 12.0
    assert first.engine_scores["one"] == pytest.approx(float(axis(0, 1, 0.2) @ BELLA), abs=1e-6)
    assert (first.margin, first.false_match_rate, first.band) == (2.0, 1e-6, ADULT)


def test_a_stranger_is_unknown_and_the_closest_is_told() -> None:
    (found,) = match([face(0, axis(0.5, 0.3, 1))], person("anna", ANNA) + person("bella", BELLA), ADULTS, SETTINGS)
    assert (found.person_id, found.reason, found.candidate) == (None, Reason.UNKNOWN_PERSON, "anna")


def test_between_two_siblings_nobody_is_named() -> None:
    sisters = person("anna", axis(1, 0.1)) + person("bella", axis(1, -0.1))
    (found,) = match([face(0, axis(1, 0.02))], sisters, ADULTS, SETTINGS)
    assert found.reason == Reason.AMBIGUOUS


def test_twins_in_one_photo_are_both_covered_even_when_only_one_is_enrolled() -> None:
    found = match([face(0, axis(1, 0.1)), face(1, axis(1, -0.1))], person("anna", ANNA), ADULTS, SETTINGS)
    assert [s.reason for s in found] == [Reason.TWICE_IN_PHOTO] * 2


def test_the_clearly_closer_of_two_faces_is_named_and_the_other_is_not() -> None:
    found = match([face(0, axis(1, 0.05)), face(1, axis(1, 1.2))], person("anna", ANNA), ADULTS, SETTINGS)
    assert names(found) == ["anna", None]


def test_children_need_more_and_an_unlisted_age_is_a_childs() -> None:
    seen = [face(0, axis(1, 1))]  # 7.07 per engine: 14.1
    assert names(match(seen, person("anna", ANNA), {"anna": ADULT}, SETTINGS)) == ["anna"]
    for bands in ({"anna": CHILD}, {}, {"anna": "grown-up"}):
        (found,) = match(seen, person("anna", ANNA), bands, SETTINGS)
        assert (found.person_id, found.reason, found.band) == (None, Reason.UNKNOWN_PERSON, CHILD)


def test_small_faces_need_more_and_very_small_ones_are_not_matched() -> None:
    seen = axis(1, 1)  # 14.1 against 12, and against 15 at 20 pixels
    results = {
        size: match([face(0, seen, size)], person("anna", ANNA), ADULTS, SETTINGS)[0] for size in (80, 40, 21, 19)
    }
    assert [results[size].person_id for size in (80, 40)] == ["anna", "anna"]
    assert results[21].reason == Reason.UNKNOWN_PERSON
    assert results[19].reason == Reason.TOO_SMALL
    (odd,) = match([face(0, ANNA, float("nan"))], person("anna", ANNA), ADULTS, SETTINGS)
    assert odd.person_id is None


def test_a_list_of_a_few_people_needs_more() -> None:
    settings = replace(SETTINGS, adult=replace(RULE, few=3, few_extra=5.0))
    seen, three = [face(0, axis(1, 0, 0, 1))], person("anna", ANNA) + person("bella", BELLA) + person("carla", CARLA)
    assert names(match(seen, three, ADULTS, settings)) == ["anna"]
    (found,) = match(seen, three[:4], ADULTS, settings)
    assert found.person_id is None and found.threshold == 17.0


def test_a_face_that_an_engine_could_not_describe_is_not_compared() -> None:
    half = replace(face(0, ANNA), embeddings={"one": ANNA})
    (found,) = match([half], person("anna", ANNA), ADULTS, SETTINGS)
    assert found == MatchResult(0, None, Reason.NOT_COMPARED)
    (bare,) = match([replace(half, embeddings={})], [], ADULTS, SETTINGS)
    assert bare.reason == Reason.NOT_COMPARED


def test_someone_with_a_template_of_one_engine_only_is_no_candidate() -> None:
    (found,) = match([face(0, ANNA)], person("anna", ANNA)[:1], ADULTS, SETTINGS)
    assert (found.person_id, found.reason) == (None, Reason.UNKNOWN_PERSON)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_never_match(bad: float) -> None:
    broken = ANNA.copy()
    broken[3] = bad
    (found,) = match([face(0, broken)], person("anna", ANNA), ADULTS, SETTINGS)
    assert found.reason == Reason.NOT_COMPARED
    (found,) = match([face(0, ANNA)], person("anna", broken), ADULTS, SETTINGS)
    assert found.reason == Reason.UNKNOWN_PERSON
    both = person("anna", ANNA) + person("anna", broken, "2")
    assert match([face(0, ANNA)], both, ADULTS, SETTINGS)[0].person_id is None


@pytest.mark.parametrize("field", ["threshold", "margin", "smallest"])
def test_a_rule_that_is_no_number_names_nobody(field: str) -> None:
    settings = replace(SETTINGS, adult=replace(RULE, **{field: float("nan")}))
    everyone = person("anna", ANNA) + person("bella", BELLA)
    assert match([face(0, ANNA)], everyone, ADULTS, settings)[0].person_id is None


def test_vectors_of_another_length_or_scale_are_not_compared() -> None:
    for odd in (np.ones(5, np.float32) / np.sqrt(5), ANNA * 3, ANNA * 0):
        (found,) = match([face(0, odd.astype(np.float32))], person("anna", ANNA), ADULTS, SETTINGS)
        assert found.reason == Reason.NOT_COMPARED


def test_an_empty_photo_and_an_empty_gallery() -> None:
    assert match([], person("anna", ANNA), ADULTS, SETTINGS) == ()
    assert match([face(7, ANNA)], [], {}, SETTINGS) == (MatchResult(7, None, Reason.UNKNOWN_PERSON),)


def test_who_is_younger_than_four_is_too_young_to_be_matched() -> None:
    born = Person("anna", "Anna", Role.PUPIL, (), date(2022, 11, 2))
    assert too_young(born, date(2026, 11, 1))
    assert not too_young(born, date(2026, 11, 2))
    leap = replace(born, birth_date=date(2024, 2, 29))
    assert too_young(leap, date(2028, 2, 28)) and not too_young(leap, date(2028, 2, 29))
    assert too_young(replace(born, birth_date=None, sixteen_on=date(2038, 11, 2)), date(2026, 11, 1))
    assert not too_young(replace(born, birth_date=None), date(2026, 11, 1))


def test_the_band_turns_on_the_sixteenth_birthday() -> None:
    def born(day: date | None) -> Person:
        return Person("p", "P", Role.PUPIL, (), day)

    assert band(born(date(2010, 11, 2)), date(2026, 11, 1)) == CHILD
    assert band(born(date(2010, 11, 2)), date(2026, 11, 2)) == ADULT
    assert band(born(date(2008, 2, 29)), date(2024, 2, 28)) == CHILD
    assert band(born(date(2008, 2, 29)), date(2024, 2, 29)) == ADULT
    assert band(born(None), date(2026, 11, 2)) == CHILD


# --- properties -----------------------------------------------------------------------------------------------


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Face], list[Template], dict[str, str]]:
    """People of whom some look alike, one to three portraits each, and a photo of some of them and of strangers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 5))
    centres = rng.normal(size=(count + 2, 8))
    for i in range(1, count):
        if draw(st.booleans()):
            centres[i] = centres[i - 1] + 0.3 * rng.normal(size=8)

    def seen(who: int) -> Vector:
        spread = draw(st.sampled_from((0.02, 0.1, 0.3)))
        vector = centres[who] / np.linalg.norm(centres[who]) + spread * rng.normal(size=8)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    gallery = [
        template
        for who in range(count)
        for portrait in range(draw(st.integers(1, 3)))
        for template in person(f"p{who}", seen(who), str(portrait))
    ]
    faces = [
        face(i, seen(draw(st.integers(0, count + 1))), draw(st.sampled_from((15.0, 30.0, 90.0))))
        for i in range(draw(st.integers(1, 6)))
    ]
    bands = {f"p{who}": draw(st.sampled_from((ADULT, CHILD))) for who in range(count)}
    return faces, gallery, bands


@given(scenes(), st.randoms(use_true_random=False))
def test_order_means_nothing(
    scene: tuple[list[Face], list[Template], dict[str, str]], random: np.random.Generator
) -> None:
    faces, gallery, bands = scene
    straight = {s.face: s for s in match(faces, gallery, bands, SETTINGS)}
    other_faces, other_gallery = faces[:], gallery[:]
    random.shuffle(other_faces)  # type: ignore[arg-type]
    random.shuffle(other_gallery)  # type: ignore[arg-type]
    assert {s.face: s for s in match(other_faces, other_gallery, bands, SETTINGS)} == straight


@given(scenes())
def test_a_person_is_named_at_most_once_and_a_name_has_figures_that_hold(
    scene: tuple[list[Face], list[Template], dict[str, str]],
) -> None:
    found = match(*scene, SETTINGS)
    assert [s.face for s in found] == [f.index for f in scene[0]]
    named = [s for s in found if s.person_id is not None]
    assert len({s.person_id for s in named}) == len(named)
    for s in found:
        assert (s.person_id is None) == (s.reason is not None)
    for s in named:
        assert s.score is not None and s.threshold is not None and s.margin is not None
        assert s.score >= s.threshold
        assert s.runner_up is None or s.score - s.runner_up >= s.margin


@given(scenes(), scenes(), st.floats(0, 0.3))
def test_adding_someone_never_gives_a_name_to_somebody_else(
    scene: tuple[list[Face], list[Template], dict[str, str]],
    other: tuple[list[Face], list[Template], dict[str, str]],
    distance: float,
) -> None:
    faces, gallery, bands = scene
    before = names(match(faces, gallery, bands, SETTINGS))
    alike = faces[0].embeddings["one"] + np.float32(distance) * other[0][0].embeddings["one"]
    new = person("new", np.asarray(alike / np.linalg.norm(alike), np.float32))
    after = names(match(faces, gallery + new, {**bands, "new": ADULT}, SETTINGS))
    assert all(now in (then, None, "new") for then, now in zip(before, after, strict=True))


@given(scenes(), scenes())
def test_adding_a_face_never_gives_a_name_to_another(
    scene: tuple[list[Face], list[Template], dict[str, str]], other: tuple[list[Face], list[Template], dict[str, str]]
) -> None:
    faces, gallery, bands = scene
    before = names(match(faces, gallery, bands, SETTINGS))
    more = [*faces, replace(other[0][0], index=len(faces))]
    after = names(match(more, gallery, bands, SETTINGS))[:-1]
    assert all(now in (then, None) for then, now in zip(before, after, strict=True))


@given(scenes(), st.floats(0, 10), st.floats(0, 5), st.floats(0, 50))
def test_stricter_rules_never_add_a_name(
    scene: tuple[list[Face], list[Template], dict[str, str]], threshold: float, margin: float, smallest: float
) -> None:
    def harder(rule: BandRule) -> BandRule:
        size = rule.smallest + smallest
        return replace(
            rule,
            threshold=rule.threshold + threshold,
            margin=rule.margin + margin,
            smallest=size,
            small=rule.small + smallest,
        )

    before = names(match(*scene, SETTINGS))
    strict = replace(SETTINGS, adult=harder(RULE), child=harder(SETTINGS.child))
    after = names(match(*scene, strict))
    assert all(now in (then, None) for then, now in zip(before, after, strict=True))


@given(scenes(), st.integers(0, 7), st.sampled_from((float("nan"), float("inf"))), st.booleans())
def test_a_broken_vector_is_never_named(
    scene: tuple[list[Face], list[Template], dict[str, str]], place: int, bad: float, of_face: bool
) -> None:
    faces, gallery, bands = scene
    if of_face:
        vector = faces[0].embeddings["two"].copy()
        vector[place] = bad
        broken = replace(faces[0], embeddings={**faces[0].embeddings, "two": vector})
        assert match([broken, *faces[1:]], gallery, bands, SETTINGS)[0].reason == Reason.NOT_COMPARED
    else:
        vector = gallery[0].vector.copy()
        vector[place] = bad
        found = match(faces, [replace(gallery[0], vector=vector), *gallery[1:]], bands, SETTINGS)
        assert gallery[0].person_id not in names(found)
