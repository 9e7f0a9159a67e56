"""A real browser at the console: Debian's Chromium, and people who sign in to it by typing."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.console.site import PASSWORD, Site

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NEEDED = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)")


def opened(browser: Browser, site: Site, role: str, language: str = "en", **options: Any) -> Page:
    """A page of somebody of this role, who signed in by typing. What a script complains of fails the test."""
    site.as_(role)
    context = browser.new_context(
        base_url=site.address, locale=language, viewport={"width": 1200, "height": 900}, **options
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.on("pageerror", lambda e: pytest.fail(f"a script failed: {e}"))
    page.on("dialog", lambda d: pytest.fail(f"a dialog opened: {d.message}"))
    page.on("console", lambda m: pytest.fail(m.text) if "Content Security Policy" in m.text else None)
    page.goto("/login")
    page.fill("#name", role)
    page.fill("#password", PASSWORD)
    page.click("main button.primary")
    expect(page.locator("header .who form button").last).to_be_visible()
    return page


def access_key(page: Page, key: str) -> None:
    """Press Alt and a letter as the keyboard does: with the letter that the key bears, which Playwright leaves out."""
    keyboard: CDPSession = page.context.new_cdp_session(page)
    code = {"key": key, "code": f"Key{key.upper()}", "windowsVirtualKeyCode": ord(key.upper()), "modifiers": 1}
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", "unmodifiedText": key, **code})
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **code})
    keyboard.detach()
