"""Files that come in through the page, piece by piece: whose they are, how far they are, what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from pipeline.errors import BeeldwachtError
from pipeline.store.console_tables import uploads
from pipeline.store.database import Database, stamp
from pipeline.store.log import Journal

MOST_OPEN = 50
"""Unfinished uploads of one account: pieces of them lie on the disk for days."""


class UploadError(BeeldwachtError):
    """A piece does not fit, or there is no such upload of this account."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way in. `sha256` is known when it is whole."""

    id: str
    account_id: int
    name: str
    event: str
    size: int
    received: int
    sha256: str | None
    begun_at: str
    done_at: str | None


class UploadStore:
    """Every question names the account: nobody sees, or adds to, another's upload."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def begin(self, now: datetime, account_id: int, key: str, name: str, event: str, size: int, quota: int) -> Upload:
        """A new upload, or the unfinished one of the same file by the same account, to go on with.

        Raises UploadError when the account has too many unfinished ones, or more bytes of them than its `quota`.
        """
        same = (
            uploads.c.account_id == account_id,
            uploads.c.name == name,
            uploads.c.event == event,
            uploads.c.size == size,
            uploads.c.done_at.is_(None),
        )
        with self._db.write() as tx:
            row = tx.execute(select(uploads).where(*same)).first()
            if row is None:
                open_ = select(func.count(), func.coalesce(func.sum(uploads.c.size), 0))
                mine = uploads.c.account_id == account_id, uploads.c.done_at.is_(None)
                count, total = tx.execute(open_.where(*mine)).one()
                if count >= MOST_OPEN or total + size > quota:
                    raise UploadError(
                        "Too many files were begun and not finished.", "Finish them first: choose the same files again."
                    )
                tx.execute(
                    insert(uploads).values(
                        id=key,
                        account_id=account_id,
                        name=name,
                        event=event,
                        size=size,
                        received=0,
                        begun_at=stamp(now),
                    )
                )
                row = tx.execute(select(uploads).where(uploads.c.id == key)).one()
            return _upload(row)

    def finished(self, account_id: int, name: str, event: str, size: int, sha256: str) -> Upload | None:
        """A whole upload of this account that is the same file: by its hash, or where that is "" by name and size."""
        c = uploads.c
        same = [c.account_id == account_id, c.name == name, c.event == event, c.size == size, c.done_at.is_not(None)]
        if sha256:
            same.append(c.sha256 == sha256)
        with self._db.read() as tx:
            row = tx.execute(select(uploads).where(*same).limit(1)).first()
        return _upload(row) if row else None

    def get(self, account_id: int, key: str) -> Upload:
        """An upload of this account. Raises UploadError."""
        with self._db.read() as tx:
            row = tx.execute(select(uploads).where(uploads.c.id == key, uploads.c.account_id == account_id)).first()
        if row is None:
            raise UploadError("There is no such upload.", "Choose the file again.")
        return _upload(row)

    def received(self, account_id: int, key: str, offset: int, length: int) -> Upload:
        """Count a piece that was written. Raises UploadError when it is not the next one."""
        with self._db.write() as tx:
            done = tx.execute(
                update(uploads)
                .where(
                    uploads.c.id == key,
                    uploads.c.account_id == account_id,
                    uploads.c.received == offset,
                    uploads.c.size >= offset + length,
                    uploads.c.done_at.is_(None),
                )
                .values(received=offset + length)
            ).rowcount
        if not done:
            raise UploadError("This piece is not the next one.", "Ask how far the upload is.")
        return self.get(account_id, key)

    def finish(self, now: datetime, actor: str, upload: Upload, sha256: str) -> None:
        """The file is whole, and lies in the inbox."""
        with self._db.write() as tx:
            tx.execute(update(uploads).where(uploads.c.id == upload.id).values(sha256=sha256, done_at=stamp(now)))
            body = {"sha256": sha256, "bytes": upload.size}
            self._journal.append(tx, now, "upload.finished", actor, body)

    def of(self, account_id: int, limit: int = 200) -> list[Upload]:
        """The uploads of an account, newest first."""
        query = select(uploads).where(uploads.c.account_id == account_id).order_by(uploads.c.begun_at.desc())
        with self._db.read() as tx:
            return [_upload(r) for r in tx.execute(query.limit(limit))]

    def abandoned(self, begun_before: datetime) -> list[str]:
        """Forget unfinished uploads that nobody goes on with; returns their keys, whose pieces can be deleted."""
        old = (uploads.c.done_at.is_(None), uploads.c.begun_at < stamp(begun_before))
        with self._db.write() as tx:
            keys = list(tx.execute(select(uploads.c.id).where(*old)).scalars())
            tx.execute(delete(uploads).where(*old))
        return keys


def _upload(r: Row[Any]) -> Upload:
    return Upload(r.id, r.account_id, r.name, r.event, r.size, r.received, r.sha256, r.begun_at, r.done_at)
