"""Signing in by a real OpenID Connect server, a process of its own: who it vouches for, and what is not believed."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from pipeline.config import Oidc
from pipeline.console.oidc_client import OidcClient, OidcError
from tests.console import provider
from tests.console.site import Site, Visitor
from tests.support.school import School


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The console alone, with the server named in its configuration."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    issuer = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "tests.console.provider", str(port)])
    for _ in range(100):
        try:
            httpx.get(f"{issuer}/keys")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    school = School(tmp_path_factory.mktemp("oidc") / "school", matching=False)
    groups = json.dumps({"Privacy officers": ["officer"], "All staff": ["uploader"]})
    one = Site(
        school,
        "serve",
        {
            "BEELDWACHT_CONSOLE__OIDC__ISSUER": issuer,
            "BEELDWACHT_CONSOLE__OIDC__CLIENT_ID": provider.CLIENT,
            "BEELDWACHT_CONSOLE__OIDC__GROUPS": groups,
            "BEELDWACHT_OIDC_SECRET": provider.SECRET,
        },
    )
    yield one
    one.close()
    server.terminate()
    server.wait()


def came_back(site: Site, user: str) -> tuple[Visitor, str]:
    """Somebody who was sent to the server, said who they are, and has the address to come back with."""
    visitor = site.visitor()
    assert "/oidc/login" in visitor.get("/login").text
    there = visitor.get("/oidc/login?next=/account").headers["location"]
    back = httpx.get(there, params={**dict(httpx.URL(there).params), "user": user})
    assert back.status_code == 302, back.text
    return visitor, back.headers["location"].removeprefix(site.address)


def test_groups_become_roles_and_follow_at_each_sign_in(outside: Site) -> None:
    visitor, back = came_back(outside, "officer")
    answer = visitor.get(back)
    assert answer.status_code == 303 and answer.headers["location"] == "/account"
    assert visitor.get("/review").status_code == 200 and visitor.get("/upload").status_code == 200
    teacher, back = came_back(outside, "teacher")
    teacher.get(back)
    assert teacher.get("/upload").status_code == 200 and teacher.get("/review").status_code == 404
    known = {a["name"]: a for a in outside.school.json("account", "list")}
    assert known["officer"]["roles"] == ["officer", "uploader"] and known["officer"]["outside"]
    answer = outside.visitor()
    answer.get("/login")
    assert answer.post("/login", {"name": "officer", "password": "whatever it may be"}).status_code == 403


@pytest.mark.parametrize("user", sorted(set(provider.PEOPLE) - {"officer", "teacher", "takeover"}))
def test_what_cannot_be_verified_lets_nobody_in(outside: Site, user: str) -> None:
    visitor, back = came_back(outside, user)
    answer = visitor.get(back)
    assert answer.status_code == 403 and "bw_session" not in visitor.http.cookies
    assert "Traceback" not in answer.text and visitor.get("/upload").status_code == 303


def test_a_sign_in_is_bound_to_its_browser_and_good_once(outside: Site) -> None:
    victim, _ = came_back(outside, "teacher")
    _, evil = came_back(outside, "officer")
    assert victim.get(evil).status_code == 403  # somebody else's code, sent to the victim
    visitor, back = came_back(outside, "officer")
    assert visitor.get(back.replace("state=", "state=x")).status_code == 403
    assert visitor.get(back).status_code == 403  # what was begun is used up
    stranger = outside.visitor()
    assert stranger.get("/oidc/callback?code=x&state=y").status_code == 403


def test_a_name_that_somebody_has_is_not_taken_over(outside: Site) -> None:
    outside.account("local.admin", "administrator")
    visitor, back = came_back(outside, "takeover")
    answer = visitor.get(back)
    assert answer.status_code == 403 and "bw_session" not in visitor.http.cookies


def test_the_console_alone_prints_a_code_for_the_first_administrator(tmp_path: Path) -> None:
    one = Site(School(tmp_path / "s", matching=False), "serve")
    try:
        while "code=" not in one.output.read_text():
            assert one.process.poll() is None
            time.sleep(0.1)
        code = one.output.read_text().split("code=")[1].split()[0]
        visitor = one.visitor()
        visitor.get(f"/welcome?code={code}")
        body = {"code": code, "name": "Boss", "password": "four words in a row", "again": "four words in a row"}
        assert visitor.post("/welcome", body).status_code == 303
        assert visitor.get("/accounts").status_code == 200 and visitor.get("/review").status_code == 404
        assert visitor.http.get("/welcome", params={"code": code}).status_code == 200
        assert one.visitor().post("/welcome", body).status_code == 403
    finally:
        one.close()


def test_sign_ins_that_nobody_finishes_are_few_and_those_that_are_finished_do_not_count(outside: Site) -> None:
    for _ in range(3):
        visitor, back = came_back(outside, "teacher")
        assert visitor.get(back).status_code == 303
    there = outside.store.attempts.clear()
    visitor = outside.visitor()
    codes = [visitor.get("/oidc/login").status_code for _ in range(62)]
    assert codes == [303] * 60 + [429] * 2 and there < 60
    assert visitor.get("/login").status_code == 200
    outside.store.attempts.clear()


def test_a_server_that_does_not_answer_is_asked_seldom() -> None:
    """What it costs to be told so is next to nothing: no thread waits ten seconds for each who asks."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
    moment = 1000.0
    os.environ["BEELDWACHT_OIDC_SECRET"] = "s" * 32
    settings = Oidc(issuer=f"http://127.0.0.1:{port}", client_id="c", groups={"g": ("officer",)})
    client = OidcClient(settings, lambda: datetime.now(UTC), lambda: moment)
    for _ in range(3):
        with pytest.raises(OidcError, match="cannot be reached"):
            client.begin("cookie", "back", "/")
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(500)

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for step in (0, 29, 2, 1, 30):
            moment += step
            with pytest.raises(OidcError, match="cannot be reached"):
                client.begin("cookie", "back", "/")
        server.shutdown()
    assert len(asked) == 2
