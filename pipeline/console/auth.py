"""Signing in: passwords (argon2id), one-time codes and sessions. What is stored is in pipeline.store.accounts."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipeline.config import Console
from pipeline.console.passwords import LONGEST, checked
from pipeline.console.rate_limits import Limit, RateLimiter, place
from pipeline.console.second_factor import SecondFactor
from pipeline.errors import BeeldwachtError
from pipeline.store import Store
from pipeline.store.accounts import Account, AccountError, AccountRole, Session

ACCOUNT = Limit("account", 5, 5)
"""Of one account from one address. Where it has signed in before, nothing else counts: nobody else keeps it out."""
ADDRESS = Limit("address", 20, 5)
"""Of one address, over the accounts that never signed in from there: a school sits behind one address."""
STRANGERS = Limit("strangers", 25, 15)
"""Of one account from all addresses that it never signed in from: at most 100 in an hour (ASVS 5.0, 6.3.1)."""
CODES = Limit("code", 5, 5)
OWN = Limit("own password", 5, 5)
_TOUCH = timedelta(seconds=30)
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_PASSES, _MEMORY_KIB = 1, 46 << 10
"""Of argon2id: one of the equivalent choices of the OWASP Password Storage Cheat Sheet."""
CODE_VALID = timedelta(hours=1)


class SignInError(BeeldwachtError):
    """Nobody is signed in. The message never tells whether the name exists."""


class SecondFactorNeeded(BeeldwachtError):
    """The password is right, and the account has a second factor."""

    def __init__(self, name: str) -> None:
        super().__init__("A code of the second factor is needed.")
        self.name = name


class Auth:
    """The door. For use by several threads; at most two passwords are hashed at a time (46 MiB each)."""

    def __init__(self, store: Store, clock: Callable[[], datetime], settings: Console) -> None:
        self._store = store.accounts
        self._attempts = store.attempts
        self.limits = RateLimiter(store.attempts, clock)
        self.second = SecondFactor(store, clock, self.limits, frozenset(map(AccountRole, settings.second_factor)))
        self._clock = clock
        self._idle = timedelta(minutes=settings.idle_minutes)
        self._longest = timedelta(hours=settings.session_hours)
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._hashing = threading.BoundedSemaphore(2)

    # --- passwords --------------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, address: str) -> str:
        """A session's token for the right name and password.

        Raises SignInError, SecondFactorNeeded, or TooManyAttempts: attempts are counted before they are looked at.
        """
        try:
            account = self._store.find(name)
        except AccountError:
            account = None
        here = place(address)
        counted = self._counted(account, " ".join(name.split()).casefold()[:64], here)
        for limit, key in counted.items():
            self.limits.take(limit, *key)
        right = self._verify(account.password if account else None, password)
        if not right or account is None or account.locked_at:
            raise SignInError("wrong")
        self._forgive(counted)
        if account.password and self._hasher.check_needs_rehash(account.password):
            self._store.rehash(account, self._hash(password))
        if account.second:
            raise SecondFactorNeeded(account.name)
        return self.begin(account, "password", here)

    def sign_in_second(self, name: str, code: str, address: str) -> str:
        """A session's token for whose password was right and whose code is. Raises SignInError, TooManyAttempts."""
        account = self._store.find(name)
        if account is None or account.locked_at or not self.second.check(account, code):
            raise SignInError("wrong")
        return self.begin(account, "password and code", place(address))

    def set_password(self, account: Account, old: str, new: str) -> None:
        """Change one's own password. Raises SignInError when the old one is wrong, AccountError for a weak new one."""
        self.limits.take(OWN, account.name)
        if not self._verify(account.password, old):
            raise SignInError("wrong")
        self.limits.clear(OWN, account.name)
        self._store.set_password(self._clock(), account.actor, account, self._hash(checked(new, account.name)))

    def end_second(self, account: Account, password: str) -> None:
        """Take one's own second factor away. Raises SignInError for a wrong password."""
        self.limits.take(OWN, account.name)
        if not self._verify(account.password, password):
            raise SignInError("wrong")
        self.limits.clear(OWN, account.name)
        self._store.set_second(self._clock(), account.actor, account, None)

    def _counted(self, account: Account | None, name: str, here: str) -> dict[Limit, tuple[str, ...]]:
        """The limits for which an attempt to sign in counts, each with its key."""
        if account and self._attempts.known(self._clock(), account.id, here):
            return {ACCOUNT: (name, here)}
        return {ACCOUNT: (name, here), ADDRESS: (here,), STRANGERS: (name,)}

    def _forgive(self, counted: dict[Limit, tuple[str, ...]]) -> None:
        """A right password: of this account and address everything is forgotten, of the others this attempt."""
        for limit, key in counted.items():
            if limit is ACCOUNT:
                self.limits.clear(limit, *key)
            else:
                self.limits.give_back(limit, *key)

    def _verify(self, hashed: str | None, password: str) -> bool:
        """As slow for a name that does not exist as for one that does."""
        try:
            with self._hashing:
                self._hasher.verify(hashed or self._nobody, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    def _hash(self, password: str) -> str:
        with self._hashing:
            return self._hasher.hash(password)

    # --- one-time codes ---------------------------------------------------------------------------------------

    def invite(self, actor: str, name: str | None) -> str:
        """A one-time code for an account, or for the first administrator (None). It is shown once and not kept."""
        code = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
        self._store.invite(self._clock(), actor, digest(code), name, CODE_VALID)
        return code

    def invited(self, code: str) -> Account | bool | None:
        """Whom a code is for: an account, True for the first administrator, None when it is not good."""
        return self._store.invited(self._clock(), digest(_typed(code)))

    def accept(self, code: str, name: str, password: str, address: str) -> str:
        """Use a code to set a password, and sign in. Raises AccountError, or TooManyAttempts."""
        here = place(address)
        self.limits.take(CODES, here)
        if self.invited(code) is None:
            raise AccountError("The code is not good, or not good any more.", "Ask for a new one.")
        self.limits.give_back(CODES, here)
        hashed = self._hash(checked(password, name))
        account = self._store.accept(self._clock(), digest(_typed(code)), name, hashed)
        return self.begin(account, "one-time code", here)

    # --- sessions ---------------------------------------------------------------------------------------------

    def begin(self, account: Account, how: str, here: str) -> str:
        """A new session of somebody at this place; returns its token, which only the browser keeps."""
        now, token = self._clock(), secrets.token_urlsafe(32)
        self._store.tidy(now, now - self._longest, now - self._idle)
        self._attempts.tidy(now)
        self._attempts.remember(now, account.id, here)
        self._store.begin(now, account, digest(token), how)
        return token

    def session(self, token: str) -> Session | None:
        """The session of a token, unless it is over: too long idle, too old, or its account is locked."""
        found = self._store.session(digest(token)) if token else None
        now = self._clock()
        if found is None or now - found.seen_at > self._idle or now - found.begun_at > self._longest:
            return None
        if now - found.seen_at > _TOUCH:
            self._store.touch(now, digest(token))
        return found

    def end(self, token: str) -> None:
        """Sign out."""
        self._store.end(digest(token))


def csrf_of(cookie: str) -> str:
    """The token that a form must carry: only who knows the cookie can know it, and it does not tell the cookie."""
    return hashlib.sha256(b"csrf\0" + cookie.encode()).hexdigest()


def roles_of(names: list[str]) -> list[AccountRole]:
    """Roles by their names. Raises AccountError for one that does not exist."""
    try:
        return sorted({AccountRole(n) for n in names})
    except ValueError as e:
        raise AccountError(f"{e}.", f"Roles are {', '.join(AccountRole)}.") from e


def _typed(code: str) -> str:
    """A code as somebody types it."""
    return "".join(code.split()).casefold()


def digest(secret: str) -> str:
    """What is kept of a token, a code or a cookie: it lets nobody in."""
    return hashlib.sha256(secret.encode()).hexdigest()
