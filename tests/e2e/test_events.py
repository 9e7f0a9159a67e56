"""An event that was described wrongly, corrected by an officer and by its event.toml, with the service running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.school import School, until

BY = ("--by", "Officer One", "--why", "it was another class")


@pytest.fixture
def school(tmp_path: Path, weights: Path, samples: Path) -> Iterator[School]:
    """O is a teacher of class 1A by the register's group, no employee: shown only where 1A was."""
    s = School(tmp_path / "s")
    other = {"role": "other", "group": "1A"}
    s.register([{"person_id": "O", **other}], {"O": [samples / "obama.jpg"]})
    (s.inbox / "trip").mkdir()
    (s.inbox / "trip" / "event.toml").write_text('title = "Trip"\ngroups = ["1A"]\n', encoding="utf-8")
    for name in ("obama2.jpg", "zoom_0.jpg"):
        photo = Image.open(samples / "obama2.jpg").convert("RGB")
        photo.thumbnail((640, 640))
        photo.save(s.inbox / "trip" / name, quality=92 if name == "obama2.jpg" else 90)
    s.start()
    yield s
    s.stop()


def item(school: School, name: str) -> dict[str, object]:
    number = next(e["item"] for e in school.log() if e["kind"] == "item.arrived" and named(school, e["item"]) == name)
    found: dict[str, object] = school.json("item", "show", str(number))
    return found


def named(school: School, number: int) -> str:
    return str(school.json("item", "show", str(number))["name"])


def shown(school: School) -> set[str]:
    return {str(v["person"]) for v in item(school, "obama2.jpg")["verdicts"] if v["shown"]}  # type: ignore[attr-defined]


def test_what_an_event_was_is_corrected_and_everything_decided_anew(school: School) -> None:
    school.wait(2)
    assert shown(school) == {"O"}
    call = item(school, "zoom_0.jpg")  # it asks: is it a distance lesson?
    assert (call["state"], call["reasons"]) == ("held", ["maybe_distance_lesson"])
    school.run("item", "approve", str(call["id"]), *BY)
    school.wait(2)
    assert len(school.published()) == 4

    # Another title takes nothing back; another class does: O was not there, so the likeness is not trusted.
    assert school.json("event", "correct", "trip", "--title", "A trip", *BY) == {"changed": 2, "taken_back": []}
    done = school.json("event", "correct", "trip", "--group", "1B", *BY)
    assert done["changed"] == 2 and len(done["taken_back"]) == 2
    school.wait(2)
    assert shown(school) == set() and len(school.published()) == 4
    assert (school.inbox / "trip" / "event.toml").read_text(encoding="utf-8") == 'title = "A trip"\ngroups = ["1B"]\n'

    # By the file: a lesson without permission is taken back, and waits.
    (school.inbox / "trip" / "event.toml").write_text('kind = "gymles"\ngroups = ["1A"]\n', encoding="utf-8")
    until(lambda: school.counts()["held"] == 2, school.counts)
    assert school.published() == [] and item(school, "obama2.jpg")["reasons"] == ["lesson_without_permission"]
    school.json("event", "correct", "trip", "--permission", "M. Bakker, 1 June", "--redo", *BY)
    until(lambda: school.counts()["published"] == 2, school.counts)
    assert shown(school) == set()  # covered when it was published last: a later yes uncovers nothing by itself

    school.json("event", "correct", "trip", "--redo", *BY)
    until(lambda: school.counts()["published"] == 2 and shown(school) == {"O"}, school.counts)
    kinds = [e for e in school.log() if e["kind"] == "item.event_corrected"]
    assert len(kinds) == 10 and {e["actor"] for e in kinds} == {"Officer One", "inbox"}
    assert "groups: 1A -> 1B" in school.run("log").stdout
    assert school.json("log", "verify")["flaws"] == []
    assert all(not d["differences"] for d in school.json("log", "replay")["decisions"])
