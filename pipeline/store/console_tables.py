"""The tables of the console: what officers did by hand, accounts and sessions, uploads, spot checks.

They share the metadata, and the migrations, of `pipeline.store.tables`.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from pipeline.store.tables import items, log, metadata, verdicts

# --- what an officer did by hand (pipeline.store.review) -----------------------------------------------------

marks = Table(
    "marks",
    metadata,  # covers and releases by hand; a row that ended is kept
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("event", Text, nullable=False, index=True),  # "this is not X" holds for the event
    Column("kind", String(16), nullable=False),
    Column("box", Text),  # JSON; NULL for a release
    Column("person_id", Text, index=True),
    Column("reasons", Text, nullable=False, server_default="[]"),  # which reasons to hold a release lifted
    Column("why", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("ended_by", Text),
    Column("ended_at", String(32)),
    Column("start_second", Float),  # of a region in a film; NULL: as long as the film
    Column("end_second", Float),
)

film_boards = Table(
    "film_boards",
    metadata,  # what the page draws of a film: the newest decision's
    Column("item_id", ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("board", LargeBinary, nullable=False),  # see pipeline.redaction.film_timeline; JSON, zlib
)

incidents = Table(
    "incidents",
    metadata,  # a problem with something published; the item was withdrawn
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("opened_at", String(32), nullable=False),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("salt", String(32), nullable=False, server_default=""),  # of the seals of both texts in the log
    Column("closed_by", Text),
    Column("closed_at", String(32), index=True),
)

questions = Table(
    "questions",
    metadata,  # what staff ask about a file, and the officer's answer (protocol B.5)
    Column("id", Integer, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False, index=True),
    Column("asked", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", String(32), nullable=False),
    Column("answer", Text, nullable=False, server_default=""),
    Column("answered_by", Text),
    Column("answered_at", String(32), index=True),
)

spot_checks = Table(
    "spot_checks",
    metadata,  # a random sample of decisions, looked at again by a person
    Column("id", Integer, primary_key=True),
    Column("drawn_by", Text, nullable=False),
    Column("drawn_at", String(32), nullable=False),
    Column("of_last", Integer, nullable=False),
)

spot_marks = Table(
    "spot_marks",
    metadata,
    Column("check_id", ForeignKey("spot_checks.id"), primary_key=True),
    Column("verdict_id", ForeignKey("verdicts.id"), primary_key=True),
    Column("mark", String(8), nullable=False, server_default=""),  # right, wrong, unclear; empty: not yet looked at
    Column("marked_by", Text),
    Column("marked_at", String(32)),
)

# --- accounts (pipeline.store.accounts) ----------------------------------------------------------------------

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("roles", Text, nullable=False),  # JSON list
    Column("password", Text),  # argon2id; NULL: none yet, or another server knows it
    Column("subject", Text, unique=True),  # issuer and subject of the OIDC server
    Column("created_at", String(32), nullable=False),
    Column("locked_at", String(32)),  # by an administrator
    Column("second_secret", Text),  # base32, of the second factor; by itself it lets nobody in
    Column("second_step", Integer),  # the last one for which a code was taken: none is good twice
)

sign_in_codes = Table(
    "sign_in_codes",
    metadata,  # one-time codes: the first administrator, and invitations
    Column("code_sha256", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id")),  # NULL: whoever has it becomes the first administrator
    Column("expires_at", String(32), nullable=False),
    Column("used_at", String(32)),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("begun_at", String(32), nullable=False),
    Column("seen_at", String(32), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,  # what is limited, and was tried within the last day: one row each
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Index("ix_attempts_key", "key", "at"),
)

known_addresses = Table(
    "known_addresses",
    metadata,  # from where an account has signed in: others' failures do not keep it out there
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("place", Text, primary_key=True),  # an address, or the /64 network of one
    Column("seen_at", String(32), nullable=False),
)

uploads = Table(
    "uploads",
    metadata,  # files that come in through the page, piece by piece
    Column("id", String(32), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("received", Integer, nullable=False),
    Column("sha256", String(64)),  # known when it is whole
    Column("begun_at", String(32), nullable=False),
    Column("done_at", String(32)),
)

# --- ways into large tables, for the pages -------------------------------------------------------------------

log_reasons = Table(
    "log_reasons",
    metadata,  # an index into the log, derived from it
    Column("reason", String(48), primary_key=True),
    Column("seq", Integer, primary_key=True),
)

Index("ix_log_actor", log.c.actor)
Index("ix_log_kind_at", log.c.kind, log.c.at)
Index("ix_items_event", items.c.event)
Index("ix_items_name", items.c.name)
Index("ix_items_arrived_at", items.c.arrived_at)
Index("ix_verdicts_reason", verdicts.c.reason)
