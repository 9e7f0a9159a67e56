"""OneRoster 1.2: users, roles, classes, enrolments and demographics as one table of people. Pure.

OneRoster knows nothing of consent: the people are joined with a consent sheet (`consent_sync.parsing.join`). Records
are dictionaries of texts, from the CSV files and from the REST service alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from consent_sync.sources.base import Options

Record = Mapping[str, str]
COLUMNS = ("person_id", "name", "role", "group", "birth_date", "guardians")
_ROLES = (
    dict.fromkeys(("student",), "pupil")
    | dict.fromkeys(("parent", "guardian", "relative"), "guardian")
    | dict.fromkeys(
        (
            "teacher",
            "aide",
            "administrator",
            "proctor",
            "principal",
            "counselor",
            "staff",
            "districtadministrator",
            "siteadministrator",
            "systemadministrator",
        ),
        "employee",
    )
)
_GONE = frozenset({"tobedeleted", "inactive"})


class PeopleOptions(Options):
    """Which of OneRoster's names for a person is the `person_id` of the consent sheet."""

    person_id: Literal["sourcedId", "identifier", "username"] = "sourcedId"


@dataclass(frozen=True, slots=True)
class Roster:
    """The records of one export, by kind. `agents` pairs a user with the user ids of those who stand for him."""

    users: Sequence[Record]
    roles: Sequence[Record] = ()
    classes: Sequence[Record] = ()
    enrollments: Sequence[Record] = ()
    demographics: Sequence[Record] = ()
    agents: Mapping[str, Sequence[str]] = field(default_factory=dict)


def people(roster: Roster, person_id: str) -> list[tuple[int, tuple[str, ...]]]:
    """One row per user who is still there, in `COLUMNS`, with its number (the header is row 1).

    Several users with one id stay several rows: which is right cannot be told, and none is used.
    """
    role_of = _roles(roster)
    group_of = _groups(roster)
    born = {r.get("sourcedId", ""): r.get("birthDate", "")[:10] for r in roster.demographics if _there(r)}
    ids = {u.get("sourcedId", ""): u.get(person_id, "").strip() for u in roster.users}
    rows: list[tuple[int, tuple[str, ...]]] = []
    for number, user in enumerate(roster.users, start=2):
        key = user.get("sourcedId", "")
        if not _there(user) or not key:
            continue
        name = " ".join(
            part for part in (user.get(n, "").strip() for n in ("givenName", "middleName", "familyName")) if part
        )
        stand_for = [ids[a] for a in roster.agents.get(key, ()) if role_of.get(a) == "guardian" and ids.get(a)]
        role = role_of.get(key, "other")
        rows.append(
            (
                number,
                (
                    ids[key],
                    name,
                    role,
                    "; ".join(group_of.get(key, ())),
                    born.get(key, ""),
                    "; ".join(sorted(set(stand_for))),
                ),
            )
        )
    return rows


def _roles(roster: Roster) -> dict[str, str]:
    """The role of each user. Who has several is what makes most of a child of him: pupil before all others."""
    said: dict[str, set[str]] = {}
    for record in roster.roles:
        if _there(record):
            said.setdefault(record.get("userSourcedId", ""), set()).add(
                _ROLES.get(record.get("role", "").lower(), "other")
            )
    for user in roster.users:
        if user.get("role", "").strip():  # OneRoster 1.1
            said.setdefault(user.get("sourcedId", ""), set()).add(_role(user["role"]))
    order = ("pupil", "other", "employee", "guardian")
    return {key: min(found, key=order.index) for key, found in said.items()}


def _role(word: str) -> str:
    return _ROLES.get(word.strip().lower(), "other")


def _groups(roster: Roster) -> dict[str, list[str]]:
    """The classes of each user, with the dates of the enrolment where it has some."""
    titles = {
        c.get("sourcedId", ""): (c.get("classCode") or c.get("title") or "").strip()
        for c in roster.classes
        if _there(c)
    }
    found: dict[str, list[str]] = {}
    for e in roster.enrollments:
        title = titles.get(e.get("classSourcedId", ""), "")
        title = "".join(" " if c in ";,|[]" else c for c in title)
        if not title or not _there(e):
            continue
        begin, end = e.get("beginDate", "")[:10], e.get("endDate", "")[:10]
        text = f"{title} [{begin}..{end}]" if begin or end else title
        found.setdefault(e.get("userSourcedId", ""), []).append(text)
    return found


def _there(record: Record) -> bool:
    return record.get("status", "").strip().lower() not in _GONE


def listed(text: str) -> list[str]:
    """The ids in a cell that lists several."""
    return [part.strip() for part in text.split(",") if part.strip()]


def by_user(pairs: Iterable[tuple[str, Sequence[str]]]) -> dict[str, Sequence[str]]:
    """User -> ids of agents, without those that have none."""
    return {user: agents for user, agents in pairs if agents}
