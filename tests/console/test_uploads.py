"""Files through the page on a console of its own: what breaks off goes on, nothing is sent twice, no disk is filled."""

from __future__ import annotations

import hashlib
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.console.connections import Patience
from pipeline.store.accounts import AccountRole
from tests.console.browsing import NEEDED
from tests.console.door import Door, eventually, opened
from tests.console.site import PASSWORD, Visitor
from tests.support.school import School

MIB = 1 << 20
TOLD = {"title": "Sports", "date": "2026-06-12", "kind": "sports"}


def signed_in(door: Door, name: str = "kim") -> Visitor:
    """A teacher of this console, signed in."""
    console = door.server.console
    if console.store.accounts.find(name) is None:
        console.store.accounts.add(console.clock(), "test", name, [AccountRole.UPLOADER])
        code = console.auth.invite("test", name)
        console.auth.end(console.auth.accept(code, name, PASSWORD, "127.0.0.1"))
    one = Visitor(door.address)
    one.get("/login")
    assert one.post("/login", {"name": name, "password": PASSWORD}).status_code == 303
    one.get("/upload")
    return one


def begin(one: Visitor, name: str, data: bytes, **more: str) -> tuple[int, dict[str, object]]:
    answer = one.post("/upload/begin", {"name": name, "size": str(len(data)), **TOLD, **more})
    return answer.status_code, answer.json() if answer.status_code == 200 else {}


def send(one: Visitor, key: object, offset: int, piece: bytes) -> int:
    headers = {"x-csrf-token": one.csrf, "upload-offset": str(offset)}
    return one.http.put(f"/upload/{key}", content=piece, headers=headers).status_code


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with opened(tmp_path, Patience()) as one:
        yield one


def test_a_file_that_arrived_is_known_by_name_size_and_hash(door: Door) -> None:
    one, data = signed_in(door), b"abc" * 100
    _, begun = begin(one, "a.jpg", data)
    assert send(one, begun["id"], 0, data) == 200
    known = hashlib.sha256(data).hexdigest()
    assert begin(one, "a.jpg", data, sha256=known)[1]["done"] is True
    assert begin(one, "a.jpg", data)[1]["done"] is True  # too large to be hashed there
    for name, sha256, event in (("b.jpg", known, {}), ("a.jpg", "0" * 64, {}), ("a.jpg", known, {"title": "Another"})):
        assert begin(one, name, data, sha256=sha256, **event)[1]["done"] is False
    other = signed_in(door, "somebody")
    assert begin(other, "a.jpg", data, sha256=known)[1]["done"] is False


def test_the_first_files_of_an_event_come_at_once_and_describe_it_once(door: Door) -> None:
    one = signed_in(door)
    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(lambda n: begin(one, f"{n}.jpg", b"x")[0], range(24)))
    assert said == [200] * 24
    (folder,) = door.server.console.context.vault.inbox.glob("*/")
    assert [p.name for p in folder.iterdir()] == ["event.toml"]


def test_what_is_not_finished_has_a_quota_of_bytes(tmp_path: Path) -> None:
    with opened(tmp_path, Patience(), upload_quota_mib=1) as door:
        one = signed_in(door)
        assert begin(one, "a.jpg", b"x" * (MIB // 2))[0] == 200
        assert begin(one, "b.jpg", b"x" * (MIB // 2 + 1))[0] == 409
        assert begin(signed_in(door, "somebody"), "b.jpg", b"x" * MIB)[0] == 200


def test_room_is_looked_at_with_every_piece_and_some_is_kept_for_the_database(tmp_path: Path) -> None:
    """The disk fills up after an upload was begun: what lies there stays, and the rest comes when there is room."""
    data = b"x" * 1000
    with opened(tmp_path, Patience()) as door:
        one = signed_in(door)
        key = begin(one, "a.jpg", data)[1]["id"]
        assert send(one, key, 0, data[:400]) == 200
    with opened(tmp_path, Patience(), database_mib=1 << 30) as door:
        one = signed_in(door)
        assert send(one, key, 400, data[400:]) == 507
        assert begin(one, "b.jpg", data)[0] == 507
    with opened(tmp_path, Patience()) as door:
        one = signed_in(door)
        assert begin(one, "a.jpg", data)[1]["received"] == 400
        assert send(one, key, 400, data[400:]) == 200


@pytest.mark.slow
def test_a_port_that_is_taken_keeps_nothing_else_back(tmp_path: Path, samples: Path) -> None:
    """Photos are published, `status` says what is wrong, and the console comes when the port is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {"BEELDWACHT_CONSOLE__ENABLED": "true", "BEELDWACHT_CONSOLE__PORT": str(port)}
        school = School(tmp_path / "s", env, matching=False)
        school.start()
        (school.inbox / "trip").mkdir()
        shutil.copy(samples / "biden.jpg", school.inbox / "trip" / "a.jpg")
        assert school.wait(1)["published"] == 1
        assert f"cannot listen on 127.0.0.1:{port}" in school.json("status")["service"]["problem"]
    eventually(lambda: school.json("status")["service"]["problem"] == "")
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        school.stop()


@contextmanager
def page_of(browser: Browser, door: Door) -> Iterator[Page]:
    one = signed_in(door)
    context = browser.new_context(base_url=door.address, locale="en", viewport={"width": 390, "height": 800})
    context.add_cookies([{"name": n, "value": v, "url": door.address} for n, v in one.http.cookies.items()])
    page = context.new_page()
    page.on("pageerror", lambda e: pytest.fail(f"a script failed: {e}"))
    page.goto("/upload")
    yield page
    context.close()


def files(folder: Path, number: int, size: int) -> list[str]:
    folder.mkdir()
    made = []
    for n in range(number):
        path = folder / f"{n:02}.jpg"
        path.write_bytes(bytes([n]) * size)
        made.append(str(path))
    return made


def arrived(door: Door) -> list[str]:
    return sorted(p.name for p in door.server.console.context.vault.inbox.rglob("*.jpg"))


def sent_again(browser: Browser, door: Door, chosen: list[str]) -> None:
    """Files that arrived long ago are chosen once more; the page tells so, and what became of all of them."""
    with page_of(browser, door) as page:
        page.select_option("#event", index=1)
        page.set_input_files("#files", chosen)
        page.click("#upload button.primary")
        expect(page.locator("#progress").get_by_text("was there already")).to_have_count(5)
        expect(page.locator("#mine .chip").first).to_have_text("0 of 31 ready")  # no service works here
        page.locator("#mine summary").click()
        with page.expect_response("**/upload/mine"):
            pass
        expect(page.locator("#mine li").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing lies beside the screen"


@NEEDED
def test_31_files_offline_and_a_page_that_was_closed_and_none_comes_twice(
    browser: Browser, door: Door, tmp_path: Path
) -> None:
    chosen = files(tmp_path / "photos", 31, 200_000)
    with page_of(browser, door) as page:
        assert page.input_value("#date"), "the day is filled in"
        page.fill("#title", "Sports day")
        page.set_input_files("#files", chosen)
        expect(page.locator("#count")).to_have_text("Files chosen: 31")
        page.evaluate("document.querySelector('#upload').dataset.piece = '10000'")
        page.context.set_offline(True)
        page.click("#upload button.primary")
        expect(page.locator("#away")).to_be_visible()
        time.sleep(4)
        page.context.set_offline(False)
        expect(page.locator("#away")).to_be_hidden(timeout=20_000)
        expect(page.locator("#progress li", has_text="arrived").nth(4)).to_be_visible(timeout=20_000)
        page.context.set_offline(True)  # and the page is closed in the middle
    with page_of(browser, door) as page:
        page.select_option("#event", index=1)
        expect(page.locator("#new")).to_be_hidden()
        page.set_input_files("#files", chosen)
        page.click("#upload button.primary")
        expect(page.locator("#progress li", has_text="arrived")).not_to_have_count(0, timeout=30_000)
        expect(page.locator("#progress").get_by_text("was there already").first).to_be_visible(timeout=30_000)
        eventually(lambda: len(arrived(door)) == 31)
        expect(page.locator("#upload button.primary")).to_be_enabled()
    sent_again(browser, door, chosen[:5])
    assert arrived(door) == [f"{n:02}.jpg" for n in range(31)]
    store = door.server.console.store
    kim = store.accounts.find("kim")
    assert kim is not None and len(store.uploads.of(kim.id)) == 31


@NEEDED
def test_the_service_is_stopped_and_started_while_files_are_sent(browser: Browser, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    home = tmp_path / "home"
    with opened(home, Patience(), port=port) as door, page_of(browser, door) as page:
        page.fill("#title", "Sports day")
        page.set_input_files("#files", files(tmp_path / "photos", 3, 9 * MIB))
        page.evaluate("document.querySelector('#upload').dataset.piece = '1000000'")
        page.click("#upload button.primary")
        eventually(lambda: page.locator("progress").first.evaluate("b => b.value") > 0)
        door.server.close()
        expect(page.locator("#away")).to_be_visible(timeout=20_000)
        with opened(home, Patience(), port=port) as again:
            expect(page.locator("#progress li", has_text="arrived")).to_have_count(3, timeout=60_000)
            assert len(arrived(again)) == 3
