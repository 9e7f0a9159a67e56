"""What was tried lately, one row for each attempt, and from where accounts have signed in before."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from pipeline.store.console_tables import attempts, known_addresses
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal

KEPT = timedelta(hours=24)
"""Longer than any window."""
REMEMBERED = timedelta(days=90)


class AttemptStore:
    """Counting is one transaction with the check: of many attempts at once no more pass than there is room for."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def take(self, now: datetime, key: str, most: int, window: timedelta, amount: int = 1) -> bool:
        """Count an attempt when there is room for it in the window that ends now; returns whether there was."""
        if self.window(now, key, window)[1] + amount > most:
            return False  # without the lock for writing: who floods keeps nobody waiting
        with self._db.write() as tx:
            tx.execute(delete(attempts).where(attempts.c.key == key, attempts.c.at <= stamp(now - window)))
            there = tx.execute(select(func.count()).where(attempts.c.key == key)).scalar() or 0
            if there + amount > most:
                return False
            tx.execute(insert(attempts), [{"key": key, "at": stamp(now)}] * amount)
        return True

    def window(self, now: datetime, key: str, window: timedelta) -> tuple[datetime, int]:
        """When the oldest attempt that still counts was made (now, without one), and how many count."""
        counted = select(func.min(attempts.c.at), func.count())
        with self._db.read() as tx:
            oldest, there = tx.execute(counted.where(attempts.c.key == key, attempts.c.at > stamp(now - window))).one()
        return datetime.fromisoformat(oldest) if oldest else now, there

    def give_back(self, key: str) -> None:
        """Take the newest attempt out of the count: it was none of those that are counted."""
        newest = select(func.max(attempts.c.id)).where(attempts.c.key == key).scalar_subquery()
        with self._db.write() as tx:
            tx.execute(delete(attempts).where(attempts.c.id == newest))

    def clear(self, key: str | None = None) -> int:
        """Forget the attempts of a key, or (None) all; returns how many there were."""
        with self._db.write() as tx:
            wanted = delete(attempts) if key is None else delete(attempts).where(attempts.c.key == key)
            return tx.execute(wanted).rowcount

    def tell(self, now: datetime, limit: str, key: str, tries: int, wait: timedelta) -> None:
        """Write into the log that somebody has to wait."""
        body = {"limit": limit, "key": key, "failures": tries, "wait_seconds": int(wait.total_seconds())}
        self._journal.note(now, "account.blocked", "console", body)

    def known(self, now: datetime, account_id: int, place: str) -> bool:
        """Whether the account has signed in from this place within the time that is remembered."""
        c = known_addresses.c
        query = select(c.seen_at).where(c.account_id == account_id, c.place == place)
        with self._db.read() as tx:
            seen = tx.execute(query).scalar()
        return seen is not None and seen > stamp(now - REMEMBERED)

    def remember(self, now: datetime, account_id: int, place: str) -> None:
        """The account has signed in from this place."""
        same = (known_addresses.c.account_id == account_id, known_addresses.c.place == place)
        with self._db.write() as tx:
            if not tx.execute(update(known_addresses).where(*same).values(seen_at=stamp(now))).rowcount:
                tx.execute(insert(known_addresses).values(account_id=account_id, place=place, seen_at=stamp(now)))

    def tidy(self, now: datetime) -> None:
        """Delete what counts for nothing any more."""
        with self._db.write() as tx:
            tx.execute(delete(attempts).where(attempts.c.at < stamp(now - KEPT)))
            tx.execute(delete(known_addresses).where(known_addresses.c.seen_at < stamp(now - REMEMBERED)))
