"""What officers do on pages, by real requests: one name for a face in many photos, spot checks, export, rights."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.recognition.calibration import Calibration
from tests.console.conftest import FILE, NAME
from tests.console.site import Site


def test_one_name_for_the_same_face_in_several_photos(site: Site) -> None:
    officer = site.as_("officer")
    first, second, other = (site.number(n) for n in ("a.jpg", "c.jpg", "b.jpg"))
    faces = {
        i: max(site.item(i)["verdicts"], key=lambda v: v["box"][2] - v["box"][0])["face"]
        for i in (first, second, other)
    }
    text = ""
    for _ in range(30):
        text = officer.get(f"/review/{first}/alike/{faces[first]}").text
        if "Photos left" not in text:
            break
        time.sleep(0.5)
    boxes = re.findall(r'value="(\d+:\d+:\d+)" checked', text)
    assert [b.rpartition(":")[0] for b in boxes] == [f"{first}:{faces[first]}", f"{second}:{faces[second]}"]
    assert f'value="{other}:' not in text
    ticked = {"face": boxes, "person": NAME.upper(), "why": "I know him"}
    answer = officer.post(f"/review/{first}/together", ticked)
    assert answer.status_code == 303 and "named%3A%202" in answer.headers["location"]
    again = officer.post(f"/review/{first}/together", {**ticked, "why": "a colleague's page of before"})
    assert "named%3A%200" in again.headers["location"] and "changed%20by%20somebody" in again.headers["location"]
    named = [e for e in site.log() if e["kind"] == "item.named"]
    assert {e["item"] for e in named} >= {first, second}
    assert all(e["actor"] == "account:officer" and e["body"]["why"] == "I know him" for e in named[-2:])
    data = b"".join(p.read_bytes() for p in (site.school.home / "data").glob("beeldwacht.db*"))
    assert b"embedding" not in data
    site.wait(4)


def test_the_register_page_says_how_well_matching_does_here(site: Site) -> None:
    officer = site.as_("officer")
    assert "beeldwacht calibrate" in officer.get("/register").text
    figures = Calibration(40, 80, 0, 70, 66, {"adult": 6.0}, ()).facts(5.0)
    site.store.journal.note(datetime.now(UTC), "matching.calibrated", "test", {**figures, "pairs": []})
    text = " ".join(officer.get("/register").text.split())
    low, high = figures["95 % interval"]
    wrong = figures["wrong shows per 1,000 photos"]
    assert f"{figures['people']} people: {wrong} wrong shows to expect per 1,000 photos ({low} to {high})" in text


def test_a_denial_needs_a_reason_and_is_remembered_for_the_event(site: Site, samples: Path) -> None:
    officer = site.as_("officer")
    (site.school.inbox / "outing").mkdir()
    small = Image.open(samples / "obama2.jpg").convert("RGB")
    small.thumbnail((600, 600))
    small.save(site.school.inbox / "outing" / "denied.jpg", quality=92)
    site.wait(len(site.store.items.all()) + 1)
    trip = site.number("denied")
    face = next(v for v in site.item(trip)["verdicts"] if v["shown"])["face"]

    def deny(why: str) -> Any:
        page = officer.get(f"/review/{trip}").text
        seen = re.search(r'name="seen" value="(\d+)"', page)
        return officer.post(f"/review/{trip}/act", {"act": f"deny:{face}", "why": why, "seen": seen[1] if seen else ""})

    assert deny("").status_code == 409
    assert site.item(trip)["state"] == "published"
    assert deny("that is his brother").status_code == 303
    site.wait(len(site.store.items.all()))
    after = site.item(trip)
    assert after["state"] == "published" and not any(v["shown"] for v in after["verdicts"])
    assert {v["reason"] for v in after["verdicts"] if v["face"] == face} == {"denied"}


def test_a_spot_check_measures_an_error_rate(site: Site) -> None:
    officer = site.as_("officer")
    officer.get("/audit/spot")
    check = officer.post("/audit/spot", {"size": "4", "of_last": "100"}).headers["location"]
    for mark in ("right", "wrong", "right", "unclear"):
        page = officer.get(check).text
        verdict = re.search(r'name="verdict" value="(\d+)"', page)
        assert verdict and ("Covered on" in page or "Shown on" in page)
        assert officer.post(f"{check}/mark", {"verdict": verdict[1], "mark": mark}).status_code == 303
    assert "33.3 %" in officer.get(check).text  # of three that could be told
    assert officer.post(f"{check}/mark", {"verdict": "999999", "mark": "right"}).status_code == 409
    assert officer.post("/audit/spot", {"size": "x", "of_last": "1"}).status_code == 409


def test_a_selection_of_the_log_is_taken_along_and_that_is_logged(site: Site) -> None:
    officer = site.as_("officer")
    rows = list(csv.reader(io.StringIO(officer.get("/audit/export?as=csv&person=O").content.decode("utf-8-sig"))))
    assert rows[0][:3] == ["number", "at", "kind"] and any("register version" in r[5] for r in rows[1:])
    assert not [c for r in rows for c in r if c.startswith(("=", "+", "-", "@"))]
    assert all(e["kind"] for e in officer.get("/audit/export?as=json&kind=item.decided").json())
    assert officer.get("/audit/export?as=pdf").content.startswith(b"%PDF")
    taken = [e for e in site.log() if e["kind"] == "log.exported"]
    assert [e["body"]["as"] for e in taken[-3:]] == ["csv", "json", "pdf"]
    assert "The log is whole" in officer.post("/audit/verify").text


def test_the_log_is_searched_by_person_file_event_reason_day_and_actor(site: Site) -> None:
    officer, first = site.as_("officer"), site.number("obama2")
    today = datetime.now(UTC).date()
    people = {e["seq"]: e for e in site.log()}

    def found(**asked: object) -> list[dict[str, Any]]:
        taken = officer.get("/audit/export", params={"as": "json", **asked}).json()
        return [e for e in taken if e["kind"] != "log.exported"]  # these lines themselves

    of_first = {e["seq"] for e in people.values() if e["item"] == first}
    assert {e["seq"] for e in found(item=first)} == of_first == {e["seq"] for e in found(file=FILE)}
    assert of_first <= {e["seq"] for e in found(event="trip")} and {e["item"] for e in found(event="trip")} == {first}
    by_id, by_name = ({e["seq"] for e in found(person=who)} for who in ("O", NAME[:8]))
    assert by_id == by_name and by_id & of_first
    denied = found(reason="lesson_without_permission")
    assert denied and all("lesson_without_permission" in json.dumps(e["body"]) for e in denied)
    for key, asked in (("actor", "account:officer"), ("kind", "item.decided")):
        assert {e[key] for e in found(**{key: asked})} == {asked}
    both = found(event="lesson", kind="item.held")
    assert both and {e["kind"] for e in both} == {"item.held"}
    assert found(since=today - timedelta(days=1), until=today + timedelta(days=1))
    assert not found(since=today + timedelta(days=2)) and not found(until=today - timedelta(days=2))
    assert officer.get("/audit/export", params={"as": "json", "person": "nobody at all"}).status_code == 400


def test_the_charts_count_items_and_not_how_often_they_were_published(site: Site) -> None:
    text = " ".join(site.as_("officer").get("/today").text.split())
    entries = [e for e in site.log() if e["kind"] == "item.published"]
    count = len({e["item"] for e in entries})
    assert len(entries) > count  # some were decided anew
    assert re.search(rf"Today: \d+ came in, {count} published", text)
    assert f"Published</strong> {count} in 8 weeks" in text


def test_a_portrait_is_enrolled_or_refused_with_the_reason(site: Site, samples: Path) -> None:
    officer = site.as_("officer")
    officer.get("/register/person/O")

    def send(data: bytes, kind: str = "image/jpeg", **more: str) -> Any:
        return officer.http.post(
            "/register/person/O/portrait",
            data={"csrf": officer.csrf, **more},
            files={"portrait": ("../../x.jpg", data, kind)},
        )

    photo = (samples / "obama2.jpg").read_bytes()
    assert send(photo).status_code == 400  # not said to be given for this purpose
    assert send(b"<svg/>", "image/svg+xml", given="yes").status_code == 400
    before = site.store.templates.counts()["templates"]
    assert send(photo, given="yes").status_code == 303
    assert site.store.templates.counts()["templates"] > before
    refused = send((samples / "t1.jpg").read_bytes(), given="yes")
    assert refused.status_code == 409 and "cannot be used" in refused.text
    kept = sorted(p.name for p in (site.school.home / "register" / "portraits" / "O").iterdir())
    assert len(kept) == 2 and not list(site.school.home.parent.glob("x.jpg"))


def test_everything_held_of_a_person_is_handed_over_and_nothing_of_it_stays(site: Site) -> None:
    officer = site.as_("officer")
    officer.get("/register/person/B")
    answer = officer.post("/register/person/B/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as z:
        assert any(n.endswith("letter.html") for n in z.namelist())
    time.sleep(0.3)
    assert not list((site.school.home / "data").glob("export-*"))


def test_a_person_is_erased_by_the_right_name_only(site: Site) -> None:
    officer = site.as_("officer")
    officer.get("/register/person/B")
    assert officer.post("/register/person/B/erase", {"confirm": NAME}).status_code == 409
    assert officer.get("/register/person/B").status_code == 200
    done = officer.post("/register/person/B/erase", {"confirm": "Name of B"})
    assert done.status_code == 200 and "Receipt" in done.text
    assert officer.get("/register/person/B").status_code == 404
    assert any(e["kind"] == "person.erased" and e["actor"] == "account:officer" for e in site.log())


def test_who_takes_a_copy_is_in_the_log_with_account_and_file(site: Site) -> None:
    communicator = site.as_("communicator")
    number = re.findall(r"/gallery/(\d+)", communicator.get("/gallery?channel=school").text)[0]
    other = re.findall(r"/gallery/(\d+)", communicator.get("/gallery?channel=personal").text)[0]
    before = len([e for e in site.log() if e["kind"] == "publication.downloaded"])
    for _ in range(2):
        assert communicator.get(f"/gallery/{number}/download").status_code == 200
    assert communicator.post("/gallery/zip", {"file": [number, other]}).status_code == 200
    taken = [e for e in site.log() if e["kind"] == "publication.downloaded"][before:]
    assert [(e["actor"], str(e["body"]["rendition"])) for e in taken] == [
        ("account:communicator", number),
        ("account:communicator", other),
    ]
    assert all(len(e["body"]["sha256"]) == 64 and e["item"] for e in taken)
