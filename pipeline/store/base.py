"""Transactions, and how times and lists are written in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from pipeline.db import migrate, open_engine
from pipeline.errors import StoreError


def stamp(moment: datetime) -> str:
    """A moment as text that sorts: UTC, ISO 8601, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def to_json(values: object) -> str:
    """Compact JSON for a column."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


class Database:
    """One engine, with explicit read and write transactions. Every database error leaves as a StoreError."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        migrate(self.engine)

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
