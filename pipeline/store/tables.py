"""The tables, and how the database is opened: SQLite (WAL, full sync) by default, PostgreSQL by URL.

Writers begin with BEGIN IMMEDIATE, so that two of them queue instead of failing half-way; readers never block.
The schema is brought up to date by Alembic; a database that is newer than the program is refused.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import StoreError

HEAD = "0012"
"""The newest schema; a test holds it against pipeline/store/migrations."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),  # as it came, made safe to show
    Column("event", Text, nullable=False),
    Column("folder", Text, nullable=False),  # within the event, "" or "a/b"
    Column("event_facts", Text, nullable=False),  # event.toml as it stood at intake, JSON
    Column("source", Text, nullable=False),  # path in the inbox, escaped
    Column("source_stamp", Text, nullable=False),  # inode, size and mtime: one arrival is taken once
    Column("size", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reasons", Text, nullable=False, default="[]"),
    Column("notes", Text, nullable=False, default="[]"),
    Column("format", String(16), nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("interruptions", Integer, nullable=False, default=0),
    Column("revision", Integer, nullable=False, default=0),
    Column("lease_owner", String(64)),
    Column("lease_until", Float),
    Column("register_version", Integer),
    Column("seconds", Float),
    Column("arrived_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("cancel_requested_by", Text),  # somebody asked to give up the work on it
    Column("cancel_requested_at", String(32)),
    Column("original_deleted_at", String(32)),  # its time was over (pipeline.publishing.retention)
    Column("judged_on", String(10)),  # the day for which consent was asked by the newest decision
)

renditions = Table(
    "renditions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("channel", String(31), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("work_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("path", Text, nullable=False),  # relative to the channel's publish folder
    Column("path_key", Text, nullable=False),  # the path, case and Unicode form folded
    Column("published_at", String(32)),
    UniqueConstraint("channel", "path_key"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("channel", String(31), nullable=False),
    Column("face", Integer, nullable=False),
    Column("box", Text, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("person_id", Text, index=True),
    Column("facts", Text, nullable=False),  # article, consent row, scores, threshold, engines; JSON
    Index("ix_verdicts_item", "item_id", "revision"),
)

checks = Table(
    "checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("channel", String(31), nullable=False),
    Column("name", String(64), nullable=False),
    Column("passed", Integer, nullable=False),
    Column("detail", Text, nullable=False),
)

log = Table(
    "log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False, index=True),
    Column("kind", String(48), nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("item_id", Integer, index=True),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

log_people = Table(
    "log_people",
    metadata,  # an index into the log, derived from it
    Column("person_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
)

register_versions = Table(
    "register_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("loaded_at", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("confirmed_by", Text, nullable=False, server_default=""),  # who overrode a brake
)

# People and consents keep every past state: a row holds from one version to the one before `until_version`.
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("groups", Text, nullable=False),  # JSON list
    Column("birth_date", String(10)),
    Column("from_version", Integer, nullable=False),
    Column("until_version", Integer, index=True),
    Column("sixteen_on", String(10)),  # when only the 16th birthday is known
    Column("protected", Integer, nullable=False, server_default="0"),
    Column("left_on", String(10)),
    Column("periods", Text, nullable=False, server_default="[]"),  # JSON: group, from, until
    Column("guardians_known", Integer, nullable=False, server_default="0"),
    Column("stops", Text, nullable=False, server_default="[]"),  # JSON: number, kind, medium, channel
)

consent_stops = Table(
    "consent_stops",
    metadata,  # what was asked for here, and outranks the source; a row that ended is kept
    Column("id", Integer, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("medium", String(16), nullable=False, server_default=""),  # empty: every medium
    Column("channel", String(31), nullable=False, server_default=""),  # empty: every channel
    Column("why", Text, nullable=False),
    Column("salt", String(32), nullable=False),  # of the seal of `why` in the log
    Column("made_by", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("ended_by", Text),
    Column("ended_at", String(32)),
)

tombstones = Table(
    "tombstones",
    metadata,  # who was erased: the source's row is kept out
    Column("id_sha256", String(64), primary_key=True),
    Column("made_by", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
)

person_links = Table(
    "person_links",
    metadata,  # a page for one person without an account; only the hash of its secret is kept
    Column("id", Integer, primary_key=True),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("made_by", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("ended_at", String(32)),
)

guardians = Table(
    "guardians",
    metadata,  # who stands for which pupil; both are people
    Column("id", Integer, primary_key=True),
    Column("pupil_id", Text, nullable=False, index=True),
    Column("guardian_id", Text, nullable=False, index=True),
    Column("from_version", Integer, nullable=False),
    Column("until_version", Integer, index=True),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("row_id", Text, nullable=False),
    Column("row_number", Integer, nullable=False),
    Column("person_id", Text, nullable=False, index=True),
    Column("medium", String(16), nullable=False),
    Column("channel", String(31), nullable=False),
    Column("answer", String(8), nullable=False),
    Column("signed_by", String(16)),
    Column("signed_on", String(10)),
    Column("form", Text, nullable=False),
    Column("form_sha256", String(64)),
    Column("valid_until", String(10)),
    Column("withdrawn_on", String(10)),
    Column("from_version", Integer, nullable=False),
    Column("until_version", Integer, index=True),
    Column("signer_id", Text),  # which guardian signed; NULL: the source does not say
    Column("form_version", Text, nullable=False, server_default=""),
    Column("form_language", Text, nullable=False, server_default=""),
    Column("evidence", String(8), nullable=False, server_default="ok"),
    Column("reminded_on", String(10)),
)

# --- templates, names given by hand, recalls (pipeline.store.templates, .naming, .hearing, .recall) -----------

templates = Table(
    "templates",
    metadata,  # sealed: see pipeline.files.template_keys
    Column("id", Integer, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("portrait_sha256", String(64), nullable=False),
    Column("engine", String(32), nullable=False),
    Column("weights_sha256", String(64), nullable=False),  # another set of weights is another space
    Column("dated", String(10), nullable=False),  # how old the portrait is: the date of its form
    Column("key_id", String(16), nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("made_at", String(32), nullable=False),
    UniqueConstraint("person_id", "portrait_sha256", "engine"),
)

template_keys = Table(
    "template_keys",
    metadata,  # ids only; the keys are elsewhere
    Column("key_id", String(16), primary_key=True),
    Column("since", String(32), nullable=False),
    Column("until", String(32)),  # NULL: in use
)

lookalikes = Table(
    "lookalikes",
    metadata,
    Column("first", Text, primary_key=True),
    Column("second", Text, primary_key=True, index=True),
    Column("score", Float, nullable=False),
    Column("engine_scores", Text, nullable=False),  # JSON
    Column("found_at", String(32), nullable=False),
)

face_names = Table(
    "face_names",
    metadata,  # who staff said that a face is; a row that ended is kept
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("box", Text, nullable=False),
    Column("person_id", Text, nullable=False, index=True),
    Column("named_by", Text, nullable=False),
    Column("named_at", String(32), nullable=False),
    Column("ended_by", Text),
    Column("ended_at", String(32)),
)

speakers = Table(
    "speakers",
    metadata,  # who can be heard, as staff said; what ended is kept
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("person_id", Text, index=True),  # empty: nobody can be heard; NULL: somebody erased since
    Column("said_by", Text, nullable=False),
    Column("said_at", String(32), nullable=False),
    Column("ended_by", Text),
    Column("ended_at", String(32)),
    Column("only", Integer, nullable=False, server_default="0"),  # staff answer for it that nobody else speaks
)

heard = Table(
    "heard",
    metadata,  # whose consent to be heard a decision asked for, per channel
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("channel", String(31), nullable=False),
    Column("person_id", Text, nullable=False, index=True),
    Column("kept", Integer, nullable=False),  # 1: the sound stayed as it was
    Column("reason", String(32), nullable=False),  # the register's answer for this person
    Index("ix_heard_item", "item_id", "revision"),
)

recalls = Table(
    "recalls",
    metadata,  # an item that was taken back, or is to be shown anew
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),  # of the decision whose files were taken back
    Column("person_id", Text, nullable=False),  # for whom; empty: for nobody in particular
    Column("uncover", Integer, nullable=False),  # 1: what was covered before may be shown now (asked for)
    Column("replace", Integer, nullable=False),  # 1: decided again, and published in its place
    Column("actor", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("done_at", String(32)),  # the files are gone; NULL: still to do
)

places = Table(
    "places",
    metadata,  # where staff said that a published file went
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("channel", String(31), nullable=False),  # empty: not said
    Column("sha256", String(64), nullable=False),  # of the file as it was; empty: not known
    Column("place", Text, nullable=False),
    Column("noted_by", Text, nullable=False),
    Column("noted_at", String(32), nullable=False),
    Column("open_since", String(32), index=True),  # a recall made it a task: take it down there
    Column("person_id", Text),  # for whom
    Column("done_by", Text),
    Column("done_at", String(32)),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("facts", Text, nullable=False),
)


_PATIENCE = 30.0  # seconds for which a writer waits for another


def open_engine(url: str) -> Engine:
    """Open the database without touching its schema. SQLite waits for another writer, unless `?timeout=` says so."""
    patient = {} if "timeout=" in url or not url.startswith("sqlite") else {"timeout": _PATIENCE}
    engine = create_engine(url, connect_args=patient)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema up to date. Raises StoreError when the database is newer than this program, or damaged."""
    try:
        with engine.connect() as connection:
            known = inspect(connection).has_table("alembic_version")
            current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if known else None
        if current != HEAD:
            _upgrade(engine, current)
    except SQLAlchemyError as e:
        raise StoreError(
            f"The database cannot be opened: {getattr(e, 'orig', None) or e}.",
            "Check that the disk is not full, that the service may write in the data folder, and restore a backup "
            "if the file is damaged.",
        ) from e


def _upgrade(engine: Engine, current: str | None) -> None:
    from alembic import command  # noqa: PLC0415 - takes half a second, and is seldom needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if current is not None and current not in {
        r.revision for r in ScriptDirectory.from_config(config).walk_revisions()
    }:
        raise StoreError(f"The database was made by a newer version (schema {current}).", "Install that version again.")
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")  # looks again inside the lock: another process may have been first


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _patiently(lambda: cursor.execute("PRAGMA journal_mode=WAL"))
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _patiently(step: Callable[[], object], tries: int = 100) -> None:
    """Two processes that open a new database at the same moment: the change to WAL does not wait by itself."""
    for left in range(tries, 0, -1):
        try:
            step()
        except sqlite3.OperationalError as e:
            if left == 1 or "locked" not in str(e):
                raise
            time.sleep(0.1)
        else:
            return


def _sqlite_begin(connection: Any) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
