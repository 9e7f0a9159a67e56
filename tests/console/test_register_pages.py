"""The register's pages in a real browser: a trial, reading in earnest, and answering for what a brake stopped."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.console.browsing import NEEDED, opened
from tests.console.site import Site
from tests.support.school import School

pytestmark = NEEDED


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Site]:
    """A console alone, on a school whose register is a file; more than one person at once who gains is stopped."""
    school = School(tmp_path / "school", matching=False)
    school.register([{"person_id": "P1"}, *({"person_id": p, "photo_school": "no"} for p in ("P2", "P3", "P4"))], {})
    env = {
        "BEELDWACHT_REGISTER__SOURCE": "csv",
        "BEELDWACHT_REGISTER__MAX_GRANTED": "1",
        "BEELDWACHT_REGISTER__OPTIONS": json.dumps({"file": "register/register.csv"}),
    }
    one = Site(school, "serve", env)
    yield one
    one.close()


def change(site: Site, **answers: str) -> None:
    """Another answer for photos on the school's channel, in the school's own file."""
    path = site.school.home / "register" / "register.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        row["photo_school"] = answers.get(row["person_id"], row["photo_school"])
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_trial_changes_nothing_and_a_brake_waits_for_a_name(browser: Browser, followed: Site) -> None:
    version = followed.store.register.current().version
    change(followed, P1="no", P2="yes", P3="yes")
    page = opened(browser, followed, "administrator")
    page.goto("/register")
    page.get_by_role("button", name="Trial: show what would change").click()
    expect(page.locator("h1")).to_have_text("What would change")
    expect(page.locator("main")).to_contain_text("Name of P1 (photo, school)")
    assert followed.store.register.current().version == version
    assert not [e for e in followed.log() if e["kind"].startswith("register.") and e["seq"] > version + 2]

    page.goto("/register")
    page.get_by_role("button", name="Read it now").click()
    expect(page.locator("h1")).to_have_text("The source was read")
    expect(page.locator("main")).to_contain_text("What waits")

    def answers() -> dict[str, str]:
        found = followed.store.register.current().consents
        return {p: str(c.answer) for (p, medium, ch), c in found.items() if (medium, ch) == ("photo", "school")}

    assert answers() == {"P1": "no", "P2": "no", "P3": "no", "P4": "no"}  # what shows less counts at once

    page.goto("/register")
    page.get_by_role("button", name="I, administrator, answer for these changes").click()
    expect(page.locator("h1")).to_have_text("The source was read")
    assert answers() == {"P1": "no", "P2": "yes", "P3": "yes", "P4": "no"}
    last = [e for e in followed.log() if e["kind"] == "register.loaded"][-1]
    assert last["actor"] == "account:administrator"
    assert followed.store.register.versions()[-1].confirmed_by == "administrator"
    page.context.close()
