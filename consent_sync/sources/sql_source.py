"""The register in any SQL database, by SQLAlchemy URL and query: the school's database, never Beeldwacht's own."""

from __future__ import annotations

import hashlib
import json
import os

from pydantic import Field, SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.parsing.cells import typed_text
from consent_sync.parsing.table import clean
from consent_sync.sources.base import Context, Options, source
from consent_sync.sources.csv_source import MAX_COLUMNS, MAX_ROWS

_READ_ONLY = {
    "postgresql": "SET TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


class SqlOptions(Options):
    """Where the database is, and the query that gives one row per person (and signature)."""

    url: SecretStr
    query: str = Field(min_length=1)
    password_variable: str = ""
    """The variable that holds the password, so that it is not in the configuration."""


@source("sql", SqlOptions)
def read(options: SqlOptions, context: Context) -> RawTable:
    """Run the query once, read-only where the database knows that, and inside a transaction that is rolled back.

    Raises:
        RegisterError: when the database cannot be reached, refuses the query, or gives nobody.
    """
    try:
        url = make_url(options.url.get_secret_value())
    except ArgumentError:
        raise RegisterError(
            "sql",
            "the url is none that SQLAlchemy knows",
            expected="postgresql+psycopg://user@host/db",
            remedy="Correct [register.options] url.",
        ) from None
    if options.password_variable:
        url = url.set(password=os.environ.get(options.password_variable, ""))
    name = url.database.rsplit("/", 1)[-1] if url.database else url.drivername
    try:
        sqlite = url.get_backend_name() == "sqlite"
        if sqlite and not (context.root / (url.database or "")).is_file():  # SQLite would make an empty one
            raise RegisterError(name, "there is no such database", remedy="Correct [register.options] url.")
        if sqlite:
            url = url.set(database=str((context.root / (url.database or "")).resolve()))
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                if engine.dialect.name in _READ_ONLY:
                    connection.exec_driver_sql(_READ_ONLY[engine.dialect.name])
                result = connection.execute(text(options.query))
                columns = tuple(clean(key) for key in result.keys())  # noqa: SIM118 - not a dictionary
                found = result.fetchmany(MAX_ROWS + 1)
                connection.rollback()
        finally:
            engine.dispose()
    except (NoSuchModuleError, ModuleNotFoundError) as e:
        raise RegisterError(name, f"there is no driver for {url.drivername}", remedy="Install it.") from e
    except SQLAlchemyError as e:
        what = str(getattr(e, "orig", None) or type(e).__name__).splitlines()[0][:300]
        raise RegisterError(name, f"the database refused: {what}", remedy="Correct url or query.") from e
    if len(columns) > MAX_COLUMNS or len(found) > MAX_ROWS:
        raise RegisterError(name, "the query gives more than a register holds", remedy="Correct the query.")
    if not found:
        raise RegisterError(
            name,
            "the query gives nobody: a school without people is not believed",
            remedy="Correct the query; the register loaded before stays in force.",
        )
    rows = tuple((n, tuple(_text(v) for v in row)) for n, row in enumerate(found, start=2))
    digest = hashlib.sha256(json.dumps([columns, rows], ensure_ascii=False).encode()).hexdigest()
    return RawTable(name, columns, rows, digest, (f"SQL, {url.get_dialect().name}",))


def _text(value: object) -> str:
    """A value as the text that a CSV would hold."""
    typed = typed_text(value)
    return str(value) if typed is None else typed
