"""Codes of an app beside the password: proven once, good once, needed by a role, guessed by nobody."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from pipeline.console.connections import Patience
from pipeline.console.rate_limits import TooManyAttempts
from pipeline.console.second_factor import CODES
from pipeline.store.accounts import AccountError
from tests.console.door import Door, opened
from tests.console.site import PASSWORD, Visitor
from tests.console.test_uploads import signed_in


def key_of(one: Visitor) -> str:
    found = re.search(r'<code class="code">([A-Z2-7]{32})</code>', one.get("/account").text)
    assert found
    return found[1]


def begin(one: Visitor) -> pyotp.TOTP:
    """Give the account a second factor; its first code is used up."""
    totp = pyotp.TOTP(key_of(one))
    assert one.post("/account/second", {"act": "begin", "code": "000000"}).status_code == 400
    assert one.post("/account/second", {"act": "begin", "code": totp.now()}).status_code == 303
    return totp


def half_signed_in(door: Door) -> Visitor:
    """Somebody whose password was right, and who is not in."""
    one = Visitor(door.address)
    one.get("/login")
    answer = one.post("/login", {"name": "kim", "password": PASSWORD, "next": "/account"})
    assert answer.status_code == 200 and "bw_session" not in one.http.cookies
    assert one.get("/upload").status_code == 303
    return one


def later(door: Door, **passed: float) -> None:
    """Move the console's clock on."""
    clock, second = door.server.console.clock, door.server.console.auth.second
    second._clock = lambda: clock() + timedelta(**passed)


def test_the_password_alone_lets_nobody_in_and_a_code_is_good_once(tmp_path: Path) -> None:
    with opened(tmp_path, Patience()) as door:
        totp = begin(signed_in(door))
        one = half_signed_in(door)
        now = door.server.console.clock()
        assert one.post("/login/code", {"code": totp.at(now)}).status_code == 403  # the one that set it up
        later(door, seconds=60)
        code = totp.at(now + timedelta(seconds=60))
        answer = one.post("/login/code", {"code": code, "next": "/account"})
        assert answer.status_code == 303 and answer.headers["location"] == "/account"
        assert one.get("/upload").status_code == 200
        assert half_signed_in(door).post("/login/code", {"code": code}).status_code == 403
        stranger = Visitor(door.address)
        stranger.get("/login")
        later(door, seconds=120)
        fresh = totp.at(now + timedelta(seconds=120))
        assert stranger.post("/login/code", {"code": fresh}).status_code == 403  # nobody's password was given there
        slow = half_signed_in(door)
        later(door, seconds=460)
        assert slow.post("/login/code", {"code": totp.at(now + timedelta(seconds=460))}).status_code == 403


def test_codes_are_not_guessed(tmp_path: Path) -> None:
    with opened(tmp_path, Patience()) as door:
        begin(signed_in(door))
        console = door.server.console
        kim = console.store.accounts.find("kim")
        assert kim is not None
        for n in range(CODES.most):
            assert not console.auth.second.check(kim, f"{n:06}")
        with pytest.raises(TooManyAttempts):
            console.auth.second.check(kim, "000000")
        assert half_signed_in(door).post("/login/code", {"code": "1"}).status_code == 429


def test_a_role_can_need_it_and_does_nothing_without(tmp_path: Path) -> None:
    with opened(tmp_path, Patience(), second_factor=["uploader"]) as door:
        one = signed_in(door)
        for path in ("/", "/upload", "/upload/mine"):
            assert one.get(path).headers["location"] == "/account"
        assert one.post("/upload/begin", {"name": "a.jpg", "size": "1"}).headers["location"] == "/account"
        one.get("/account")
        begin(one)
        assert one.get("/upload").status_code == 200


def test_it_ends_by_the_password_or_by_a_new_one_time_code(tmp_path: Path) -> None:
    with opened(tmp_path, Patience()) as door:
        one, console = signed_in(door), door.server.console
        begin(one)
        assert one.post("/account/second", {"act": "end", "old": "wrong wrong wrong"}).status_code == 403
        assert one.post("/account/second", {"act": "end", "old": PASSWORD}).status_code == 303
        begin(one)
        console.auth.end(console.auth.accept(console.auth.invite("test", "kim"), "kim", PASSWORD, "127.0.0.1"))
        kim = console.store.accounts.find("kim")
        assert kim is not None and kim.second is None
        kinds = [e.kind for e in console.store.journal.entries()]
        assert kinds.count("account.second_factor") == 3
        with pytest.raises(AccountError):
            console.auth.second.begin("nobody's", kim, "000000")
