"""The journeys of the four roles in a real browser, and axe-core on every page in both languages."""

from __future__ import annotations

import zipfile
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.console.browsing import NEEDED, access_key, opened
from tests.console.site import PASSWORD, Site

PAGES = (
    "/today",
    "/review",
    "/review/1",
    "/review/1/alike/0",
    "/audit",
    "/audit?reason=consent",
    "/audit/entry/1",
    "/audit/item/3",
    "/audit/spot",
    "/gallery",
    "/gallery/1",
    "/gallery/withdrawn",
    "/register",
    "/register/notices",
    "/register/person/O",
    "/upload",
    "/accounts",
    "/account",
    "/nowhere/at/all",
)
pytestmark = NEEDED


def test_axe_finds_nothing_on_any_page_in_either_language_and_every_page_fits(browser: Browser, site: Site) -> None:
    code = site.account("all", "officer", "communicator", "uploader", "administrator")
    visitor = site.visitor()
    visitor.get("/welcome")
    visitor.post("/welcome", {"code": code, "name": "all", "password": PASSWORD, "again": PASSWORD})
    token = visitor.http.cookies["bw_session"]
    axe, bad, wide, song = Axe(), {}, [], site.number("song")
    for language, scheme in (("en", "light"), ("nl", "dark")):
        context = browser.new_context(
            base_url=site.address,
            locale=language,
            color_scheme=scheme,
            bypass_csp=True,
            viewport={"width": 1200, "height": 900},
        )
        page = context.new_page()
        for target in ("/login", "/welcome", *PAGES, f"/review/{song}"):
            if target == PAGES[0]:
                context.add_cookies([{"name": "bw_session", "value": token, "url": site.address}])
            page.set_viewport_size({"width": 1200, "height": 900})
            page.goto(target)
            assert page.locator("html").get_attribute("lang") == language
            found = axe.run(
                page,
                options={
                    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
                    "resultTypes": ["violations"],
                },
            )
            if found.response["violations"]:
                bad[f"{language} {target}"] = [
                    (v["id"], [n["html"][:150] for n in v["nodes"][:2]]) for v in found.response["violations"]
                ]
            for width, height in ((820, 1180), (1180, 820), (375, 812)):
                page.set_viewport_size({"width": width, "height": height})
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append(f"{language} {target} at {width}")
        context.close()
    assert bad == {}
    assert wide == []  # on a tablet, upright and on its side, and on a phone: nothing has to be scrolled sideways


def test_an_officer_covers_a_region_and_approves(browser: Browser, site: Site) -> None:
    number = site.number("a.jpg")
    page = opened(browser, site, "officer")
    expect(page).to_have_url(f"{site.address}/review")
    page.goto(f"/review/{number}")
    expect(page.locator(".state strong")).to_contain_text("lesson")
    page.click("main button[value=approve]")  # without a reason the browser keeps it back
    assert page.url.endswith(f"/review/{number}")
    page.click("#draw summary")
    box = page.locator("#board").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 30, box["y"] + box["height"] - 90)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] - 40, steps=4)
    page.mouse.up()
    drawn = [int(page.input_value(f"#{k}")) for k in ("left", "top", "right", "bottom")]
    assert drawn[2] - drawn[0] > 20 and drawn[3] - drawn[1] > 20
    page.fill("#why", "a name can be read")
    page.click("button[value=region]")
    expect(page.locator(".done")).to_contain_text("a name can be read")
    expect(page.locator(".state .chip")).to_have_text("held", timeout=60_000)  # decided again, and held again
    page.goto(f"/review/{number}")
    access_key(page, "a")
    assert page.evaluate("document.activeElement.id") == "why"  # it asks for a reason first
    following = page.locator("a[rel=next]").get_attribute("href")
    access_key(page, "n")
    page.wait_for_url(f"**{following}")
    access_key(page, "b")
    page.wait_for_url(f"**/review/{number}")
    page.fill("#why", "the teacher allowed it")
    access_key(page, "a")
    expect(page.get_by_text("Approved: it is decided")).to_be_visible()
    end = site.item(number)
    for _ in range(60):
        if end["state"] == "published":
            break
        page.wait_for_timeout(500)
        end = site.item(number)
    assert end["state"] == "published"
    page.goto(f"/audit?item={number}")
    expect(page.locator("#rows")).to_contain_text("the teacher allowed it")
    page.goto(f"/audit/item/{number}")
    page.locator("input[type=range]").first.fill("10")
    assert page.locator("clipPath rect").first.get_attribute("width") == "10"
    page.context.close()


def test_two_officers_never_lose_each_others_work(browser: Browser, site: Site) -> None:
    number = site.number("b.jpg")
    first, second = opened(browser, site, "officer"), opened(browser, site, "officer")
    for page in (first, second):
        page.goto(f"/review/{number}")
    first.fill("#why", "asked for by a parent")
    access_key(first, "c")
    expect(first.locator(".done")).to_contain_text("asked for by a parent")
    second.fill("#why", "I would let it go")
    second.click("button[value=approve]")
    expect(second.locator("[role=alert]")).to_contain_text("Somebody else")
    assert second.input_value("#why") == "I would let it go"
    site.wait(4)
    assert site.item(number)["state"] == "held"
    second.goto(f"/review/{number}")
    second.locator("#person-0").type("kim")
    expect(second.locator("#found-0 button")).to_contain_text("Kim <b>Jansen</b>")
    first.context.close()
    second.context.close()


def test_a_communicator_takes_notes_and_reports(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = opened(browser, site, "communicator", "nl", permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("h1")).to_have_text("Galerij")
    page.locator("#files input").first.check()
    with page.expect_download() as waiting:
        page.click("form[action='/gallery/zip'] button")
    waiting.value.save_as(tmp_path / "got.zip")
    with zipfile.ZipFile(tmp_path / "got.zip") as z:
        assert z.testzip() is None and len(z.namelist()) == 1
    tile = page.locator("#files a", has=page.locator("img[alt*='obama2']")).first
    tile.click()
    assert page.locator("img.photo").evaluate("i => i.complete || new Promise(r => { i.onload = () => r(true) })")
    page.get_by_role("button", name="Afbeelding kopiëren").click()
    expect(page.locator("#copied")).to_have_text("Gekopieerd.")
    assert page.evaluate("navigator.clipboard.read().then(x => x[0].types)") == ["image/png"]
    page.fill("#where", "https://school.example/nieuws")
    page.click("form[action$=place] button")
    expect(page.locator("main")).to_contain_text("https://school.example/nieuws")
    page.fill("#what", "het adres staat erop")
    page.click("button.danger")
    expect(page.locator("h1")).to_contain_text("Ingetrokken")
    expect(page.locator("main")).to_contain_text("https://school.example/nieuws")
    expect(page.locator("main")).to_contain_text("het adres staat erop")
    assert not [p for p in site.school.published() if "obama2" in p]
    page.get_by_role("button", name="Het is daar weggehaald").click()
    expect(page.locator("main")).to_contain_text("Weg te halen: 0")
    page.context.close()


def test_an_uploader_drops_a_photo_and_sees_what_became_of_it(
    browser: Browser, site: Site, samples: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "my photo.jpg"
    Image.open(samples / "biden.jpg").convert("RGB").resize((600, 740)).save(photo, quality=92)
    page = opened(browser, site, "uploader")
    page.fill("#title", "Sports <b>day</b>")
    page.fill("#date", "2026-06-12")
    page.select_option("#kind", "sports")
    page.get_by_label("1A").check()
    page.set_input_files("#files", str(photo))
    page.click("#upload button.primary")
    expect(page.locator("#progress")).to_contain_text("arrived")
    expect(page.locator("#mine li", has_text="my photo").locator(".chip")).to_have_text("published", timeout=60_000)
    told = (site.school.inbox / "2026-06-12 Sports _b_day__b_" / "event.toml").read_text()
    assert 'uploader = "uploader"' in told and 'groups = ["1A"]' in told
    other = site.visitor()
    code = site.account("uploader2", "uploader")
    other.get("/welcome")
    other.post("/welcome", {"code": code, "name": "x", "password": PASSWORD, "again": PASSWORD})
    assert "my photo" not in other.get("/upload").text
    page.context.close()


def test_an_administrator_makes_and_locks_an_account(browser: Browser, site: Site) -> None:
    page = opened(browser, site, "administrator")
    expect(page.locator("h1")).to_have_text("Today")
    expect(page.locator("#now")).to_contain_text("running")
    page.goto("/accounts")
    page.fill("#name", "new.colleague")
    page.locator("form.stack").get_by_label("communicator").check()
    page.click("form.stack button")
    code = page.locator("code.code").inner_text()
    visitor = site.visitor()
    visitor.get("/welcome")
    body = {"code": code, "name": "x", "password": PASSWORD, "again": PASSWORD}
    assert visitor.post("/welcome", body).status_code == 303
    assert visitor.get("/gallery").status_code == 200 and visitor.get("/review").status_code == 404
    row = page.locator("tr", has=page.get_by_role("rowheader", name="new.colleague"))
    row.get_by_role("button", name="Lock").click()
    expect(row.locator(".chip")).to_have_text("locked")
    assert visitor.get("/gallery").status_code == 303
    page.context.close()
