"""OneRoster 1.2 as a REST service, with OAuth 2 client credentials, page by page."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.sources.base import Context, source
from consent_sync.sources.oneroster import COLUMNS, PeopleOptions, Record, Roster, by_user, people

with warnings.catch_warnings(record=True):  # it announces a successor of httpx
    from authlib.integrations.base_client.errors import OAuthError
    from authlib.integrations.httpx_client import OAuth2Client

MAX_RECORDS = 500_000
MAX_PAGE_BYTES = 50 * 1024 * 1024
_SCOPES = (
    "https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly "
    "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-demographics.readonly"
)
_LOCAL = ("127.0.0.1", "::1", "localhost")


class RestOptions(PeopleOptions):
    """Where the service is, and who asks. The secret is in a file or a variable, not in the configuration."""

    url: str
    token_url: str
    client_id: str
    client_secret_file: Path | None = None
    client_secret_variable: str = "BEELDWACHT_ONEROSTER_SECRET"  # noqa: S105 - the name of a variable
    scope: str = _SCOPES
    page_size: int = Field(default=500, ge=1, le=10_000)
    timeout_seconds: float = Field(default=30, gt=0, le=600)

    @field_validator("url", "token_url")
    @classmethod
    def _private(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOCAL):
            raise ValueError("has to begin with https://")
        return value.rstrip("/")


@source("oneroster_rest", RestOptions)
def read(options: RestOptions, context: Context) -> RawTable:
    """Read all people, classes and enrolments of the service.

    Raises:
        RegisterError: when the service cannot be reached, refuses, answers something else, or stops half-way.
    """
    service = _Service(options, _secret(options, context))
    try:
        users = list(service.all("users"))
        roles = [
            {"userSourcedId": _text(u.get("sourcedId")), "role": _text(r.get("role")), "status": _text(r.get("status"))}
            for u in users
            for r in u.get("roles") or ()
            if isinstance(r, dict)
        ]
        agents = by_user(
            (
                _text(u.get("sourcedId")),
                [_text(a.get("sourcedId")) for a in u.get("agents") or () if isinstance(a, dict)],
            )
            for u in users
        )
        roster = Roster(
            [_flat(u) for u in users],
            roles,
            [_flat(c) for c in service.all("classes")],
            [_enrolment(e) for e in service.all("enrollments")],
            [_flat(d) for d in service.all("demographics")],
            agents,
        )
    finally:
        service.close()
    rows = tuple(people(roster, options.person_id))
    if not rows:
        raise service.refused("it holds no users: nobody is not believed", "Ask for the rights of this client.")
    digest = hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()
    return RawTable(service.name, COLUMNS, rows, digest, (f"OneRoster REST, {len(rows)} users",))


class _Service:
    """A connection with a token."""

    def __init__(self, options: RestOptions, secret: str) -> None:
        self.name = urlsplit(options.url).hostname or options.url
        self._options = options
        self._client = OAuth2Client(
            options.client_id,
            secret,
            scope=options.scope,
            timeout=options.timeout_seconds,
            grant_type="client_credentials",
            token_endpoint=options.token_url,
            follow_redirects=False,
        )
        try:
            self._client.fetch_token(options.token_url, grant_type="client_credentials")
        except (OAuthError, httpx.HTTPError, ValueError) as e:
            what = getattr(e, "error", "") or type(e).__name__
            raise self.refused(f"no token was given ({what})", "Check token_url, client_id and the secret.") from e

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """Every record of a kind, page by page; each once, and as many as the service says there are."""
        offset, total = 0, None
        seen: set[str] = set()
        while True:
            page, count = self._page(kind, offset)
            total = count if count is not None else total
            fresh = [r for r in page if str(r["sourcedId"]) not in seen]
            if page and not fresh:
                raise self.refused(f"{kind} gives the same page again", "Report this to its supplier.")
            seen.update(str(r["sourcedId"]) for r in fresh)
            yield from fresh
            offset += len(page)
            if len(seen) > MAX_RECORDS:
                raise self.refused(f"{kind} has more than {MAX_RECORDS:,} records", "Check that this is the school's.")
            if (
                not page
                or (total is not None and offset >= total)
                or (total is None and len(page) < self._options.page_size)
            ):
                break
        if total is not None and len(seen) < total:
            what = f"{kind} ended after {len(seen):,} of {total:,} records"
            raise self.refused(
                what, "The register changed while it was read, or the service failed: it is tried again."
            )

    def _page(self, kind: str, offset: int) -> tuple[list[dict[str, Any]], int | None]:
        parameters = {"limit": self._options.page_size, "offset": offset, "orderBy": "asc", "sort": "sourcedId"}
        try:
            with self._client.stream("GET", f"{self._options.url}/{kind}", params=parameters) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise self.refused(
                        f"{kind} was refused with status {answer.status_code}",
                        "Check the url and the rights of this client.",
                    )
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_PAGE_BYTES:
                        raise self.refused(f"a page of {kind} is too large", "Lower page_size.")
                said = answer.headers.get("X-Total-Count", "")
            records = json.loads(body)[kind]
        except (httpx.HTTPError, OAuthError) as e:
            raise self.refused(f"{kind} could not be read ({type(e).__name__})", "Is the service reachable?") from e
        except (ValueError, KeyError, TypeError) as e:
            raise self.refused(f"{kind} is not what OneRoster 1.2 answers", "Check the url.") from e
        if not isinstance(records, list) or not all(isinstance(r, dict) and r.get("sourcedId") for r in records):
            raise self.refused(f"{kind} is not what OneRoster 1.2 answers", "Check the url.")
        return records, int(said) if said.isdecimal() else None

    def refused(self, what: str, remedy: str) -> RegisterError:
        return RegisterError(self.name, what, remedy=f"{remedy} The register loaded before stays in force.")

    def close(self) -> None:
        self._client.close()


def _secret(options: RestOptions, context: Context) -> str:
    if options.client_secret_file is None:
        secret = os.environ.get(options.client_secret_variable, "")
        where = f"the variable {options.client_secret_variable}"
    else:
        where = str(options.client_secret_file)
        try:
            secret = (context.root / options.client_secret_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise RegisterError(where, "the secret cannot be read", remedy="Check the path and its rights.") from e
    if not secret.strip():
        raise RegisterError(where, "there is no secret here", remedy="Put the client's secret there.")
    return secret.strip()


def _flat(record: dict[str, Any]) -> Record:
    return {key: _text(value) for key, value in record.items()}


def _agents(user: dict[str, Any]) -> list[str]:
    return [_text(a.get("sourcedId")) for a in user.get("agents") or () if isinstance(a, dict)]


def _enrolment(record: dict[str, Any]) -> Record:
    def of(key: str) -> str:
        value = record.get(key)
        return _text(value.get("sourcedId")) if isinstance(value, dict) else ""

    return {**_flat(record), "userSourcedId": of("user"), "classSourcedId": of("class")}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None or isinstance(value, (dict, list)) else str(value)
