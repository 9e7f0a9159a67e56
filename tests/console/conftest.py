"""One real installation with its service and its console for all tests of this folder, with hostile names in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from models.downloads import manifest as files
from pipeline.console.pages.sign_in import ASSETS, FETCHED
from tests.console.browsing import CHROMIUM, FLAGS
from tests.console.site import Site
from tests.e2e.test_films import film
from tests.support.films import make
from tests.support.school import School

NAME = "Kim <b>Jansen</b><script>alert(1)</script>"
TITLE = "<script>alert('title')</script>"
FILE = "obama2 \"onerror=alert(2)'&amp;.jpg"


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path, speech: Path) -> Iterator[Site]:
    """Person O may be shown, B on the school's channel only; a lesson without permission is held."""
    files.fetch(ASSETS, FETCHED)
    school = School(tmp_path_factory.mktemp("console") / "school")
    school.register(
        [
            {"person_id": "O", "name": NAME, "group": "1A"},
            {"person_id": "B", "photo_personal": "no", "group": "1B"},
            {"person_id": "E", "name": "Erik Eind", "group": "1B"},
        ],
        {"O": [samples / "obama.jpg"]},
    )
    lesson = {"a.jpg": "obama3.jpg", "b.jpg": "biden.jpg", "c.jpg": "obama.jpg"}
    events = {"trip": {FILE: "obama2.jpg"}, "lesson": lesson}
    for event, photos in events.items():
        (school.inbox / event).mkdir()
        for name, photo in photos.items():
            small = Image.open(samples / photo).convert("RGB")
            small.thumbnail((640, 640))
            small.save(school.inbox / event / name, quality=92)
    (school.inbox / "lesson" / "event.toml").write_text(f'kind = "lesson"\ntitle = "{TITLE}"\n', encoding="utf-8")
    one = Site(school)
    one.wait(4)
    (school.inbox / "concert").mkdir()
    (school.inbox / "concert" / "event.toml").write_text('kind = "lesson"\n', encoding="utf-8")
    people = [samples / "obama2.jpg", samples / "biden.jpg"]
    film(school.inbox / "concert" / "song.mp4", people, seconds=2, sound=speech)
    make(school.inbox / "concert" / "clip.avi", "-c:v", "mpeg4", sound=False)
    one.wait(6)
    yield one
    one.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each test has a context of its own."""
    with sync_playwright() as p:
        one = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()
