"""What must be true after any number of kills: the invariants, read from the disk, the database and the log."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.chaos_media import CANARY, Media
from pipeline.app import App
from pipeline.config import FILE_NAME, load
from pipeline.errors import BeeldwachtError
from pipeline.files.originals import MARK
from tests.support.school import School

ENDS = {"photo": {"published"}, "film": {"published"}, "broken": {"rejected"}}
CHANNELS = ("personal", "school")


def check(school: School, media: Media, outside: Path) -> list[str]:
    """Every promise that is broken, as a sentence; none when all is well."""
    home = school.home
    connection = sqlite3.connect(f"file:{home}/data/beeldwacht.db?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        items = connection.execute("SELECT * FROM items").fetchall()
        renditions = connection.execute("SELECT * FROM renditions").fetchall()
        log = [dict(r) | {"body": json.loads(r["body"])} for r in connection.execute("SELECT * FROM log ORDER BY seq")]
    finally:
        connection.close()
    flaws = school.json("log", "verify", ok=False)["flaws"]
    return [
        *_one_end(items, media),
        *_published_once(home / "publish", items, renditions),
        *_clean(home / "publish", media),
        *_kept(home, items, media),
        *_in_order(log, items),
        *(f"the log: {f}" for f in flaws),
        *_untouched(home, outside),
    ]


def _one_end(items: list[Any], media: Media) -> Iterator[str]:
    """I3: every file that was dropped has one item, and that is at its end."""
    count = Counter(i["sha256"] for i in items)
    for sha256 in media.dropped:
        if count[sha256] != 1:
            yield f"{media.names[sha256]}: {count[sha256]} items"
    for i in items:
        if i["state"] not in ENDS.get(media.dropped.get(i["sha256"], ""), set()):
            yield f"item {i['id']} ({i['name']}): {i['state']} {i['reasons']}"


def _published_once(publish: Path, items: list[Any], renditions: list[Any]) -> Iterator[str]:
    """I1, I2, I4: what stands in the publish folder is what the table says, byte for byte, once per channel."""
    own = {i["id"]: i for i in items}
    wanted = {f"{r['channel']}/{r['path']}": r for r in renditions if r["state"] == "published"}
    places = Counter((r["item_id"], r["channel"]) for r in wanted.values())
    for i in items:
        for channel in CHANNELS:
            expected = int(i["state"] == "published")
            if places[(i["id"], channel)] != expected:
                yield f"item {i['id']}: {places[(i['id'], channel)]} files on {channel}, {expected} expected"
    found = {str(p.relative_to(publish)): p for p in publish.rglob("*") if not p.is_dir()}
    for path in found.keys() - wanted.keys():
        yield f"publish/{path}: nobody published it"
    for path, r in wanted.items():
        if path not in found:
            yield f"publish/{path}: is missing"
        elif hashlib.sha256(found[path].read_bytes()).hexdigest() != r["sha256"]:
            yield f"publish/{path}: other bytes than those decided on"
        elif r["revision"] != own[r["item_id"]]["revision"]:
            yield f"publish/{path}: of an earlier decision"


def _clean(publish: Path, media: Media) -> Iterator[str]:
    """I7: no mark of an original, no name of the register and no whole original in what is published."""
    originals = set(media.dropped)
    for path in publish.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if CANARY.encode() in data or b"Name of P" in data or hashlib.sha256(data).hexdigest() in originals:
                yield f"{path.name}: has what an original had"


def _kept(home: Path, items: list[Any], media: Media) -> Iterator[str]:
    """I8: every original is in the vault, whole; nothing else is there, in work/ or in the inbox."""
    application = App(load(home / FILE_NAME))
    originals = application.vault.originals
    vault = {str(p.relative_to(originals.root)): p for p in originals.root.rglob("*") if p.is_file()}
    try:
        for i in items:
            vault.pop(str(originals.path(i["sha256"]).relative_to(originals.root)), None)
            try:
                for _ in originals.read(i["sha256"]):
                    pass
            except BeeldwachtError as e:
                yield f"item {i['id']}: {e}"
    finally:
        application.close()
    yield from (f"vault/{name}: belongs to nothing" for name in vault if name not in {MARK, ".lock"})
    yield from (f"work/{p.name}: left behind" for p in (home / "work").iterdir())
    yield from (f"inbox/{p.name}: left behind" for p in (home / "inbox").glob("event-*/*"))
    aside = Counter(
        hashlib.sha256(p.read_bytes()).hexdigest()
        for p in (home / "quarantine").rglob("*")
        if p.is_file() and not p.name.endswith(".reason.txt")
    )
    broken = [sha for sha, kind in media.dropped.items() if kind == "broken"]
    if aside != Counter(broken):
        yield f"quarantine/: {aside.total()} files, {len(broken)} expected"


def _in_order(log: list[dict[str, Any]], items: list[Any]) -> Iterator[str]:
    """I5, I6: each publication follows its decision, by the register in force; once, unless it was taken back."""
    version, decided, open_ = 0, {}, defaultdict(int)
    for e in log:
        kind, item, body = e["kind"], e["item_id"], e["body"]
        if kind == "register.loaded":
            version = body["version"]
        elif kind == "item.decided":
            decided[item] = body["register_version"]
        elif kind == "item.published":
            open_[item] += 1
            if decided.get(item) != version:
                yield f"item {item}: published under register {version}, decided by {decided.get(item)}"
        elif kind in {"item.recalled", "item.redone"}:
            open_[item] -= 1
    for i in items:
        if open_[i["id"]] != int(i["state"] == "published"):
            yield f"item {i['id']}: the log has it published {open_[i['id']]} times"


def _untouched(home: Path, outside: Path) -> Iterator[str]:
    """I9: nothing beside the school's own folder was made or changed."""
    if [p.name for p in outside.iterdir()] != ["witness"] or (outside / "witness").read_text() != "nobody touches this":
        yield "something outside the installation was touched"
    known = {"school", "outside", "originals", "stop", "wrong"}
    yield from (f"{p.name}: made outside the installation" for p in home.parent.iterdir() if p.name not in known)
