"""Accounts of the console: who may do what, one-time codes and sessions.

Passwords arrive here as argon2id hashes, tokens and codes as SHA-256: nothing that is stored lets anybody in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from pipeline.errors import BeeldwachtError
from pipeline.store.console_tables import accounts, known_addresses, sessions, sign_in_codes
from pipeline.store.database import Database, stamp, to_json
from pipeline.store.log import Journal


class AccountError(BeeldwachtError):
    """An account cannot be made or changed like this."""


class AccountRole(StrEnum):
    """What an account may do in the console."""

    UPLOADER = "uploader"
    COMMUNICATOR = "communicator"
    OFFICER = "officer"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. `outside` accounts are kept by the school's OIDC server."""

    id: int
    name: str
    roles: frozenset[AccountRole]
    password: str | None
    outside: bool
    created_at: str
    locked_at: str | None
    second: str | None = None
    """The secret of the second factor (base32)."""

    @property
    def actor(self) -> str:
        """As the log names this account."""
        return f"account:{self.name}"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser."""

    account: Account
    begun_at: datetime
    seen_at: datetime


class AccountStore:
    """Each change is one transaction with its log entry."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._db = database
        self._journal = journal

    def all(self) -> list[Account]:
        """Every account, by name."""
        with self._db.read() as tx:
            return [_account(r) for r in tx.execute(select(accounts).order_by(accounts.c.name))]

    def find(self, name: str) -> Account | None:
        """The account of this name, upper and lower case alike."""
        with self._db.read() as tx:
            row = tx.execute(select(accounts).where(accounts.c.name == plain(name))).first()
            return _account(row) if row else None

    def administered(self) -> bool:
        """Whether anybody can administer: somebody unlocked with a password, or from outside."""
        return any(
            AccountRole.ADMINISTRATOR in a.roles and not a.locked_at and (a.password or a.outside) for a in self.all()
        )

    def add(self, now: datetime, actor: str, name: str, roles: Iterable[AccountRole]) -> Account:
        """Make an account without a password: it gets one by a one-time code. Raises AccountError for a taken name."""
        wanted = plain(name)
        with self._db.write() as tx:
            return self._add(tx, now, actor, wanted, roles, None)

    def from_outside(self, now: datetime, subject: str, name: str, roles: Sequence[AccountRole]) -> Account:
        """The account of somebody whom the school's own server vouches for, with the roles that hold today.

        Raises AccountError when an account of that name is not this person's.
        """
        wanted = plain(name)
        with self._db.write() as tx:
            row = tx.execute(select(accounts).where(accounts.c.subject == subject)).first()
            if row is None:
                return self._add(tx, now, "oidc", wanted, roles, subject)
            if frozenset(roles) != _account(row).roles:
                tx.execute(update(accounts).where(accounts.c.id == row.id).values(roles=_roles_out(roles)))
                body = {"account": row.name, "roles": sorted(roles)}
                self._journal.append(tx, now, "account.roles", "oidc", body)
            return _account(tx.execute(select(accounts).where(accounts.c.id == row.id)).one())

    def set_roles(self, now: datetime, actor: str, name: str, roles: Sequence[AccountRole]) -> None:
        """Give an account other roles; its sessions end, so that they hold at once.

        Raises AccountError for an account from outside, whose roles follow its groups.
        """
        with self._db.write() as tx:
            row = _own(tx, name)
            tx.execute(update(accounts).where(accounts.c.id == row.id).values(roles=_roles_out(roles)))
            tx.execute(delete(sessions).where(sessions.c.account_id == row.id))
            body = {"account": row.name, "roles": sorted(roles)}
            self._journal.append(tx, now, "account.roles", actor, body)

    def lock(self, now: datetime, actor: str, name: str, locked: bool) -> None:
        """Keep an account out, or let it in again. Locking ends its sessions and its codes."""
        with self._db.write() as tx:
            row = _row(tx, name)
            tx.execute(update(accounts).where(accounts.c.id == row.id).values(locked_at=stamp(now) if locked else None))
            if locked:
                tx.execute(delete(sessions).where(sessions.c.account_id == row.id))
                tx.execute(delete(sign_in_codes).where(sign_in_codes.c.account_id == row.id))
            kind = "account.locked" if locked else "account.unlocked"
            self._journal.append(tx, now, kind, actor, {"account": row.name})

    def set_password(self, now: datetime, actor: str, account: Account, hashed: str) -> None:
        """Store a new password's hash; every session of the account ends."""
        with self._db.write() as tx:
            tx.execute(update(accounts).where(accounts.c.id == account.id).values(password=hashed))
            tx.execute(delete(sessions).where(sessions.c.account_id == account.id))
            tx.execute(delete(known_addresses).where(known_addresses.c.account_id == account.id))
            self._journal.append(tx, now, "account.password", actor, {"account": account.name})

    def set_second(self, now: datetime, actor: str, account: Account, secret: str | None, step: int = 0) -> None:
        """Give an account a second factor, whose first code was of this step of time; or (None) take it away."""
        with self._db.write() as tx:
            values = {"second_secret": secret, "second_step": step if secret else None}
            tx.execute(update(accounts).where(accounts.c.id == account.id).values(**values))
            body = {"account": account.name, "on": secret is not None}
            self._journal.append(tx, now, "account.second_factor", actor, body)

    def use_step(self, account: Account, step: int) -> bool:
        """Use the code of a step of time up; returns whether it, and every later one, was unused."""
        c = accounts.c
        with self._db.write() as tx:
            fresh = update(accounts).where(c.id == account.id, c.second_step < step)
            return tx.execute(fresh.values(second_step=step)).rowcount == 1

    def rehash(self, account: Account, hashed: str) -> None:
        """The same password, hashed with today's parameters."""
        with self._db.write() as tx:
            tx.execute(update(accounts).where(accounts.c.id == account.id).values(password=hashed))

    # --- one-time codes ---------------------------------------------------------------------------------------

    def invite(self, now: datetime, actor: str, code_sha256: str, name: str | None, valid: timedelta) -> None:
        """Keep the hash of a one-time code: for an account, or (None) for the first administrator.

        An earlier code for the same ends. Raises AccountError for an account from outside: it has no password here.
        """
        with self._db.write() as tx:
            account_id = _own(tx, name).id if name is not None else None
            same = sign_in_codes.c.account_id == account_id if name else sign_in_codes.c.account_id.is_(None)
            tx.execute(delete(sign_in_codes).where(same))
            tx.execute(
                insert(sign_in_codes).values(
                    code_sha256=code_sha256, account_id=account_id, expires_at=stamp(now + valid)
                )
            )
            self._journal.append(tx, now, "account.invited", actor, {"account": name or "the first administrator"})

    def invited(self, now: datetime, code_sha256: str) -> Account | bool | None:
        """Whom a code is for: an account, True for the first administrator, None when it is not good (any more)."""
        with self._db.read() as tx:
            return self._invited(tx, now, code_sha256)

    def accept(self, now: datetime, code_sha256: str, name: str, hashed: str) -> Account:
        """Use a code up: set the password of its account, or make the first administrator.

        Raises AccountError when the code is not good, or there is an administrator already.
        """
        with self._db.write() as tx:
            found = self._invited(tx, now, code_sha256)
            if found is None:
                raise AccountError("The code is not good, or not good any more.", "Ask for a new one.")
            tx.execute(
                update(sign_in_codes).where(sign_in_codes.c.code_sha256 == code_sha256).values(used_at=stamp(now))
            )
            if isinstance(found, Account):
                account = found
            else:
                account = self._add(tx, now, "first administrator", plain(name), [AccountRole.ADMINISTRATOR], None)
            tx.execute(update(accounts).where(accounts.c.id == account.id).values(password=hashed, second_secret=None))
            tx.execute(delete(sessions).where(sessions.c.account_id == account.id))
            tx.execute(delete(known_addresses).where(known_addresses.c.account_id == account.id))
            self._journal.append(tx, now, "account.password", account.actor, {"account": account.name})
            return account

    # --- sessions ---------------------------------------------------------------------------------------------

    def begin(self, now: datetime, account: Account, token_sha256: str, how: str) -> None:
        """A browser has signed in."""
        with self._db.write() as tx:
            tx.execute(
                insert(sessions).values(
                    token_sha256=token_sha256, account_id=account.id, begun_at=stamp(now), seen_at=stamp(now)
                )
            )
            self._journal.append(tx, now, "account.signed_in", account.actor, {"how": how})

    def session(self, token_sha256: str) -> Session | None:
        """The session of a token, of an account that is not locked."""
        query = (
            select(accounts, sessions.c.begun_at, sessions.c.seen_at)
            .join(sessions, sessions.c.account_id == accounts.c.id)
            .where(sessions.c.token_sha256 == token_sha256, accounts.c.locked_at.is_(None))
        )
        with self._db.read() as tx:
            row = tx.execute(query).first()
        if row is None:
            return None
        return Session(_account(row), datetime.fromisoformat(row.begun_at), datetime.fromisoformat(row.seen_at))

    def touch(self, now: datetime, token_sha256: str) -> None:
        """The session is in use."""
        with self._db.write() as tx:
            tx.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256).values(seen_at=stamp(now)))

    def end(self, token_sha256: str) -> None:
        """Sign a browser out."""
        with self._db.write() as tx:
            tx.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256))

    def tidy(self, now: datetime, begun_before: datetime, seen_before: datetime) -> None:
        """Delete sessions and codes that are over."""
        with self._db.write() as tx:
            tx.execute(
                delete(sessions).where(
                    (sessions.c.begun_at < stamp(begun_before)) | (sessions.c.seen_at < stamp(seen_before))
                )
            )
            tx.execute(delete(sign_in_codes).where(sign_in_codes.c.expires_at < stamp(now)))

    # --- inside a transaction ---------------------------------------------------------------------------------

    def _add(
        self, tx: Connection, now: datetime, actor: str, name: str, roles: Iterable[AccountRole], subject: str | None
    ) -> Account:
        if tx.execute(select(accounts.c.id).where(accounts.c.name == name)).first():
            raise AccountError(f"There is an account {name} already.", "Choose another name.")
        wanted = sorted(set(roles))
        tx.execute(insert(accounts).values(name=name, roles=_roles_out(wanted), subject=subject, created_at=stamp(now)))
        self._journal.append(tx, now, "account.added", actor, {"account": name, "roles": wanted})
        return _account(tx.execute(select(accounts).where(accounts.c.name == name)).one())

    def _invited(self, tx: Connection, now: datetime, code_sha256: str) -> Account | bool | None:
        row = tx.execute(select(sign_in_codes).where(sign_in_codes.c.code_sha256 == code_sha256)).first()
        if row is None or row.used_at is not None or row.expires_at <= stamp(now):
            return None
        if row.account_id is not None:
            account = _account(tx.execute(select(accounts).where(accounts.c.id == row.account_id)).one())
            return None if account.locked_at else account
        administered = any(AccountRole.ADMINISTRATOR in _account(r).roles for r in tx.execute(select(accounts)))
        return None if administered else True


def plain(name: str) -> str:
    """A name to sign in with: small letters, digits and . - _ @. Raises AccountError for anything else."""
    text = name.strip().casefold()
    if not 2 <= len(text) <= 64 or not all(c.isalnum() or c in ".-_@" for c in text):
        raise AccountError("A name to sign in with has 2 to 64 letters, digits, dots, - _ and @.", "Choose another.")
    return text


def _row(tx: Connection, name: str) -> Row[Any]:
    row = tx.execute(select(accounts).where(accounts.c.name == plain(name))).first()
    if row is None:
        raise AccountError(f"There is no account {plain(name)}.", "See `beeldwacht account list`.")
    return row


def _own(tx: Connection, name: str) -> Row[Any]:
    """An account that is kept here, and not by the school's own server."""
    row = _row(tx, name)
    if row.subject is not None:
        raise AccountError(f"{row.name} signs in with the school's own account.", "Change its groups there.")
    return row


def _roles_out(roles: Iterable[AccountRole]) -> str:
    return to_json(sorted({str(r) for r in roles}))


def _account(r: Row[Any]) -> Account:
    roles = frozenset(AccountRole(x) for x in json.loads(r.roles))
    return Account(r.id, r.name, roles, r.password, r.subject is not None, r.created_at, r.locked_at, r.second_secret)
