"""Where renditions stand below a channel's folder: a free path without anybody's name in it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from pipeline.domain import file_names
from pipeline.domain.lifecycle import State
from pipeline.domain.neutral_names import Names, names_of, path_of
from pipeline.errors import PublishError
from pipeline.store.database import newest_version
from pipeline.store.rows import Draft
from pipeline.store.tables import items, people, renditions


class PublishPaths:
    """Reserves paths, in transactions of the caller. Knows the names of the register, for each version once."""

    def __init__(self) -> None:
        self._names: tuple[int, Names] = (0, names_of({}))

    def reserve(self, tx: Connection, item: Row[Any], revision: int, draft: Draft) -> None:
        """A rendition of an item, with its place. Raises PublishError."""
        path = self._own_path(tx, item, draft) or self.free_path(tx, item, draft.channel, draft.extension)
        tx.execute(
            insert(renditions).values(
                item_id=item.id,
                revision=revision,
                channel=draft.channel,
                state=State.READY,
                work_name=draft.work_name,
                sha256=draft.sha256,
                size=draft.size,
                path=path,
                path_key=file_names.key(path),
            )
        )

    def free_path(self, tx: Connection, item: Row[Any], channel: str, extension: str) -> str:
        """Where nothing stands yet. Raises PublishError."""
        folder, stem = self._neutral(tx, item)
        for number in range(1, 100_000):
            path = f"{folder}/{file_names.published(stem, extension, number)}"
            taken = tx.execute(
                select(renditions.c.id).where(
                    renditions.c.channel == channel, renditions.c.path_key == file_names.key(path)
                )
            ).first()
            if not taken:
                return path
        raise PublishError(f"There are 100,000 files named like item {item.id} in {folder}.", "Clear the folder.")

    def names_known(self, tx: Connection) -> Names:
        """The names of everybody in the register, made ready once for each version of it."""
        version = newest_version(tx)
        known, found = self._names
        if known != version:
            rows = tx.execute(select(people.c.person_id, people.c.name).where(people.c.until_version.is_(None))).all()
            found = names_of({r.person_id: r.name for r in rows})
            self._names = version, found
        return found

    def _own_path(self, tx: Connection, item: Row[Any], draft: Draft) -> str | None:
        """The place of this item's file that was taken back: its replacement stands where it stood."""
        mine = renditions.c.item_id == item.id, renditions.c.channel == draft.channel
        rows = tx.execute(
            select(renditions).where(*mine, renditions.c.state == State.WITHDRAWN).order_by(renditions.c.id.desc())
        ).all()
        for row in rows:
            if self.names_known(tx).whose(row.path):
                continue  # somebody of that name has come into the register since
            if row.path_key == file_names.key(row.path) and row.path.rsplit(".", 1)[-1] == draft.extension:
                freed = f"/withdrawn/{row.id}/{row.path_key}"  # no key of a path begins with a slash
                tx.execute(update(renditions).where(renditions.c.id == row.id).values(path_key=freed))
                return str(row.path)
        return None

    def _neutral(self, tx: Connection, item: Row[Any]) -> tuple[str, str]:
        """The folder and the file name that an item may be published under: nobody's name is in them."""
        first = tx.execute(select(func.min(items.c.id)).where(items.c.event == item.event)).scalar() or item.id
        stem, dot, extension = str(item.name).rpartition(".")
        folder, own = path_of(item.event, item.folder, stem or extension, item.id, first, self.names_known(tx))
        return folder, f"{own}{dot}{extension}" if stem else own
