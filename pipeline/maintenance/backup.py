"""Backups: one folder with everything that cannot be made again, but the keys; and its way back.

    manifest.json        what is in it, with the SHA-256 of every file, and how far the log went
    database.sqlite      a copy as of one moment (not with PostgreSQL: see docs/operator/backup.md)
    config.toml          the configuration
    vault/ publish/      originals (sealed, as they are in the vault) and what is published
    log/                 the signed heads, and the list of what was taken away
    register/            portraits and forms, when they are kept here

Restoring gives nothing back that was taken away since: people who were erased, files that were recalled and originals
that were deleted are listed apart from the database (pipeline.log.removals), and are taken away before anything is
visible.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.app import RESTORED, App
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.errors import BackupError
from pipeline.files.fsync import make_folder, sync_folder
from pipeline.files.rename import digest, replace_file
from pipeline.log import removals, signed_heads
from pipeline.log.chain import Head
from pipeline.log.removals import Removal
from pipeline.officer.person_rights import erase_again
from pipeline.publishing.recall import carry_out
from pipeline.publishing.retention import forget

MANIFEST, DATABASE, CONFIG = "manifest.json", "database.sqlite", "config.toml"
_FORMAT = 1
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and what was taken away again."""

    made_at: str
    entries: int
    files: int
    bytes: int
    left_out: int
    """Published files that were recalled since."""
    erased: tuple[str, ...]
    recalled: int
    originals_deleted: int
    missing: tuple[str, ...]
    """What the database speaks of and the backup does not have."""


def back_up(application: App, config_file: Path, target: Path, now: datetime, with_database: bool = True) -> JsonObject:
    """Write a backup into a new folder, while the service runs. Returns its manifest.

    The folder has its name only when it is whole. Raises BackupError, StoreError, OSError.
    """
    if target.exists():
        raise BackupError(f"{target}: is there already.", "Name a new folder: a backup never overwrites another.")
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    try:
        facts = _collect(application, config_file, partial, now, with_database)
        replace_file(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return facts


def _collect(application: App, config_file: Path, partial: Path, now: datetime, with_database: bool) -> JsonObject:
    """Bring everything into the folder, durably. Returns its manifest."""
    settings, files = application.settings, dict[str, list[object]]()
    if with_database:  # first: whatever its rows speak of is there by now, and is copied below
        application.store.database.snapshot(partial / DATABASE)
        files[DATABASE] = _facts(partial / DATABASE)
    files[CONFIG] = copy(config_file, partial / CONFIG)
    register = application.register_folder()
    sources = {"vault": settings.path("vault"), "publish": settings.path("publish"), "register": register}
    for name, folder in sources.items():
        for path in _below(folder):
            relative = f"{name}/{path.relative_to(folder or path).as_posix()}"
            try:
                files[relative] = copy(path, partial / relative)
            except FileNotFoundError:
                continue  # deleted, recalled or moved since it was listed
    with application.log_files.locked():
        for path in (settings.path("log") / n for n in (signed_heads.FILE, removals.FILE)):
            if path.exists():
                files[f"log/{path.name}"] = copy(path, partial / "log" / path.name)
    facts: JsonObject = {
        "format": _FORMAT,
        "at": now.isoformat(timespec="seconds"),
        "school": settings.school,
        "entries": application.store.journal.last_seq(),
        "files": files,
    }
    _write(partial / MANIFEST, json.dumps(facts, indent=1))
    for folder in {p.parent for p in partial.rglob("*")}:
        sync_folder(folder)
    return facts


def read(backup: Path) -> JsonObject:
    """The manifest of a backup, after a look at every file. Raises BackupError for one that is damaged."""
    try:
        facts: JsonObject = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
        files = facts["files"]
        if facts["format"] != _FORMAT:
            raise BackupError(f"{backup}: was made by another version (format {facts['format']}).", "Use that version.")
        bad = [n for n, known in files.items() if not _inside(n) or _facts(backup / n) != known]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise BackupError(f"{backup}: is not a whole backup ({e}).", "Take another one.") from e
    if bad:
        raise BackupError(
            f"{backup}: damaged: {', '.join(bad[:5])}{' ...' if len(bad) > 5 else ''}.",
            "Take another one, or another copy of it.",
        )
    return facts


def lay_down(
    backup: Path, facts: JsonObject, folder_of: Callable[[str], Path], gone: frozenset[str]
) -> tuple[int, int]:
    """Copy the files of a backup to their places, but published ones that are in `gone` (SHA-256), which stay away.

    Again does no harm. Returns how many files came, and how many bytes. Raises BackupError when another file is there.
    """
    count = size = 0
    for name, (length, sha256) in facts["files"].items():
        kind, _, rest = name.partition("/")
        if not rest or (kind == "publish" and sha256 in gone):
            continue
        target = folder_of(kind) / rest
        if target.exists():
            if _facts(target)[1] != sha256:
                raise BackupError(f"{target}: another file is there already.", "Restore into empty folders.")
        else:
            make_folder(target.parent, 0o750 if kind == "publish" else 0o700)
            partial = target.with_name(f".restoring-{os.urandom(6).hex()}")
            copy(backup / name, partial)
            partial.chmod(0o640 if kind == "publish" else 0o400 if kind == "vault" else 0o600)
            replace_file(partial, target)
        count, size = count + 1, size + int(length)
    return count, size


def take_away_again(application: App, listed: list[Removal], now: datetime, actor: str) -> tuple[list[str], int, int]:
    """Do again what was done after the backup was made.

    Returns who was erased, and how many recalls and originals there were.
    """
    store, vault = application.store, application.vault
    hashes = {s for r in listed if r.kind == "published" for s in r.sha256}
    recalled = 0
    for item in store.items.all(state=State.PUBLISHED):
        if any(r.sha256 in hashes for r in store.items.renditions(item.id) if r.state is State.PUBLISHED):
            recalled += store.recall.begin(now, actor, item.id, "", "recalled after the backup was made", replace=False)
    carry_out(vault, store, now, actor)
    erased = [
        p
        for p in dict.fromkeys(r.person for r in listed if r.kind == "person")
        if erase_again(p, application.context, application.register_folder(), actor)
    ]
    originals = 0
    for sha256 in {s for r in listed if r.kind == "original" for s in r.sha256}:
        known = store.retention.by_sha256(sha256)
        why = "deleted after the backup was made"
        if known is None or not forget(store, vault, application.clock(), known, application.clock(), why, actor):
            vault.originals.destroy(sha256)
        originals += 1
    return erased, recalled, originals


def finish(
    application: App,
    facts: JsonObject,
    heads: Sequence[Head],
    listed: list[Removal],
    laid: tuple[int, int],
    now: datetime,
    actor: str,
) -> Restored:
    """Bring the database of a backup in line with what happened since, and sign that the log was set back."""
    store, vault = application.store, application.vault
    newest = store.journal.newest()
    if newest is not None:
        with application.log_files.locked():
            application.heads.restored(newest.seq, newest.hash, heads)
    store.items.recover(now, living=())
    erased, recalled, originals = take_away_again(application, listed, now, actor)
    missing = [
        f"the original of item {i.id}"
        for i in store.items.all()
        if not store.retention.deleted(i.id) and not vault.originals.present(i.sha256)
    ]
    for item in store.items.all(state=State.PUBLISHED):
        missing += [
            f"{r.channel}/{r.path}"
            for r in store.items.renditions(item.id)
            if r.state is State.PUBLISHED and not (vault.publish / r.channel / r.path).is_file()
        ]
    for item in store.items.all():
        if item.state in {State.REJECTED, State.FAILED} and vault.originals.present(item.sha256):
            place = "/".join(filter(None, (item.event.name, item.folder, item.name)))
            vault.aside.copy(item.sha256, place, f"Put back here by a restore: {', '.join(item.reasons)}")
    body: JsonObject = {
        "made_at": facts["at"],
        "erased_again": len(erased),
        "recalled_again": recalled,
        "originals_deleted_again": originals,
        "missing": len(missing),
    }
    store.journal.note(now, "service.restored", actor, body)
    store.items.beat(now, RESTORED, {"made_at": facts["at"]})
    count, size = laid
    published = sum(1 for n in facts["files"] if n.startswith("publish/"))
    came = sum(1 for p in _below(vault.publish))
    return Restored(
        facts["at"],
        newest.seq if newest else 0,
        count,
        size,
        published - came,
        tuple(erased),
        recalled,
        originals,
        tuple(missing),
    )


def _inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and "\0" not in name


def _below(folder: Path | None) -> Iterator[Path]:
    """The files below a folder, but half-made ones, locks and links."""
    for path in sorted(folder.rglob("*")) if folder is not None and folder.is_dir() else []:
        own = path.name == ".key"
        if path.is_file() and not path.is_symlink() and (own or not path.name.startswith(".")):
            yield path


def _facts(path: Path) -> list[object]:
    return [path.stat().st_size, digest(path)]


def copy(source: Path, target: Path) -> list[object]:
    """Copy a file to where none is, durably and for its owner alone. Returns its size and SHA-256. Raises OSError."""
    seen, size = hashlib.sha256(), 0
    with source.open("rb") as f:
        make_folder(target.parent, 0o700)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            while piece := f.read(_CHUNK):
                seen.update(piece)
                size += len(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
    return [size, seen.hexdigest()]


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
