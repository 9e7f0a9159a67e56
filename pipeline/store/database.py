"""Transactions, and how times and lists are written in the database."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import StoreError
from pipeline.store.keeper import Keeper
from pipeline.store.tables import migrate, open_engine, register_versions


def stamp(moment: datetime) -> str:
    """A moment as text that sorts: UTC, ISO 8601, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def to_json(values: object) -> str:
    """Compact JSON for a column."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def newest_version(tx: Connection) -> int:
    """The version of the register that is in force; 0 when none was ever loaded."""
    return tx.execute(select(func.max(register_versions.c.version))).scalar() or 0


class Database:
    """One engine, with explicit read and write transactions. Every database error leaves as a StoreError."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        migrate(self.engine)
        self._keeper = Keeper(self.engine)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at once; commits at the end, rolls back on any error."""
        with _typed_errors(), self.engine.connect().execution_options(write=True) as tx, tx.begin():
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for reading."""
        with _typed_errors(), self.engine.connect() as tx, tx.begin():
            yield tx

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Hold the right to work on this database. Raises StartupError when another service has it."""
        with _typed_errors(), self._keeper.held():
            yield

    def prove_keeper(self) -> None:
        """Look whether the right is still held. Raises StartupError when another service took it meanwhile."""
        with _typed_errors():
            self._keeper.prove()

    def checkpoint(self) -> bool:
        """SQLite: bring everything from the write-ahead log into the file and empty it, so that nothing deleted stays.

        Returns whether it is empty; a reader may keep it from that for a moment. Other databases do it themselves.
        """
        return self._patiently("PRAGMA wal_checkpoint(TRUNCATE)")

    def compact(self) -> bool:
        """Rewrite the whole database without what was deleted, and empty the write-ahead log."""
        if self.engine.dialect.name != "sqlite":
            with _typed_errors(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
                tx.exec_driver_sql("VACUUM")
            return True
        return self._patiently("VACUUM") and self.checkpoint()

    def _patiently(self, command: str, tries: int = 40) -> bool:
        if self.engine.dialect.name != "sqlite":
            return True
        with _typed_errors():
            connection = self.engine.raw_connection()
            try:
                for left in range(tries, 0, -1):
                    cursor = connection.cursor()
                    try:
                        row = cursor.execute(command).fetchone()
                    except sqlite3.OperationalError as e:
                        if left == 1 or "locked" not in str(e):
                            raise StoreError(f"The database refused: {e}.", "Try again.") from e
                        row = (1,)
                    finally:
                        cursor.close()
                    if not row or row[0] == 0:
                        return True
                    time.sleep(0.25)
            finally:
                connection.close()
        return False

    def snapshot(self, target: Path) -> None:
        """SQLite: a copy as of one moment, while others read and write. Raises StoreError for another database."""
        if self.engine.dialect.name != "sqlite":
            raise StoreError(
                "This database is not a file that can be copied here.",
                "Make a dump with pg_dump first, then run `beeldwacht backup --without-database` "
                "(see docs/operator/backup.md).",
            )
        with _typed_errors():
            target.touch(mode=0o600)
            connection, copy = self.engine.raw_connection(), sqlite3.connect(target)
            try:
                source = connection.driver_connection
                if not isinstance(source, sqlite3.Connection):
                    raise StoreError("The driver of the database cannot copy it.", "Use the one of Python.")
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            except sqlite3.Error as e:
                raise StoreError(f"The database cannot be copied: {e}.", "Check the disk, and try again.") from e
            finally:
                copy.close()
                connection.close()

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as e:
        raise StoreError(
            f"The database refused: {getattr(e, 'orig', None) or e}.",
            "Nothing of this step was kept. Check the disk and `beeldwacht doctor`; the work is tried again.",
        ) from e
