"""Enter never does the dangerous thing, pressed in every field of every form; typed input stops an approval; undo."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.console.browsing import NEEDED, opened
from tests.console.site import Site

pytestmark = NEEDED
FIELDS = "input:not([type=hidden]):not([type=file]), select, textarea"
FILL = """for (const f of document.querySelectorAll('[required]'))
  if (['text', 'textarea', 'password'].includes(f.type)) f.value = f.value || 'because 1'"""
PAGES = {
    "officer": (
        "/today",
        "/review",
        "/review/{held}",
        "/review/{published}",
        "/review/{film}",
        "/audit",
        "/audit/spot",
        "/gallery",
        "/gallery/{file}",
        "/gallery/withdrawn",
        "/register",
        "/register/person/B",
        "/account",
    ),
    "administrator": ("/today", "/register", "/register/person/B", "/accounts"),
    "uploader": ("/upload",),
}


@pytest.fixture
def sent() -> Iterator[list[tuple[str, dict[str, str]]]]:
    """What pages wanted to send while a test ran; nothing of it arrived."""
    yield []


def caught(page: Page, sent: list[tuple[str, dict[str, str]]]) -> None:
    def answer(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
            return
        sent.append((route.request.url, dict(parse_qsl(route.request.post_data or ""))))
        route.fulfill(status=204)

    page.route("**/*", answer)


def numbers(site: Site) -> dict[str, int]:
    files = site.store.read_models.published("school")
    return {
        "held": site.number("b"),
        "published": site.number("obama2"),
        "film": site.number("song"),
        "file": next(f.rendition.id for f in files if f.name.startswith("obama2")),
    }


@pytest.mark.parametrize("role", PAGES)
def test_enter_in_every_field_of_every_form(
    browser: Browser, site: Site, role: str, sent: list[tuple[str, dict[str, str]]]
) -> None:
    """A form with several acts, or a dangerous one, sends nothing, but for the act that the field itself is for."""
    page = opened(browser, site, role)
    caught(page, sent)
    pressed = guarded = 0
    for path in PAGES[role]:
        address = path.format(**numbers(site))
        page.goto(address)
        for n in range(page.locator(FIELDS).count()):
            field = page.locator(FIELDS).nth(n)
            if not field.evaluate("f => Boolean(f.form) && f.form.method === 'post' && !f.disabled"):
                continue
            page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
            acts = field.evaluate(
                "f => [...f.form.elements].filter(e => e.type === 'submit' && !e.hidden).map(e => e.value)"
            )
            danger = field.evaluate("f => Boolean(f.form.querySelector('button.danger'))")
            meant = field.get_attribute("data-enter")
            page.evaluate(FILL)
            if field.evaluate("f => ['text', 'textarea', 'password', ''].includes(f.type)"):
                field.fill("12")
            sent.clear()
            field.press("Enter")
            page.wait_for_timeout(50)
            pressed += 1
            if len(acts) > 1 or danger:
                guarded += 1
                done = [form.get("act", url) for url, form in sent]
                assert done == ([meant] if meant else []), f"{address}: Enter in {field.get_attribute('name')}"
            if page.url != site.address + address:
                page.goto(address)
    assert pressed >= (1 if role == "uploader" else 5)
    assert guarded >= {"officer": 20, "administrator": 1, "uploader": 0}[role]
    page.context.close()


def test_what_was_drawn_or_typed_and_not_sent_stops_an_approval(browser: Browser, site: Site) -> None:
    number = site.number("b")
    page = opened(browser, site, "officer")
    page.goto(f"/review/{number}")
    page.fill("#why", "the teacher allowed it beforehand")
    page.locator("#draw summary").click()
    for side, value in (("left", "5"), ("top", "5"), ("right", "60"), ("bottom", "60")):
        page.fill(f"#{side}", value)
    for button in ("Approve", "Refuse for good"):
        page.get_by_role("button", name=button).click()
        expect(page.locator("main > [role=alert]")).to_contain_text("A region is drawn that was not sent.")
        expect(page.locator("#right")).to_have_value("60")  # it is still there
    for side in ("left", "top", "right", "bottom"):
        page.fill(f"#{side}", "")
    field = page.locator("[id^=person-]").first
    field.fill("Erik")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("main > [role=alert]")).to_contain_text("A name is typed that was not given.")
    expect(field).to_have_value("Erik")
    assert site.item(number)["state"] == "held"
    assert not [e for e in site.log(number) if e["kind"] in {"item.approved", "item.rejected"}]
    page.context.close()


def test_an_act_can_be_undone_for_ten_seconds_and_nothing_is_published_meanwhile(browser: Browser, site: Site) -> None:
    number = site.number("b")
    page = opened(browser, site, "officer")
    for verb, button in (("item.rejected", "Refuse for good"), ("item.approved", "Approve")):
        page.goto(f"/review/{number}")
        page.fill("#why", "a click beside it")
        page.get_by_role("button", name=button).click()
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("main")).to_contain_text("Undone. The file is decided again.")
        site.wait(6)
        assert site.item(number)["state"] == "held"
        kinds = [e["kind"] for e in site.log(number)]
        assert kinds[kinds.index(verb) :].count("item.undone") and "item.published" not in kinds
    assert site.store.review.marks(number) == []

    page.goto(f"/review/{number}")
    page.fill("#why", "the teacher allowed it beforehand")
    begun = time.time()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled(timeout=30_000)
    site.wait(6)
    assert site.item(number)["state"] == "published"
    assert (site.school.publish / "school" / "lesson" / "b.jpg").stat().st_mtime >= begun
    entries = {e["kind"]: e["at"] for e in site.log(number)}
    assert entries["item.published"] > entries["item.approved"]
    late = site.as_("officer").post(f"/review/{number}/undo")
    assert late.status_code == 409 and "It is too late to undo this." in late.text
    page.context.close()


def test_without_scripts_enter_does_nothing_either(browser: Browser, site: Site) -> None:
    number = site.number("a")
    context = browser.new_context(base_url=site.address, java_script_enabled=False)
    session = site.as_("officer").http.cookies
    context.add_cookies([{"name": k, "value": v, "url": site.address} for k, v in session.items()])
    page = context.new_page()
    page.goto(f"/review/{number}")
    page.fill("#why", "because")
    page.press("#why", "Enter")
    page.locator("[id^=person-]").first.press("Enter")
    assert page.url.endswith(f"/review/{number}")
    nothing = site.as_("officer")
    nothing.get(f"/review/{number}")
    assert nothing.post(f"/review/{number}/act", {"act": "none", "why": "because"}).status_code == 200
    assert site.item(number)["state"] == "held"
    context.close()
