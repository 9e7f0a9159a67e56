"""What officers do on the pages of audit and register, with mouse and keyboard in a real browser."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.console.browsing import NEEDED, opened
from tests.console.site import Site

pytestmark = NEEDED


def downloaded(page: Page, selector: str, target: Path) -> Path:
    """What a link or button sends as a file."""
    with page.expect_download() as waiting:
        page.locator(selector).click()
    waiting.value.save_as(target)
    return target


def test_an_officer_verifies_takes_a_selection_along_and_marks_a_sample(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    page = opened(browser, site, "officer")
    page.goto("/audit")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.locator("main")).to_contain_text("The log is whole")
    page.goto("/audit")
    page.fill("input[name=file]", "b.jpg")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile(r"file=b\.jpg"))
    expect(page.locator("#rows li.entry").first).to_be_visible()
    number = site.number("b.jpg")
    with downloaded(page, "#rows a[href*='as=csv']", tmp_path / "l.csv").open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    assert rows and {r["item"] for r in rows} == {str(number)}
    entries = json.loads(downloaded(page, "#rows a[href*='as=json']", tmp_path / "l.json").read_text("utf-8"))
    assert {e["item"] for e in entries} == {number} and len(entries) >= len(rows)
    assert downloaded(page, "#rows a[href*='as=pdf']", tmp_path / "l.pdf").read_bytes().startswith(b"%PDF")

    page.goto("/audit/spot")
    page.fill("input[name=size]", "2")
    page.get_by_role("button", name="Draw").click()
    page.click("button[value=right]")
    page.click("button[value=wrong]")
    expect(page.locator("main")).to_contain_text("50.0 %")
    page.context.close()


def test_an_officer_enrols_a_portrait_hands_over_and_erases(
    browser: Browser, site: Site, samples: Path, tmp_path: Path
) -> None:
    page = opened(browser, site, "officer")
    page.goto("/register/person/E")
    before = site.store.templates.counts()["templates"]
    page.set_input_files("#portrait", str(samples / "biden.jpg"))
    page.get_by_label("It was given for this purpose").check()
    page.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.locator(".said")).to_be_visible()
    assert site.store.templates.counts()["templates"] > before
    with zipfile.ZipFile(downloaded(page, "form[action$=export] button", tmp_path / "e.zip")) as z:
        assert z.testzip() is None and any(n.endswith("letter.html") for n in z.namelist())
    page.goto("/register/person/E")
    page.locator("details", has=page.locator("#confirm")).locator("summary").click()
    page.fill("#confirm", "Erik")
    page.get_by_role("button", name="Erase").click()
    assert site.as_("officer").get("/register/person/E").status_code == 200  # not by half a name
    page.goto("/register/person/E")
    page.locator("details", has=page.locator("#confirm")).locator("summary").click()
    page.fill("#confirm", "Erik Eind")
    page.get_by_role("button", name="Erase").click()
    expect(page.locator("main")).to_contain_text("Receipt")
    assert site.as_("officer").get("/register/person/E").status_code == 404
    assert site.store.templates.counts()["templates"] == before
    page.context.close()
