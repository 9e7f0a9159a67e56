"""Accounts on a real database, with a clock of the test's own: passwords, codes, waits, sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config import Console
from pipeline.console.auth import Auth, SignInError
from pipeline.console.rate_limits import TooManyAttempts, place
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


def guess(auth: Auth, name: str, address: str, times: int) -> list[str]:
    """Wrong passwords; what each was told."""
    said = []
    for _ in range(times):
        with pytest.raises((SignInError, TooManyAttempts)) as e:
            auth.sign_in(name, "wrong wrong wrong", address)
        said.append("wait" if isinstance(e.value, TooManyAttempts) else "wrong")
    return said


def test_five_guesses_of_an_account_from_an_address_and_then_minutes(auth: Auth, store: Store, clock: Clock) -> None:
    assert guess(auth, "kim", ELSEWHERE, 7) == ["wrong"] * 5 + ["wait"] * 2
    with pytest.raises(TooManyAttempts) as e:
        auth.sign_in("kim", GOOD, ELSEWHERE)  # a right password waits too
    assert e.value.seconds == 300 and "5 min" in str(e.value)
    told = [x for x in store.journal.entries() if x.kind == "account.blocked"]
    assert len(told) == 1 and '"wait_seconds":300' in told[0].body
    clock.on(minutes=5)
    assert auth.session(auth.sign_in("kim", GOOD, ELSEWHERE))


def test_nobody_elses_guesses_keep_somebody_out(auth: Auth, clock: Clock) -> None:
    """N9: neither those of the account from elsewhere, nor those of others behind the address that it comes from."""
    for n in range(6):
        guess(auth, "kim", f"198.51.100.{n}", 5)
    assert auth.sign_in("kim", GOOD, HERE)
    assert guess(auth, "other", HERE, 5)[-1] == "wrong"
    for n in range(20):
        guess(auth, f"nobody{n}", HERE, 1)
    with pytest.raises(TooManyAttempts):
        auth.sign_in("somebody", GOOD, HERE)
    assert auth.sign_in("kim", GOOD, HERE)
    with pytest.raises(TooManyAttempts):
        auth.sign_in("kim", GOOD, "203.0.113.9")  # where it never was: 25 guesses in a quarter of an hour are enough
    clock.on(minutes=15)
    assert auth.sign_in("kim", GOOD, "203.0.113.9")


def test_one_address_does_not_lock_the_owner_out_of_others(auth: Auth, clock: Clock) -> None:
    for _ in range(3):
        guess(auth, "kim", ELSEWHERE, 6)
        clock.on(minutes=5)
    assert auth.sign_in("kim", GOOD, "203.0.113.9")


def test_of_120_guesses_at_once_five_are_looked_at(auth: Auth, store: Store) -> None:
    start = threading.Barrier(120)

    def once(_: int) -> str:
        start.wait()
        return guess(auth, "kim", ELSEWHERE, 1)[0]

    with ThreadPoolExecutor(120) as pool:
        said = list(pool.map(once, range(120)))
    assert said.count("wrong") == 5
    assert sum(e.kind == "account.blocked" for e in store.journal.entries()) == 1


def test_a_school_behind_one_address_signs_in_all_the_same(store: Store, auth: Auth, clock: Clock) -> None:
    kim = store.accounts.find("kim")
    assert kim is not None and kim.password
    for n in range(21):
        one = store.accounts.add(clock(), "test", f"teacher{n}", [AccountRole.UPLOADER])
        store.accounts.set_password(clock(), "test", one, kim.password)
        assert auth.sign_in(f"teacher{n}", GOOD, "203.0.113.2")


def test_an_ipv6_network_counts_as_one_address(auth: Auth) -> None:
    said = [guess(auth, "kim", f"2001:db8:0:1::{n:x}", 1)[0] for n in range(1, 8)]
    assert said.count("wrong") == 5
    assert place("::ffff:192.0.2.1") == "192.0.2.1" and place("2001:db8:0:1::7") == "2001:db8:0:1::/64"


def test_who_guesses_at_the_old_password_waits_too(auth: Auth, store: Store) -> None:
    kim = store.accounts.find("kim")
    assert kim is not None
    for _ in range(5):
        with pytest.raises(SignInError, match="wrong"):
            auth.set_password(kim, "wrong wrong wrong", "another four words here")
    with pytest.raises(TooManyAttempts):
        auth.set_password(kim, GOOD, "another four words here")


def test_a_name_that_is_not_there_says_nothing(auth: Auth) -> None:
    assert guess(auth, "nobody", ELSEWHERE, 6) == guess(auth, "kim", "203.0.113.9", 6)


def test_what_was_counted_outlives_the_program_and_not_the_day(auth: Auth, store: Store, clock: Clock) -> None:
    guess(auth, "kim", ELSEWHERE, 5)
    again = Auth(store, clock, Console())
    assert guess(again, "kim", ELSEWHERE, 1) == ["wait"]
    clock.on(days=2)
    again.sign_in("kim", GOOD, HERE)
    assert store.attempts.clear() == 0


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
        with pytest.raises(AccountError):
            auth.accept("aaaaa-bbbbb-ccccc-ddddd", "kim", GOOD, "192.0.2.9")
    with pytest.raises(TooManyAttempts):
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


@pytest.mark.parametrize(
    "password",
    [
        *("short", "aaaaaaaaaaaaaaaa", "kim kim kim kim", "x" * 201, "kim kent nog vier woorden"),
        *("wachtwoord123", "Welkom01Welkom01", "passwordpassword", "qwertyuiop123", "Welkom2026!!", "Basisschool2026"),
    ],
)
def test_passwords_that_are_easy_to_guess_are_refused(auth: Auth, password: str) -> None:
    with pytest.raises(AccountError):
        auth.accept(auth.invite("test", "kim"), "kim", password, ELSEWHERE)


@pytest.mark.parametrize("name", ["", "a", "a b", "<b>", "x" * 65, "a/b", "../x"])
def test_names_that_could_do_harm_are_refused(store: Store, clock: Clock, name: str) -> None:
    with pytest.raises(AccountError):
        store.accounts.add(clock(), "test", name, [AccountRole.OFFICER])
