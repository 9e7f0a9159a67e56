"""What is held of one person, and its erasure (GDPR art. 15 and 17). Ids stay in the log; names stood in one table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, delete, func, insert, or_, select, update

from pipeline.domain.neutral_names import names_of, path_of
from pipeline.domain.types import JsonObject
from pipeline.store import appearances
from pipeline.store.appearances import Appearance
from pipeline.store.console_tables import marks, uploads
from pipeline.store.database import Database, newest_version, stamp, to_json
from pipeline.store.log import Journal
from pipeline.store.tables import (
    consent_stops,
    consents,
    face_names,
    guardians,
    heard,
    items,
    lookalikes,
    people,
    person_links,
    places,
    recalls,
    register_versions,
    speakers,
    templates,
)
from pipeline.store.tombstones import bury

_ERASED = "erasure"


@dataclass(frozen=True, slots=True)
class HeldForm:
    """A form that a consent of the person points to, now or before. `shared`: somebody else's consent does too."""

    path: str
    sha256: str
    shared: bool


class RightsStore:
    """Finds all that is held of one person, and erases it."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def events_named(self, person_id: str) -> int:
        """How many events are called after the person, in part."""
        names = names_of({str(n): name for n, name in enumerate(self.names(person_id))})
        with self._db.read() as tx:
            events = tx.execute(select(items.c.event).distinct()).scalars()
            return sum(bool(names.whose(e)) for e in events)

    def names(self, person_id: str) -> list[str]:
        """Every name that the register ever had for this person, the newest first."""
        with self._db.read() as tx:
            query = select(people.c.name).where(people.c.person_id == person_id).order_by(people.c.id.desc())
            return list(dict.fromkeys(tx.execute(query).scalars()))

    def namesakes(self, person_id: str, name: str) -> int:
        """How many other people have this very name."""
        with self._db.read() as tx:
            query = select(func.count(func.distinct(people.c.person_id)))
            return tx.execute(query.where(people.c.name == name, people.c.person_id != person_id)).scalar() or 0

    def forms(self, person_id: str) -> list[HeldForm]:
        """The forms behind the person's consents, of every state of the register."""
        with self._db.read() as tx:
            own = select(consents.c.form, consents.c.form_sha256).where(consents.c.person_id == person_id)
            found = {(r.form, r.form_sha256) for r in tx.execute(own) if r.form and r.form_sha256}
            others = set(tx.execute(select(consents.c.form).where(consents.c.person_id != person_id)).scalars())
        return [HeldForm(form, sha, form in others) for form, sha in sorted(found)]

    def history(self, person_id: str) -> list[JsonObject]:
        """Every consent row that was ever recorded, with the days on which it began and ended to hold."""
        with self._db.read() as tx:
            loaded = {r.version: r.loaded_at for r in tx.execute(select(register_versions))}
            query = select(consents).where(consents.c.person_id == person_id).order_by(consents.c.id)
            return [
                {
                    "medium": r.medium,
                    "channel": r.channel,
                    "answer": r.answer,
                    "signed_by": r.signed_by,
                    "signed_on": r.signed_on,
                    "form": r.form,
                    "form_sha256": r.form_sha256,
                    "valid_until": r.valid_until,
                    "withdrawn_on": r.withdrawn_on,
                    "row": r.row_id,
                    "since": loaded.get(r.from_version, "")[:10],
                    "until": loaded.get(r.until_version, "")[:10] if r.until_version else None,
                }
                for r in tx.execute(query)
            ]

    def appearances(self, person_id: str) -> list[Appearance]:
        """Every item that was about the person at any time: see `pipeline.store.appearances`."""
        with self._db.read() as tx:
            return appearances.of(tx, person_id)

    def erase(self, now: datetime, actor: str, person_id: str, facts: JsonObject) -> dict[str, int]:
        """Delete the person from every table but the log, in one transaction. Returns how many rows of what.

        The register gets a new version, so that whatever is being decided is decided again. What stays are ids: in
        the log, in verdicts, and in tasks to take a picture down that is still out there.
        """
        counts: dict[str, int] = {}
        with self._db.write() as tx:
            counts["file_names"] = _neutralise(tx, person_id)
            counts["people"] = _delete(tx, people, people.c.person_id == person_id)
            counts["consents"] = _delete(tx, consents, consents.c.person_id == person_id)
            counts["guardians"] = _delete(
                tx, guardians, or_(guardians.c.pupil_id == person_id, guardians.c.guardian_id == person_id)
            )
            bury(tx, now, actor, person_id)
            for name, table in (("asked_for", consent_stops), ("links", person_links), ("templates", templates)):
                counts[name] = _delete(tx, table, table.c.person_id == person_id)
            counts["lookalikes"] = _delete(
                tx, lookalikes, or_(lookalikes.c.first == person_id, lookalikes.c.second == person_id)
            )
            counts["names_by_hand"] = _delete(tx, face_names, face_names.c.person_id == person_id)
            # That somebody else can be heard stays known, else what is left would look as if all of them agreed.
            tx.execute(update(speakers).where(speakers.c.person_id == person_id).values(person_id=None))
            counts["heard"] = _delete(tx, heard, heard.c.person_id == person_id)
            counts["marks"] = _delete(tx, marks, marks.c.person_id == person_id)
            tx.execute(update(places).where(places.c.person_id == person_id).values(person_id=None))
            tx.execute(update(recalls).where(recalls.c.person_id == person_id).values(person_id=""))
            version = newest_version(tx) + 1
            own = {"version": version, "loaded_at": stamp(now), "actor": actor, "source": _ERASED}
            tx.execute(insert(register_versions).values(own | {"sha256": "0" * 64, "rows": 0}))
            body: JsonObject = {"person": person_id, "version": version, "rows": counts, **facts}
            self._journal.append(tx, now, "person.erased", actor, body, people=[person_id])
        return counts

    def compact(self) -> bool:
        """Rewrite the database without what was deleted, and empty the write-ahead log."""
        return self._db.compact()


def _neutralise(tx: Connection, person_id: str) -> int:
    """Take the person's names out of the names of files, of their folders and of titles. Returns of how many items.

    The name of an event stays: what staff denied holds for the event by its name, and must go on to.
    """
    own = tx.execute(select(people.c.name).where(people.c.person_id == person_id).distinct()).scalars()
    names, count = names_of({str(n): name for n, name in enumerate(own)}), 0
    rows = tx.execute(select(items.c.id, items.c.event, items.c.folder, items.c.name, items.c.event_facts)).all()
    for r in rows:
        facts = json.loads(r.event_facts)
        title = str(facts.get("title", ""))
        if not any(map(names.whose, (r.folder, r.name, title))):
            continue
        stem, dot, extension = r.name.rpartition(".")
        folder, neutral = path_of("-", r.folder, stem or extension, r.id, 0, names)
        folder, name = folder.partition("/")[2], f"{neutral}{dot}{extension}" if stem else neutral
        tx.execute(
            update(items)
            .where(items.c.id == r.id)
            .values(
                folder=folder,
                name=name,
                source="/".join(filter(None, (r.event, folder, name))),
                event_facts=to_json(facts | {"title": "" if names.whose(title) else title}),
            )
        )
        count += 1
    for u in tx.execute(select(uploads.c.id, uploads.c.name)).all():
        if names.whose(u.name):
            tx.execute(update(uploads).where(uploads.c.id == u.id).values(name=f"file-{u.id[:8]}"))
    return count


def _delete(tx: Connection, table: Table, which: object) -> int:
    return tx.execute(delete(table).where(which)).rowcount  # type: ignore[arg-type]
