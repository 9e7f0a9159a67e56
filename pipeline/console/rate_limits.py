"""How often something may be tried. An attempt is counted before it is looked at, so that many at once are few.

limits = RateLimiter(store.attempts, clock)
limits.take(Limit("parent link", most=10, minutes=5), address)      # raises TooManyAttempts
limits.give_back(Limit("parent link", most=10, minutes=5), address)  # it was a good one: it does not count
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from pipeline.errors import BeeldwachtError
from pipeline.store.attempts import AttemptStore


class TooManyAttempts(BeeldwachtError):
    """Nothing was looked at. `seconds` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many attempts.", f"Try again in {ceil(seconds / 60)} min.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many attempts within so many minutes, whenever they begin: a wait is never longer than that."""

    name: str
    most: int
    minutes: int

    @property
    def item(self) -> RateLimitItem:
        """As the library knows it."""
        return RateLimitItemPerMinute(self.most, self.minutes, self.name)


class RateLimiter:
    """Limits of the library `limits`, counted in the database: they hold across threads, processes and restarts."""

    def __init__(self, store: AttemptStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._storage = _InDatabase(store, clock)
        self._windows = MovingWindowRateLimiter(self._storage)

    def take(self, limit: Limit, *key: str) -> None:
        """Count an attempt. Raises TooManyAttempts, and says so in the log once in each window."""
        if self._windows.hit(limit.item, *key):
            return
        until = self._windows.get_window_stats(limit.item, *key).reset_time
        wait = max(timedelta(seconds=1), datetime.fromtimestamp(until, self._clock().tzinfo) - self._clock())
        if self._windows.hit(Limit("told", 1, limit.minutes).item, limit.name, *key):
            self._store.tell(self._clock(), limit.name, " ".join(key), limit.most, wait)
        raise TooManyAttempts(ceil(wait.total_seconds()))

    def give_back(self, limit: Limit, *key: str) -> None:
        """The attempt was a good one: it does not count."""
        self._store.give_back(limit.item.key_for(*key))

    def clear(self, limit: Limit, *key: str) -> None:
        """Forget all attempts with this key."""
        self._windows.clear(limit.item, *key)


class _InDatabase(Storage, MovingWindowSupport):
    """What `limits` asks of a place to count in, for moving windows; it has no other counters here."""

    STORAGE_SCHEME = None

    def __init__(self, store: AttemptStore, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._store = store
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception]:
        """Errors of the database leave as they are."""
        return BeeldwachtError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count when there is room."""
        return self._store.take(self._clock(), key, limit, timedelta(seconds=expiry), amount)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the window begins, and how many are in it."""
        start, there = self._store.window(self._clock(), key, timedelta(seconds=expiry))
        return start.timestamp(), there

    def check(self) -> bool:
        """Whether the database answers: it raises when it does not."""
        return self._store.window(self._clock(), "", timedelta())[1] == 0

    def reset(self) -> int:
        """Forget everything."""
        return self._store.clear()

    def clear(self, key: str) -> None:
        """Forget the attempts of a key."""
        self._store.clear(key)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Of fixed windows, which let twice as many pass where two of them meet."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Of fixed windows, as above."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Of fixed windows, as above."""
        raise NotImplementedError


def place(host: str) -> str:
    """The address by which attempts are counted: of IPv6 the network (/64), in which anybody has any number of them."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
