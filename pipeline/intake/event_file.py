"""event.toml: what staff say about an occasion. Written by people, so every mistake in it is a message, not a stop."""

from __future__ import annotations

import errno
import json
import os
import tomllib
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from pipeline.domain.file_names import EVENT_FILE
from pipeline.domain.types import Event
from pipeline.files.beneath import Folder

_MAX_BYTES = 64 * 1024
_TEXTS = ("title", "kind", "uploader", "permission")
_LISTS = {"groups": 'class names, such as ["1A", "2B"]', "people": 'ids of the register, such as ["P0042"]'}


def parse(name: str, text: str) -> Event:
    """The event that the text describes. What is wrong ends up in `problem`; then the files wait for a person."""
    try:
        facts = tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # also numbers of thousands of digits, and brackets within brackets
        return Event(name, problem=f"event.toml is not valid TOML: {e}")
    problems = [f"unknown key {k!r}" for k in facts if k not in {*_TEXTS, *_LISTS, "date"}]
    for key in _TEXTS:
        if not isinstance(facts.get(key, ""), str):
            problems.append(f"{key} must be text in quotes")
        elif not facts.get(key, "").isprintable():
            problems.append(f"{key} must be one line without control characters")
    day = _day(facts.get("date"))
    if "date" in facts and day is None:
        problems.append("date must be a day such as 2026-11-01")
    for key, what in _LISTS.items():
        listed = facts.get(key, [])
        if not (isinstance(listed, list) and all(isinstance(x, str) and x.strip() and x.isprintable() for x in listed)):
            problems.append(f"{key} must be a list of {what}")
    if problems:
        return Event(name, problem="event.toml: " + "; ".join(problems))
    title, kind, uploader, permission = (facts.get(k, "") for k in _TEXTS)
    groups, people = tuple(facts.get("groups", ())), tuple(x.strip() for x in facts.get("people", ()))
    return Event(name, title, day, kind, groups, uploader, permission, people=people)


def text(event: Event) -> str:
    """An event as its event.toml: what is empty is left out."""
    facts = {
        "title": event.title,
        "date": event.date.isoformat() if event.date else "",
        "kind": event.kind,
        "groups": list(event.groups),
        "people": list(event.people),
        "uploader": event.uploader,
        "permission": event.permission,
    }
    # JSON's strings and lists are TOML's too; anything that is not, `parse` refuses.
    return "".join(f"{k} = {json.dumps(v, ensure_ascii=True)}\n" for k, v in facts.items() if v)


def read(root: Folder, event: str, relative: str, top: bool = False) -> Event:
    """The event of a file below a folder: the nearest event.toml above it, and with `top` also that of `root` itself.

    In an inbox, `root` holds events, and is none. What stands there and is no regular file is a problem, never read.
    """
    parts = relative.split("/")[:-1]
    for depth in range(len(parts), -1 if top else 0, -1):
        try:
            data = _bytes(root, "/".join([*parts[:depth], EVENT_FILE]))
        except FileNotFoundError:
            continue
        except OSError as e:
            return Event(event, problem=f"event.toml cannot be read ({e.strerror})")
        if len(data) > _MAX_BYTES:
            return Event(event, problem="event.toml is larger than 64 KiB")
        try:
            return parse(event, data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return Event(event, problem="event.toml is not UTF-8 text")
    return Event(event)


def described(root: Folder) -> list[str]:
    """The folders of an inbox that have an event.toml, sorted. Raises OSError."""
    found = []
    for name in root.names():
        with suppress(OSError), root.folder(name) as folder:  # a file, a link, or gone since it was listed
            if folder.info(EVENT_FILE) is not None:
                found.append(name)
    return found


def _bytes(root: Folder, relative: str) -> bytes:
    with os.fdopen(root.open(relative), "rb") as f:
        if os.fstat(f.fileno()).st_nlink > 1:  # it could be any file of the disk, and is quoted in what is said of it
            raise OSError(errno.EMLINK, "it has another name elsewhere: copy it instead of linking it")
        return f.read(_MAX_BYTES + 1)


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
