"""The second factor: codes of six digits that an app makes of a shared secret and the time (TOTP, RFC 6238).

Between the password and the code, and between the showing of a secret and its first code, what is known waits in memory
for five minutes: who is interrupted begins again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pyotp

from pipeline.console.rate_limits import Limit, RateLimiter
from pipeline.store import Store
from pipeline.store.accounts import Account, AccountError, AccountRole

CODES = Limit("second factor", 5, 5)
_STEP = 30
_WAITS = timedelta(minutes=5)
_MOST = 1000


class SecondFactor:
    """For use by several threads. `required` are the roles that may do nothing without one."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], limits: RateLimiter, required: frozenset[AccountRole]
    ) -> None:
        self._store = store.accounts
        self._clock = clock
        self._limits = limits
        self._required = required
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, datetime]] = {}

    def missing(self, account: Account) -> bool:
        """Whether the account needs a second factor and has none. The school's own server asks for its own."""
        return not account.outside and account.second is None and not account.roles.isdisjoint(self._required)

    def hold(self, key: str, value: str) -> None:
        """Keep what waits for a code, under the digest of the browser's cookie."""
        now = self._clock()
        with self._lock:
            self._waiting = {k: v for k, v in self._waiting.items() if now - v[1] < _WAITS}
            if len(self._waiting) >= _MOST:
                raise AccountError("Too many people are signing in.", "Try again in five minutes.")
            self._waiting[key] = (value, now)

    def held(self, key: str) -> str | None:
        """What waits under a key, unless it waited for too long."""
        with self._lock:
            value, at = self._waiting.get(key, ("", None))
        return value if at and self._clock() - at < _WAITS else None

    def drop(self, key: str) -> None:
        """Nothing waits there any more."""
        with self._lock:
            self._waiting.pop(key, None)

    def offer(self, key: str, account: Account, school: str) -> tuple[str, str]:
        """A secret for an app, which holds as soon as a code proves it: as text, and as an otpauth address."""
        secret = self.held(f"offer:{key}") or pyotp.random_base32()
        self.hold(f"offer:{key}", secret)
        return secret, pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name=f"Beeldwacht {school}")

    def begin(self, key: str, account: Account, code: str) -> None:
        """Take the secret that was offered. Raises AccountError for a wrong code, or TooManyAttempts."""
        self._limits.take(CODES, account.name)
        secret = self.held(f"offer:{key}")
        step = self._step(secret, code) if secret else None
        if step is None:
            raise AccountError("This code is not right.", "Type the six digits that the app shows now.")
        self._limits.clear(CODES, account.name)
        self._store.set_second(self._clock(), account.actor, account, secret, step)
        self.drop(f"offer:{key}")

    def check(self, account: Account, code: str) -> bool:
        """Whether a code is right, and was not used before. Raises TooManyAttempts: counted before it is looked at."""
        self._limits.take(CODES, account.name)
        step = self._step(account.second, code) if account.second else None
        if step is None or not self._store.use_step(account, step):
            return False
        self._limits.clear(CODES, account.name)
        return True

    def _step(self, secret: str | None, code: str) -> int | None:
        """The step of time whose code this is: now, the one before or the one after."""
        if not secret:
            return None
        now = int(self._clock().timestamp())
        totp, typed = pyotp.TOTP(secret), "".join(code.split())
        near = (now // _STEP + n for n in (0, -1, 1))
        return next((s for s in near if pyotp.utils.strings_equal(totp.at(s * _STEP), typed)), None)
