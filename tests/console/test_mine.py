"""The link for a parent: one person, nobody else's data, no account; report a picture, take consent back."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.likeness import likeness
from models.downloads import manifest as files
from pipeline.console.pages.sign_in import ASSETS, FETCHED
from pipeline.domain.types import Box
from tests.console.site import Site, Visitor
from tests.e2e.test_main_job import drop
from tests.e2e.test_recall import portraits, three
from tests.integration.people.test_asked_for_here import Asked
from tests.support.school import School, person, until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> Iterator[Site]:
    """A photo that shows P1 and P2, and somebody whom nobody knows."""
    files.fetch(ASSETS, FETCHED)
    school = School(tmp_path_factory.mktemp("mine") / "school")
    both = {p: f for p, f in portraits(samples).items() if p in {"P1", "P2"}}
    school.register([{"person_id": "P1"}, {"person_id": "P2", "name": "Secret Somebody"}], both)
    drop(school, "trip/IMG_1.jpg", three(samples), quality=92)
    one = Site(school)
    one.wait(1)
    yield one
    one.close()


def test_a_parent_sees_the_own_child_alone_and_takes_consent_back(home: Site, samples: Path) -> None:
    school = home.school
    path = "/mine/" + school.json("person", "link", "P1", "--by", "B")["link"].rpartition("/")[2]
    verdicts = [v for v in school.json("item", "show", "1")["verdicts"] if v["channel"] == "school"]
    shown = {v["person"]: Box(*v["box"]) for v in verdicts if v["shown"]}
    assert set(shown) == {"P1", "P2"}
    parent = home.visitor()
    text = parent.get(path).text
    assert "Secret Somebody" not in text and "P2" not in text and "Everybody else is covered" in text
    assert "Toestemming intrekken" in Visitor(str(parent.http.base_url), "nl").get(path).text
    pictures = re.findall(rf'src="({path}/\d+)"', text)
    assert len(pictures) == 2  # one on each channel
    answer = parent.get(pictures[0])
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    picture = Image.open(io.BytesIO(answer.content)).convert("RGB").resize(three(samples).size)
    likenesses = {p: likeness(np.asarray(three(samples)), np.asarray(picture), b) for p, b in shown.items()}
    assert likenesses["P1"] > 0.9 and likenesses["P2"] < 0.5
    # Nothing but the own link leads anywhere.
    assert parent.get("/mine/nobody").status_code == 404
    assert parent.get(f"{path}/99999").status_code == 404
    other = "/mine/" + school.json("person", "link", "P2", "--by", "B")["link"].rpartition("/")[2]
    school.json("person", "link", "P2", "--by", "B", "--end")
    assert parent.get(other).status_code == 404

    parent.get(path)
    assert parent.post(f"{path}/withdraw", {"medium": "", "channel": ""}).status_code == 400
    assert parent.http.post(f"{path}/withdraw", data={"sure": "yes"}).status_code == 403  # no token of the page
    assert parent.post(f"{path}/withdraw", {"medium": "photo", "channel": "", "sure": "yes"}).status_code == 303
    until(lambda: school.counts()["published"] == 1 and [e for e in school.log() if e["kind"] == "item.removed"])
    after = {v["person"] for v in school.json("item", "show", "1")["verdicts"] if v["shown"]}
    assert after == {"P2"} and "Nowhere" in parent.get(path).text
    (stopped,) = [e for e in school.log() if e["kind"] == "person.stopped"]
    assert stopped["actor"].startswith("link:") and stopped["body"]["person"] == "P1"


def test_who_asks_too_often_waits(home: Site) -> None:
    link = home.school.json("person", "link", "P2", "--by", "B")["link"]
    path, parent = "/mine/" + link.rpartition("/")[2], home.visitor()
    parent.get(path)
    codes = [parent.post(f"{path}/withdraw", {"medium": "photo"}).status_code for _ in range(12)]
    assert codes[0] == 400 and codes[-1] == 429
    assert "Too many attempts" in parent.post(f"{path}/report", {"file": "1", "what": "look at it"}).text


def test_a_parents_link_ends_with_the_day_before_the_sixteenth_birthday(tmp_path: Path) -> None:
    school = Asked(tmp_path / "s", matching=False)
    sixteen = datetime.now(UTC).date() + timedelta(days=3)
    born = date(sixteen.year - 16, sixteen.month, min(sixteen.day, 28))
    sixteen = born.replace(year=born.year + 16)
    if sixteen <= datetime.now(UTC).date():
        pytest.skip("the last days of a month")
    school.load(person("P1") | {"role": "pupil", "birth_date": born.isoformat(), "signed_by": "parent"}, person("P2"))
    made = school.json("person", "link", "P1", "--days", "60", "--by", "B")
    assert made["expires"][:10] == sixteen.isoformat()
    far = datetime.fromisoformat(school.json("person", "link", "P2", "--days", "60", "--by", "B")["expires"])
    assert far - datetime.now(UTC) > timedelta(days=59)
    assert "1 to 90 days" in school.run("person", "link", "P2", "--days", "91", "--by", "B", ok=False).stderr
