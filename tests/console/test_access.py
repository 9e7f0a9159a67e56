"""Who may do what: over every route of the table, with real requests to a running service."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from html.parser import HTMLParser
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from pipeline.console.request import ANYBODY, Declared
from pipeline.console.routes import TABLE
from pipeline.store.accounts import AccountRole
from tests.console.conftest import NAME, TITLE
from tests.console.site import PASSWORD, ROLES, Site

MACHINES = {"/healthz", "/healthz/live", "/metrics"}  # tests/console/test_monitor.py
PUBLIC = MACHINES | {
    "/{rest:path}",
    "/static/{name}",
    "/login",
    "/login/code",
    "/welcome",
    "/language",
    "/oidc/login",
    "/oidc/callback",
    "/mine/{secret}",
    "/mine/{secret}/report",
    "/mine/{secret}/withdraw",
    "/mine/{secret}/{file:int}",
}
VALUES = {
    "item:int": "1",
    "face:int": "0",
    "seq:int": "1",
    "check:int": "1",
    "question:int": "1",
    "file:int": "1",
    "task:int": "1",
    "incident:int": "1",
    "person": "O",
    "key": "0" * 32,
    "secret": "nobody",
    "style": "sticker",
    "name": "kim",
    "rest:path": "nowhere",
}
NOT_THERE = {
    "/event",
    "/upload/{key}/ask",
    "/review/{item:int}/film",
    "/review/{item:int}/paths",
    "/{rest:path}",
    "/audit/spot/{check:int}",
    "/upload/{key}",
    "/static/{name}",
    "/oidc/login",
    "/oidc/callback",
}
"""Routes whose values above name nothing in this installation: 404 for everybody."""


class Strict(HTMLParser):
    """Reads a page as a browser does, and objects to anything that could run."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        assert not [n for n in names if n.startswith(("on", "hx-on")) or n == "style"], (tag, attrs)
        assert tag not in {"iframe", "object", "embed", "base", "style"}, tag
        assert tag != "script" or str(names.get("src")).startswith("/static/"), attrs
        for name in ("href", "src", "action"):
            assert not str(names.get(name) or "").strip().lower().startswith(("javascript:", "data:")), attrs


def path(declared: Declared) -> str:
    return re.sub(r"\{([^}]+)\}", lambda m: VALUES[m[1]], declared.path)


def test_only_the_way_in_is_open_and_every_route_says_for_whom_it_is() -> None:
    assert {d.path for d in TABLE if d.roles == ANYBODY} == PUBLIC
    assert {d.path for d in TABLE if d.machine} == MACHINES
    assert all(d.roles <= set(AccountRole) for d in TABLE)
    originals = [
        d for d in TABLE if d.path.endswith(("/original", "/face/{face:int}", "/alike/{face:int}", "/film", "/paths"))
    ]
    assert len(originals) == 5 and all(d.roles == {AccountRole.OFFICER} for d in originals)


def test_it_listens_on_this_machine_alone_and_on_one_port(site: Site) -> None:
    """U14: what the system says, of the service with its console and of every process that it started."""
    family = {site.process.pid}
    for status in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda p: int(p.parent.name)):
        with suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) in family:
                family.add(int(status.parent.name))
    assert len(family) > 1, "the readers of media are its children"
    found = {address for pid in family for address in listening(pid)}
    assert {f"http://{host}:{port}" for host, port in found} == {site.address}
    assert {host for host, _ in found} == {"127.0.0.1"}


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses on which a process accepts TCP connections, out of /proc."""
    own = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            own.add(str(descriptor.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in own:
                address, _, port = local.partition(":")
                # 32 bits at a time, as this machine stores them
                words = b"".join(
                    int(address[n : n + 8], 16).to_bytes(4, sys.byteorder) for n in range(0, len(address), 8)
                )
                found.add((str(ip_address(words)), int(port, 16)))
    return found


@pytest.mark.parametrize("declared", TABLE, ids=lambda d: f"{d.methods[0]} {d.path}")
def test_a_role_that_is_not_named_finds_nothing_and_nobody_gets_in_unsigned(site: Site, declared: Declared) -> None:
    method, target = declared.methods[0], path(declared)
    stranger = site.visitor().http.request(method, target, headers={"content-length": "0"})
    if declared.roles == ANYBODY:
        return
    assert stranger.status_code == (303 if method == "GET" else 401), stranger.text
    if method == "GET":
        assert stranger.headers["location"].startswith("/login?next=")
    for role in ROLES:
        visitor = site.as_(role)
        answer = visitor.http.request(method, target)
        if AccountRole(role) not in declared.roles:
            assert answer.status_code == 404, f"{role} got {answer.status_code}"
        elif method == "GET" and declared.path not in NOT_THERE:
            assert answer.status_code in {200, 303}, f"{role} got {answer.status_code}: {answer.text}"
        elif method != "GET":
            assert answer.status_code == 403, f"{role} got {answer.status_code} without a token"


def test_no_form_of_another_site_does_anything(site: Site) -> None:
    before = len(site.log())
    for declared in (d for d in TABLE if d.methods != ("GET",)):
        role = sorted(declared.roles)[0] if declared.roles else "officer"
        visitor = site.as_(role)
        visitor.get("/account")
        files = {"portrait": ("x.jpg", b"x", "image/jpeg")} if declared.takes == "file" else None
        for headers, token in (({}, ""), ({}, "0" * 64), ({"sec-fetch-site": "cross-site"}, visitor.csrf)):
            body = {"csrf": token, "act": "approve", "why": "evil", "mode": "now"}
            answer = visitor.http.request(declared.methods[0], path(declared), data=body, files=files, headers=headers)
            assert answer.status_code == 403, declared
    quiet = {"account.signed_in", "account.invited", "account.password", "account.added", "original.viewed"}
    assert {e["kind"] for e in site.log()[before:]} <= quiet


def test_the_headers_of_every_answer(site: Site) -> None:
    officer = site.as_("officer")
    for target in ("/review", "/nowhere", "/static/console.css", "/logout", "/review/1/original", "/gallery/1/picture"):
        headers = officer.http.get(target).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert "server" not in headers
    assert officer.http.get("/review/1/original").headers["cache-control"] == "no-store, private"
    assert officer.http.get("/review").headers["cache-control"] == "no-store"


def test_the_cookie_is_for_this_site_and_for_no_script(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/login")
    site.as_("communicator")
    answer = visitor.post("/login", {"name": "communicator", "password": PASSWORD})
    cookie = next(v for v in answer.headers.get_list("set-cookie") if v.startswith("bw_session="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Max-Age" not in cookie
    visitor.get("/account")
    token = visitor.http.cookies["bw_session"]
    assert visitor.post("/logout").status_code == 303
    visitor.http.cookies.set("bw_session", token)
    assert visitor.get("/gallery").status_code == 303  # the token is dead, not only forgotten


def test_nothing_leads_to_another_site_or_out_of_a_folder(site: Site) -> None:
    visitor = site.visitor()
    site.as_("communicator")
    for evil in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        visitor.get("/login")
        answer = visitor.post("/login", {"name": "communicator", "password": PASSWORD, "next": evil})
        assert answer.headers["location"] == "/"
        visitor.get("/account")
        assert visitor.post("/language", {"language": "nl", "back": evil}).headers["location"] == "/"
        visitor.post("/logout")
    officer = site.as_("officer")
    for target in (
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/table.py",
        "/static/assets.toml",
        "/register/person/..%2f..%2fkeys",
        "/gallery/1/..%2f..%2fdata",
    ):
        assert officer.http.get(target).status_code == 404
    answer = httpx.get(f"{site.address}/login", headers={"host": "evil.example"})
    assert answer.status_code == 400


def test_no_name_of_a_person_a_file_or_an_event_becomes_markup(site: Site) -> None:
    seen = 0
    for role in ROLES:
        for declared in TABLE:
            if declared.methods == ("GET",) and AccountRole(role) in declared.roles:
                for target in {path(declared), path(declared).replace("/1", "/2")}:
                    answer = site.as_(role).http.get(target)
                    if answer.headers.get("content-type", "").startswith("text/html"):
                        assert "<script>alert" not in answer.text and "<b>Jansen" not in answer.text
                        assert 'jpg"onerror' not in answer.text and '"onerror=alert' not in answer.text
                        Strict().feed(answer.text)
                        seen += answer.text.count("Kim &lt;b&gt;") + answer.text.count("&lt;script&gt;alert")
    assert seen > 5 and NAME and TITLE


def test_what_was_asked_in_the_address_is_said_as_text(site: Site) -> None:
    officer = site.as_("officer")
    evil = "<script>alert(9)</script>"
    for target in ("/audit", "/review", "/register", "/gallery"):
        text = officer.http.get(
            target, params={"said": evil, "q": evil, "person": evil, "event": evil, "actor": evil, "channel": evil}
        ).text
        assert evil not in text


def test_nobody_else_puts_words_on_a_page(site: Site) -> None:
    officer = site.as_("officer")
    officer.get("/account")
    wrong = {"old": "x" * 12, "password": "a" * 12, "again": "b" * 12}
    assert officer.post("/account/password", wrong).status_code == 400
    said = officer.post("/language", {"language": "en", "back": "/gallery?event=trip"})
    assert said.headers["location"] == "/gallery?event=trip"  # back where one was
    administrator = site.as_("administrator")
    administrator.get("/accounts")
    done = administrator.post("/accounts/uploader", {"act": "unlock"}).headers["location"]
    assert '<p class="said" role="status">Done.</p>' in administrator.get(done).text
    forged = done.replace("said=Done.", "said=Call%20this%20number")
    assert "Call this number" not in administrator.get(forged).text
    assert "Call this number" not in site.visitor().get("/login?said=Call%20this%20number").text


def test_a_number_that_no_row_has_is_not_found(site: Site) -> None:
    huge, officer = 10**25, site.as_("officer")
    for target in (
        "/review/{}",
        "/review/{}/original",
        "/review/1/face/{}",
        "/audit/item/{}",
        "/audit/entry/{}",
        "/audit/spot/{}",
        "/gallery/{}",
        "/gallery/{}/download",
    ):
        assert officer.get(target.format(huge)).status_code in {404, 409}, target
    for target in ("/review?after={}", "/gallery?before={}", "/register?from={}", "/audit?before={}&item={}"):
        assert officer.get(target.format(huge, huge)).status_code == 200, target
    assert officer.post("/gallery/zip", {"file": str(huge)}).status_code == 409


def test_nobody_changes_the_own_rights_however_the_name_is_written(site: Site) -> None:
    administrator = site.as_("administrator")
    administrator.get("/accounts")
    for name in ("administrator", "Administrator", "%20ADMINISTRATOR"):
        for act in ("roles", "lock"):
            answer = administrator.post(f"/accounts/{name}", {"act": act, "roles": "officer"})
            assert answer.status_code == 409, name
    found = site.store.accounts.find("administrator")
    assert found is not None and found.roles == {AccountRole.ADMINISTRATOR} and not found.locked_at


def test_wrong_passwords_wait_and_the_log_says_so(site: Site) -> None:
    site.account("victim", "uploader")
    visitor = site.visitor()
    codes = []
    for _ in range(6):
        visitor.get("/login")
        codes.append(visitor.post("/login", {"name": "victim", "password": "wrong wrong wrong"}).status_code)
    assert codes == [403] * 5 + [429]
    assert any(e["kind"] == "account.blocked" and e["body"]["key"] == "victim 127.0.0.1" for e in site.log())
    assert site.as_("officer").get("/review").status_code == 200


def test_who_looked_at_which_original_is_in_the_log(site: Site) -> None:
    assert site.as_("officer").http.get("/review/2/original").headers["content-type"] == "image/jpeg"
    entry = [e for e in site.log(2) if e["kind"] == "original.viewed"][-1]
    assert entry["actor"] == "account:officer"
    assert site.school.json("log", "verify")["flaws"] == []


def test_a_body_that_is_too_large_is_not_read(site: Site) -> None:
    visitor = site.as_("officer")
    answer = visitor.http.post("/gallery/1/place", content=b"where=" + b"x" * (2 << 20))
    assert answer.status_code == 413
