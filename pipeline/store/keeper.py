"""One keeper for an installation: a PostgreSQL advisory lock, held by a connection of its own (threat N17).

SQLite needs none: the database lies beside the inbox, and the lock file there keeps a second service away.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import StartupError

_LOCK = "hashtextextended('beeldwacht keeper of ' || current_schema(), 0)"
"""The lock's number: one for each schema; PostgreSQL itself keeps one for each database."""
_HOLDER = """
SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.application_name LIKE 'beeldwacht keeper %'
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1
"""


class Keeper:
    """The right to work on this database, while `held` is open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the right. Raises StartupError when another service has it, on whatever machine."""
        if self._engine.dialect.name == "postgresql":
            self._take()
        try:
            yield
        finally:
            self._let_go()

    def prove(self) -> None:
        """Look whether the right is still held; a database that was started again is asked for it anew.

        Raises StartupError when another service took it meanwhile, SQLAlchemyError while the database is away.
        """
        if self._engine.dialect.name != "postgresql":
            return
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return
        except SQLAlchemyError:
            self._let_go()
        self._take()

    def _take(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            name = f"beeldwacht keeper {socket.gethostname()}:{os.getpid()}"[:63]
            connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name})
            if not connection.execute(text(f"SELECT pg_try_advisory_lock({_LOCK})")).scalar():
                holder = str(connection.execute(text(_HOLDER)).scalar() or "unknown").removeprefix("beeldwacht keeper ")
                raise StartupError(
                    f"Another Beeldwacht works on this database (host and process {holder}).",
                    "One service keeps an installation: stop the other first, or give this one its own database.",
                )
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # the server may be gone, and the lock with it
                connection.invalidate()
                connection.close()
