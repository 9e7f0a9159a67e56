"""How pages look on a phone and on a desk, in both languages: the typeface, nothing beside the screen, axe at zero."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from models.downloads import manifest as files
from pipeline.console.connections import Patience
from pipeline.console.pages.sign_in import ASSETS, FETCHED
from pipeline.store.accounts import AccountRole
from tests.console.browsing import NEEDED
from tests.console.door import Door, opened
from tests.console.site import Visitor
from tests.console.test_uploads import begin, signed_in

pytestmark = NEEDED


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, Visitor]]:
    """Somebody with every role, who has begun an upload."""
    files.fetch(ASSETS, FETCHED)
    with opened(tmp_path_factory.mktemp("look"), Patience()) as door:
        begin(signed_in(door), "een lange naam van een bestand van de sportdag 2026.jpg", b"x")
        console = door.server.console
        console.store.accounts.set_roles(console.clock(), "test", "kim", list(AccountRole))
        yield door, signed_in(door)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_pages_fit_and_axe_finds_nothing(
    browser: Browser, everybody: tuple[Door, Visitor], width: int, scheme: str, language: str
) -> None:
    door, one = everybody
    for path in ("/login", "/account", "/upload", "/today"):
        context = browser.new_context(
            base_url=door.address, locale=language, viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        if path != "/login":
            context.add_cookies([{"name": n, "value": v, "url": door.address} for n, v in one.http.cookies.items()])
        page = context.new_page()
        page.on("console", lambda m: pytest.fail(m.text) if "Content Security Policy" in m.text else None)
        page.goto(path)
        page.evaluate("document.fonts.ready")
        loaded = "[...document.fonts].filter((f) => f.status === 'loaded').length"
        assert page.evaluate(loaded) == 2, "both weights of the typeface"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert [v["id"] for v in Axe().run(page).response["violations"]] == [], path
        bar = page.locator(".top nav").bounding_box() if path != "/login" else None
        if bar and width == 390:
            assert bar["y"] + bar["height"] >= 799, "the menu is at the thumb"
        context.close()


def test_the_licence_of_the_typeface_comes_along(everybody: tuple[Door, Visitor]) -> None:
    told = everybody[1].get("/static/AtkinsonHyperlegible-LICENSE.txt")
    assert told.status_code == 200 and "SIL Open Font License" in told.text
    assert (Path(FETCHED) / "AtkinsonHyperlegible-Regular.ttf").is_file()
