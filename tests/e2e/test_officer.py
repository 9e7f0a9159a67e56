"""What an officer does by hand, on a real installation: covers, denials, approval, refusal, incidents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.likeness import likeness
from pipeline import config
from pipeline.app import App
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box
from pipeline.errors import Conflict
from pipeline.officer import actions
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.store.review import ReviewError
from tests.support.school import School

LESSON = 'kind = "lesson"\n'
BY = ("--by", "Officer One")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> School:
    """Person O is shown; a lesson without permission is held."""
    s = School(tmp_path_factory.mktemp("officer") / "s")
    s.register([{"person_id": "O"}], {"O": [samples / "obama.jpg"]})
    for event, photos in {"trip": ("obama2.jpg",), "lesson": ("biden.jpg", "obama3.jpg")}.items():
        (s.inbox / event).mkdir()
        for name in photos:
            Image.open(samples / name).convert("RGB").save(s.inbox / event / name, quality=92)
    (s.inbox / "lesson" / "event.toml").write_text(LESSON, encoding="utf-8")
    s.run("process", ok=False)
    return s


@pytest.fixture
def app(school: School) -> Iterator[App]:
    one = App(config.load(school.home / "beeldwacht.toml"))
    yield one
    one.close()


def item(school: School, name: str) -> int:
    return next(e["item"] for e in school.log() if e["kind"] == "item.arrived" and name in _names(school, e["item"]))


def _names(school: School, number: int) -> str:
    return str(school.json("item", "show", str(number))["name"])


def test_an_approval_lifts_the_lesson_and_nothing_else(school: School, app: App) -> None:
    number = item(school, "biden")
    assert app.store.items.get(number).state is State.HELD  # type: ignore[union-attr]
    with pytest.raises(ReviewError, match="No reason"):
        actions.approve(app.context, number, "officer", "  ")
    seen = app.store.review.version(number)
    actions.approve(app.context, number, "officer one", "the teacher allowed it", seen)
    with pytest.raises(Conflict, match="somebody else"):
        actions.reject(app.context, number, "officer two", "I would rather not", seen)
    school.run("process", ok=False)
    assert app.store.items.get(number).state is State.PUBLISHED  # type: ignore[union-attr]
    kinds = [(e["kind"], e["actor"]) for e in school.log("--item", str(number))]
    assert ("item.approved", "officer one") in kinds and not any(k == "item.rejected" for k, _ in kinds)


def test_a_refusal_is_for_good(school: School, app: App) -> None:
    number = item(school, "obama3")
    school.run("item", "reject", str(number), *BY, "--why", "a child in distress")
    assert app.store.items.get(number).state is State.REJECTED  # type: ignore[union-attr]
    with pytest.raises(ReviewError, match="rejected"):
        actions.approve(app.context, number, "officer", "on second thoughts")


def test_a_denial_and_a_drawn_region_cover_what_was_published(school: School, app: App, samples: Path) -> None:
    number = item(school, "obama2")
    face = next(v for v in app.store.items.verdict_rows(number) if v["shown"])
    where = box_in(face["box"])
    original = np.asarray(Image.open(samples / "obama2.jpg").convert("RGB"))
    path = school.publish / "school" / "trip" / "obama2.jpg"
    assert likeness(original, np.asarray(Image.open(path)), where) > 0.8
    assert actions.deny(app.context, number, face["face"], "officer", "that is his brother") is State.QUEUED
    assert not path.exists()  # at once, before it is decided again
    corner = Box(5, 5, 65, 65)
    actions.cover(app.context, number, AnnotationKind.REGION, corner, "officer", "a name tag")
    school.run("process", ok=False)
    again = np.asarray(Image.open(path))
    assert likeness(original, again, where) < 0.5
    assert np.abs(again[5:65, 5:65].astype(int) - original[5:65, 5:65]).mean() > 1.5
    rows = [v for v in app.store.items.verdict_rows(number) if v["face"] == face["face"]]
    assert {v["reason"] for v in rows} == {"denied"}
    assert school.json("log", "verify")["flaws"] == []
    assert all(not d["differences"] for d in school.json("log", "replay")["decisions"])


def test_a_problem_withdraws_at_once_and_opens_an_incident(school: School, app: App) -> None:
    number = item(school, "obama2")
    assert app.store.items.get(number).state is State.PUBLISHED  # type: ignore[union-attr]
    assert actions.report_problem(app.context, number, "communicator", "shows an address")
    assert app.store.items.get(number).state is State.WITHDRAWN  # type: ignore[union-attr]
    assert not any("obama2" in p for p in school.published())
    (incident,) = app.store.review.incidents(open_only=True)
    assert (incident.item_id, incident.what) == (number, "shows an address")
    app.store.review.close_incident(app.context.clock(), "officer", incident.id, "an old address: nothing to do")
    assert app.store.review.incidents(open_only=True) == []
    assert not actions.report_problem(app.context, number, "communicator", "once more")


def test_doubt_has_a_place_and_a_report_can_be_a_misunderstanding(school: School, app: App, samples: Path) -> None:
    """A question holds what is not published yet; the answer lets it go, or refuses it."""
    (school.inbox / "doubt").mkdir()
    for name, photo in (("may.jpg", "obama2.jpg"), ("may_not.jpg", "biden.jpg")):
        Image.open(samples / photo).convert("RGB").resize((480, 480)).save(school.inbox / "doubt" / name, quality=90)
    (school.inbox / "doubt" / "event.toml").write_text(LESSON, encoding="utf-8")  # held: nothing is published yet
    school.run("process", ok=False)
    yes, no = (item(school, n) for n in ("may.jpg", "may_not.jpg"))
    asked = [school.json("question", "ask", str(n), "Should this go out?", *BY)["question"] for n in (yes, no)]
    school.run("event", "correct", "doubt", "--kind", "sports", *BY, "--why", "a sports day")
    school.run("process", ok=False)
    for number in (yes, no):
        found = app.store.items.get(number)
        assert found is not None and (found.state, found.reasons) == (State.HELD, ("question_open",))
    assert [q["asked"] for q in school.json("question", "list")] == ["Should this go out?"] * 2
    school.run("question", "answer", str(asked[0]), "his parents saw it", *BY)
    school.run("question", "answer", str(asked[1]), "he is in distress", "--refuse", *BY)
    school.run("process", ok=False)
    states = {n: app.store.items.get(n).state for n in (yes, no)}  # type: ignore[union-attr]
    assert states == {yes: State.PUBLISHED, no: State.REJECTED} and school.json("question", "list") == []

    before = [p for p in school.published() if "may" in p]
    app.store.places.note(app.context.clock(), "teacher", yes, "school", "", "the newsletter")
    assert actions.report_problem(app.context, yes, "account:teacher", "another child, I think")
    assert not [p for p in school.published() if "may" in p] and app.store.places.all(open_only=True)
    (incident,) = [i for i in app.store.review.incidents(open_only=True) if i.item_id == yes]
    school.run("question", "undo-report", str(incident.id), *BY, "--why", "it was another child")
    school.run("process", ok=False)
    assert [p for p in school.published() if "may" in p] == before
    assert app.store.places.all(open_only=True) == []
    kinds = [e["kind"] for e in school.log() if e.get("item") == yes]
    assert {"question.asked", "question.answered", "incident.undone"} <= set(kinds)
    assert school.json("log", "verify")["flaws"] == []
