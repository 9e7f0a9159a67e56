"""Accounts on a real database, with a clock of the test's own: passwords, codes, waits, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config import Console
from pipeline.console.auth import Auth, SignInError
from pipeline.store import Store
from pipeline.store.accounts import AccountError, AccountRole

GOOD = "four words in a row"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def on(self, **passed: float) -> None:
        self.now += timedelta(**passed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(f"sqlite:///{tmp_path / 'b.db'}")
    yield one
    one.close()


@pytest.fixture
def auth(store: Store, clock: Clock) -> Auth:
    """One officer, kim, with a password."""
    one = Auth(store, clock, Console(idle_minutes=20, session_hours=8))
    store.accounts.add(clock(), "test", "kim", [AccountRole.OFFICER])
    one.end(one.accept(one.invite("test", "kim"), "kim", GOOD, HERE))
    return one


def test_nothing_that_is_stored_lets_anybody_in(auth: Auth, store: Store, tmp_path: Path) -> None:
    token, code = auth.sign_in("Kim", GOOD, HERE), auth.invite("test", "kim")
    account = store.accounts.find("kim")
    assert account is not None and account.password is not None and account.password.startswith("$argon2id$")
    store.database.checkpoint()
    data = (tmp_path / "b.db").read_bytes()
    assert all(secret.encode() not in data for secret in (token, code, GOOD))


def test_waits_double_and_a_right_password_waits_too(auth: Auth, store: Store, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(SignInError, match="wrong"):
            auth.sign_in("kim", "wrong wrong wrong", HERE)
    for seconds in (30, 60, 120):
        with pytest.raises(SignInError, match="blocked") as e:
            auth.sign_in("kim", GOOD, ELSEWHERE)  # the name waits, from wherever
        assert int(e.value.remedy) == seconds + 1
        clock.on(seconds=seconds + 1)
        with pytest.raises(SignInError, match="wrong"):
            auth.sign_in("kim", "wrong wrong wrong", HERE)
    clock.on(seconds=241)
    assert auth.session(auth.sign_in("kim", GOOD, HERE))
    assert sum(e.kind == "account.blocked" for e in store.journal.entries()) == 4


def test_who_guesses_at_the_old_password_waits_too(auth: Auth, store: Store) -> None:
    kim = store.accounts.find("kim")
    assert kim is not None
    for _ in range(5):
        with pytest.raises(SignInError, match="wrong"):
            auth.set_password(kim, "wrong wrong wrong", "another four words here")
    with pytest.raises(SignInError, match="blocked"):
        auth.set_password(kim, GOOD, "another four words here")


def test_an_address_that_tries_many_names_waits_and_a_name_that_is_not_there_says_nothing(auth: Auth) -> None:
    said = set()
    for n in range(20):
        with pytest.raises(SignInError) as e:
            auth.sign_in(f"nobody{n}", GOOD, HERE)
        said.add(str(e.value))
    assert said == {"wrong"}
    with pytest.raises(SignInError, match="blocked"):
        auth.sign_in("kim", GOOD, HERE)
    assert auth.sign_in("kim", GOOD, ELSEWHERE)


def test_a_code_is_good_once_for_an_hour_and_for_its_own_account(auth: Auth, store: Store, clock: Clock) -> None:
    code = auth.invite("test", "kim")
    auth.accept(code, "somebody-else", "another four words here", HERE)
    assert store.accounts.find("somebody-else") is None
    with pytest.raises(AccountError, match="not good"):
        auth.accept(code, "kim", GOOD, ELSEWHERE)
    late = auth.invite("test", "kim")
    clock.on(minutes=61)
    with pytest.raises(AccountError, match="not good"):
        auth.accept(late, "kim", GOOD, ELSEWHERE)
    for _ in range(5):
        with pytest.raises((AccountError, SignInError)):
            auth.accept("aaaaa-bbbbb-ccccc-ddddd", "kim", GOOD, "192.0.2.9")
    with pytest.raises(SignInError, match="blocked"):
        auth.accept(auth.invite("test", "kim"), "kim", GOOD, "192.0.2.9")


def test_the_first_administrators_code_makes_one_and_only_one(store: Store, clock: Clock) -> None:
    auth = Auth(store, clock, Console())
    first = auth.invite("terminal", None)
    assert auth.invited(first) is True
    auth.accept(first, "Boss", GOOD, HERE)
    made = store.accounts.find("boss")
    assert made is not None and made.roles == {AccountRole.ADMINISTRATOR} and store.accounts.administered()
    again = auth.invite("terminal", None)
    assert auth.invited(again) is None


def test_an_account_of_the_schools_own_server_gets_no_password_and_no_roles_here(
    auth: Auth, store: Store, clock: Clock
) -> None:
    store.accounts.from_outside(clock(), "https://login.example#1", "teacher", [AccountRole.UPLOADER])
    with pytest.raises(AccountError, match="own account"):
        auth.invite("account:boss", "Teacher")
    with pytest.raises(AccountError, match="own account"):
        store.accounts.set_roles(clock(), "account:boss", "teacher", [AccountRole.OFFICER])
    found = store.accounts.find("teacher")
    assert found is not None and found.password is None and found.roles == {AccountRole.UPLOADER}


def test_sessions_end_by_idling_by_age_by_a_lock_and_by_other_rights(auth: Auth, store: Store, clock: Clock) -> None:
    idle = auth.sign_in("kim", GOOD, HERE)
    clock.on(minutes=19)
    assert auth.session(idle)
    clock.on(minutes=19)
    assert auth.session(idle)  # it was used in between
    clock.on(minutes=21)
    assert auth.session(idle) is None
    old = auth.sign_in("kim", GOOD, HERE)
    for _ in range(32):
        clock.on(minutes=15)
        auth.session(old)
    clock.on(minutes=1)
    assert auth.session(old) is None
    for end in (
        lambda: store.accounts.lock(clock(), "test", "kim", True),
        lambda: store.accounts.set_roles(clock(), "test", "kim", [AccountRole.UPLOADER]),
    ):
        token = auth.sign_in("kim", GOOD, HERE)
        assert auth.session(token)
        end()
        assert auth.session(token) is None
        store.accounts.lock(clock(), "test", "kim", False)
    assert auth.session("") is None and auth.session("x" * 43) is None


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "kim kim kim kim", "x" * 201])
def test_passwords_that_are_easy_to_guess_are_refused(auth: Auth, password: str) -> None:
    with pytest.raises(AccountError):
        auth.accept(auth.invite("test", "kim"), "kim", password, ELSEWHERE)


@pytest.mark.parametrize("name", ["", "a", "a b", "<b>", "x" * 65, "a/b", "../x"])
def test_names_that_could_do_harm_are_refused(store: Store, clock: Clock, name: str) -> None:
    with pytest.raises(AccountError):
        store.accounts.add(clock(), "test", name, [AccountRole.OFFICER])
