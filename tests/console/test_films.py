"""A film in the review queue, in a real browser: played with its faces over it, decided per face, published, shown."""

from __future__ import annotations

import hashlib
import io
import re
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from bench.likeness import likeness
from tests.console.browsing import NEEDED, access_key, opened
from tests.console.site import Site
from tests.e2e.test_films import frames, where

pytestmark = NEEDED


def now(page: Page) -> float:
    return float(page.evaluate("document.getElementById('film').currentTime"))


def until(page: Page, said: str) -> None:
    """Wait until the page says so. (Playwright's own way evaluates text in the page, which its policy forbids.)"""
    for _ in range(200):
        if page.evaluate(said):
            return
        page.wait_for_timeout(50)
    raise AssertionError(said)


def left(page: Page, face: int) -> float:
    return float(page.locator(f"#board [data-track='{face}'] rect").get_attribute("x") or "nan")


def by_person(site: Site, number: int) -> dict[bool, int]:
    """The numbers of the face that is shown, and of the one that is not."""
    return {v["shown"]: v["face"] for v in site.item(number)["verdicts"]}


def test_a_film_plays_with_its_faces_over_it_and_a_timeline(browser: Browser, site: Site) -> None:
    number = site.number("song")
    face = by_person(site, number)
    page = opened(browser, site, "officer")
    page.goto(f"/review/{number}")
    expect(page.locator("video")).to_have_attribute("src", f"/review/{number}/film")
    until(page, "document.getElementById('film').readyState >= 2")

    path = page.request.get(f"/review/{number}/paths").json()["paths"][face[True]]
    assert left(page, face[True]) == path[0][1]
    access_key(page, "p")
    until(page, "document.getElementById('film').currentTime > 0.7")
    access_key(page, "p")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    camera = 20 * now(page)  # two pixels a frame, ten frames a second: what stands still moves to the left
    assert abs(left(page, face[True]) - (path[0][1] - camera)) < 12
    best = page.locator(f"#face-{face[False]} [data-seek]")
    best.click()
    moment = best.get_attribute("data-seek")
    until(page, f"Math.abs(document.getElementById('film').currentTime - {moment}) < 0.1")

    expect(page.locator(".timeline tbody tr")).to_have_count(5)  # two faces, speech, two channels
    assert page.locator(".lane rect.muted").count() >= 2
    expect(page.locator(".board")).to_contain_text("nobody has said yet who speaks in it")
    page.context.close()


def test_an_officer_says_who_a_track_is_who_it_is_not_and_who_can_be_heard(browser: Browser, site: Site) -> None:
    number = site.number("song")
    face = by_person(site, number)
    page = opened(browser, site, "officer")
    page.goto(f"/review/{number}")
    page.fill("#why", "I know her")
    page.locator(f"#person-{face[False]}").press_sequentially("name of")
    found = page.locator(f"#found-{face[False]} button", has_text="Name of B")
    expect(found.locator("xpath=..")).to_contain_text("school: may be shown")
    found.click()
    expect(page.locator("main")).to_contain_text("Noted. The file is decided again.")
    page.fill("#why", "it is his brother")
    page.locator(f"#face-{face[True]}").get_by_role("button", name="This is not Kim").click()
    expect(page.locator(".done")).to_contain_text("Not Kim <b>Jansen</b>")
    speakers = page.locator("details", has=page.locator("#speakers"))
    if speakers.get_attribute("open") is None:
        speakers.locator("summary").click()
    page.fill("#why", "I was there")
    page.fill("#speakers", "B, nobody of this name")
    page.click("button[value=speakers]")
    expect(page.locator("main > [role=alert]")).to_contain_text("Nobody in the register has the name or id nobody of")
    expect(page.locator("#speakers")).to_have_value("B, nobody of this name")  # what was typed is still there
    page.fill("#speakers", "name of B")
    page.click("button[value=speakers]")
    expect(page.locator("details", has=page.locator("#speakers"))).to_contain_text("Said: Name of B (B)")
    site.wait(6)

    verdicts = site.item(number)["verdicts"]
    named, denied = ([v for v in verdicts if v["face"] == face[f]] for f in (False, True))
    assert {(v["shown"], v["person"], v["named_by"]) for v in named} == {(True, "B", "account:officer")}
    assert {(v["shown"], v["reason"]) for v in denied} == {(False, "denied")}
    said = site.store.hand_names.speakers(number)
    assert said is not None and said.people == {"B"}
    plans = site.store.read_models.sounds(number)  # it was silent: nobody knew who speaks
    assert {(p["mode"], p["reason"]) for p in plans.values()} == {("keep", "all_agreed")}
    acts = [e for e in site.log(number) if e["kind"] in {"item.named", "item.marked", "item.speakers"}]
    assert [(e["actor"], e["body"]["why"]) for e in acts] == [
        ("account:officer", why) for why in ("I know her", "it is his brother", "I was there")
    ]
    page.context.close()


def test_one_click_answers_for_everybody_who_speaks(browser: Browser, site: Site) -> None:
    number = site.number("song")
    page = opened(browser, site, "officer")
    page.goto(f"/review/{number}?which=sound")
    heard = page.locator("fieldset.heard")
    expect(heard.get_by_label("Name of B (school, personal)")).to_be_checked()
    page.fill("#why", "I made this film")
    heard.get_by_role("button", name="Everybody who speaks here may be heard").click()
    expect(page.locator("main")).to_contain_text("nobody else speaks")
    site.wait(6)
    said = site.store.hand_names.speakers(number)
    assert said is not None and said.only and "B" in said.people
    plans = site.store.read_models.sounds(number)
    assert {(p["mode"], p["reason"]) for p in plans.values()} == {("keep", "answered_for")}
    page.context.close()


def test_who_can_be_heard_in_a_recording_is_said_on_its_page(browser: Browser, site: Site, speech: Path) -> None:
    folder = site.school.inbox / "radio"
    folder.mkdir()
    with wave.open(str(speech)) as whole, wave.open(str(folder / "talk.wav"), "wb") as cut:
        cut.setparams((1, 2, whole.getframerate(), 0, "NONE", ""))
        cut.writeframes(whole.readframes(2 * whole.getframerate()))
    site.wait(len(site.store.items.all()) + 1)
    number = site.number("talk")
    assert site.item(number)["reasons"] == ["speakers_unknown"]
    page = opened(browser, site, "officer", "nl")
    page.goto(f"/review/{number}")
    until(page, "document.getElementById('film').readyState >= 1")  # the original can be listened to
    page.fill("#why", "ik was erbij")
    page.fill("#speakers", "B")
    page.get_by_role("button", name="Deze mensen zijn te horen").click()
    site.wait(len(site.store.items.all()))
    assert site.item(number)["state"] == "published"
    page.goto("/gallery?event=radio")
    page.get_by_role("link", name="talk").click()
    until(page, "document.querySelector('main audio').readyState >= 1")
    page.context.close()


def test_an_officer_decides_per_face_and_for_seconds_and_the_film_follows(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    number = site.number("song")
    before, face = site.item(number), by_person(site, number)
    page = opened(browser, site, "officer")
    page.goto(f"/review/{number}")
    page.click("#draw summary")
    for field, value in {"left": 300, "top": 20, "right": 360, "bottom": 80, "from": "0,5", "until": "1.0"}.items():
        page.fill(f"#{field}", str(value))
    page.fill("#why", "a name can be read")
    page.click("button[value=region]")
    expect(page.locator(".done").last).to_contain_text("0:00.5 - 0:01.0")
    site.wait(6)
    page.goto(f"/review/{number}")
    old = {"act": "approve", "why": "I would let it go", "seen": page.input_value("input[name=seen]")}
    page.fill("#why", "asked for by a parent")
    page.click(f"button[value='cover:{face[True]}']")
    expect(page.locator(".done")).to_have_count(3)  # with the denial of before
    site.wait(6)
    assert not any(v["shown"] for v in site.item(number)["verdicts"])
    officer = site.as_("officer")
    officer.get(f"/review/{number}")
    assert officer.post(f"/review/{number}/act", old).status_code == 409  # another officer's page of before
    page.goto(f"/review/{number}")
    page.fill("#why", "the teacher allowed it")
    access_key(page, "a")
    expect(page.get_by_text("Approved: it is decided")).to_be_visible()
    site.wait(6)
    assert site.item(number)["state"] == "published"

    original = tmp_path / "song.mp4"
    original.write_bytes(site.as_("officer").get(f"/review/{number}/film").content)
    first, second = (frames(p)[1] for p in (original, site.school.publish / "school" / "concert" / "song.mp4"))
    verdict = next(v for v in before["verdicts"] if v["face"] == face[True])
    assert max(likeness(a, b, where(verdict, n)) for n, (a, b) in enumerate(zip(first, second, strict=True))) < 0.5
    changed = [
        float(np.abs(a[20:80, 300:360].astype(int) - b[20:80, 300:360]).mean())
        for a, b in zip(first, second, strict=True)
    ]
    assert min(changed[5:10]) > 2 * max(changed[:5] + changed[10:]) > 0

    page.goto(f"/review/{number}")  # the covered film is what is offered now, and the gallery shows a moment of it
    expect(page.locator("video")).to_have_attribute("src", re.compile(r"^/gallery/\d+/download$"))
    until(page, "document.getElementById('film').readyState >= 2")
    page.goto("/gallery?event=concert")
    tile = page.request.get(page.locator("#files a.moving img").first.get_attribute("src") or "")
    with Image.open(io.BytesIO(tile.body())) as small:
        assert small.format == "JPEG" and max(small.size) <= 360
        assert small.convert("L").getextrema()[1] > 100  # not a black one
    assert not list((site.school.home / "data").rglob("*.jpg"))  # what is withdrawn later leaves no thumbnail behind
    page.context.close()


def test_the_original_of_a_film_comes_in_pieces_is_kept_nowhere_and_each_look_is_logged(site: Site) -> None:
    number = site.number("song")
    site.as_("officer")
    other = site.visitor()
    other.get("/login")
    other.post("/login", {"name": "officer", "password": "a long enough sentence"})
    whole = other.get(f"/review/{number}/film")
    piece = other.get(f"/review/{number}/film", headers={"range": "bytes=100-299"})
    assert (whole.status_code, piece.status_code) == (200, 206)
    assert hashlib.sha256(whole.content).hexdigest() == site.item(number)["sha256"]
    for wanted, status in (("bytes=-5", 206), ("bytes=9999999999-", 416), ("bytes=9-3", 416), ("lines=1-2", 416)):
        assert other.get(f"/review/{number}/film", headers={"range": wanted}).status_code == status
    assert piece.headers["content-range"] == f"bytes 100-299/{len(whole.content)}"
    assert piece.content == whole.content[100:300] and piece.headers["content-type"] == "video/mp4"
    assert (
        piece.headers["cache-control"] == "no-store, private"
        and "default-src 'none'" in piece.headers["content-security-policy"]
    )
    looks = [e["actor"] for e in site.log(number) if e["kind"] == "original.viewed"]
    assert "account:officer" in looks and set(looks) <= {"account:officer", "account:all"}  # all of them officers
    for role in ("communicator", "uploader", "administrator"):
        assert site.as_(role).get(f"/review/{number}/film").status_code == 404
        assert site.as_(role).get(f"/review/{number}/paths").status_code == 404


def test_a_film_that_no_browser_plays_is_shown_in_stills(site: Site) -> None:
    number = site.number("clip")
    officer = site.as_("officer")
    assert officer.get(f"/review/{number}/film").status_code == 404
    text = officer.get(f"/review/{number}?at=0.6").text
    assert "Browsers do not play this kind of film" in text and "<video" not in text
    looks = [officer.get(f"/review/{number}/original?at={at}") for at in (0.1, 0.6, 99)]
    with ThreadPoolExecutor(6) as several:  # a page asks for every face at once: one copy is opened for all of them
        asked = [several.submit(officer.http.get, f"/review/{number}/original?at={n / 10}") for n in range(6)]
        copies = []
        while not all(a.done() for a in asked):
            copies.append(len(list((site.school.home / "work").glob(".open-*"))))
        assert {a.result().status_code for a in asked} == {200} and max(copies) == 1
    assert not list((site.school.home / "work").glob(".open-*"))
    middles = []
    for look in looks:
        assert look.headers["cache-control"] == "no-store, private"
        with Image.open(io.BytesIO(look.content)) as still:
            middles.append(still.convert("L").getpixel((80, 60)))
    assert middles[0] < 60 and middles[1] > 180 and middles[2] > 180  # a dark place that turns light at 0.4 s
