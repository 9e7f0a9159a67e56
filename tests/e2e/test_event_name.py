"""Naming the unknown faces of an event once each, and calibrating, on a real installation."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.support.school import COMMAND, School


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> School:
    """O has no portrait, so nobody knows him in his three photos; B has one."""
    s = School(tmp_path_factory.mktemp("event") / "s")
    s.register([{"person_id": "O"}, {"person_id": "B"}], {"B": [samples / "biden.jpg"]})
    (s.inbox / "visit").mkdir()
    for name in ("obama", "obama2", "obama3"):
        Image.open(samples / f"{name}.jpg").convert("RGB").save(s.inbox / "visit" / f"{name}.jpg", quality=92)
    s.run("process", ok=False)
    return s


def answer(school: School, *lines: str) -> tuple[dict[str, int], str]:
    done = subprocess.run(
        [*COMMAND, "event", "name", "visit", "--by", "Officer", "--redo", "--json"],
        cwd=school.home,
        env=school.env,
        input="\n".join([*lines, ""]),
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_one_answer_names_the_same_face_in_all_photos_and_it_is_shown(school: School) -> None:
    said, asked = answer(school, "NOBODY", "O")
    assert said["decisions"] == 1 and said["faces"] == 3
    assert "NOBODY is not in the register" in asked
    assert not list((school.home / "data").glob("sheets-*")), "the sheets show faces: they are gone"
    names = [e for e in school.log() if e["kind"] == "item.named"]
    assert len(names) == 3 and sum(e["kind"] == "original.viewed" for e in school.log()) >= 3
    school.run("process", ok=False)
    items = {e["item"] for e in names}
    for number in items:
        verdicts = school.json("item", "show", str(number))["verdicts"]
        assert any(v["shown"] and v["person"] == "O" for v in verdicts)
    again, _ = answer(school)
    assert again["clusters"] < said["clusters"], "who has a name is not offered again"


def test_an_event_without_photos_is_said(school: School) -> None:
    done = school.run("event", "name", "nothing", "--by", "Officer", ok=False)
    assert done.returncode == 1 and "no decided photos" in done.stderr


def test_calibrating_needs_two_people(school: School) -> None:
    done = school.run("calibrate", ok=False)
    assert done.returncode == 1 and "fewer than two" in done.stderr
