"""The rights of one person: everything that is held (GDPR art. 15), and its erasure (art. 17)."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consent_sync.evidence import MAX_FORM_BYTES, Evidence, EvidenceError, resolve
from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError, ChildError, KeyUnknown, OriginalGone, RefusedFile
from pipeline.log.sentences import about
from pipeline.officer.access_letter import AccessLetter, write_html, write_pdf
from pipeline.processing.context import Context
from pipeline.processing.item import render_only
from pipeline.publishing.recall import take_back
from pipeline.sandbox.client import MediaClient
from pipeline.store.appearances import Appearance

_SHORTEST = 5
"""Names of fewer bytes stand in any file by chance: they are not searched for."""
_CHUNK = 1 << 20


class RightsError(BeeldwachtError):
    """A request of a person cannot be carried out as asked."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure found and removed, and what is left of it."""

    person_id: str
    rows: dict[str, int]
    recalled: tuple[int, ...]
    files: tuple[str, ...]
    kept: tuple[str, ...]
    left: dict[str, int]
    """File -> how often the name, or a sealed template, still stands in it. Empty: nothing is left."""
    searched: int
    remarks: tuple[str, ...]
    tasks: int


# --- erasure --------------------------------------------------------------------------------------------------


def erase(person_id: str, confirm: str, context: Context, folder: Path | None, keep_files: bool, actor: str) -> Receipt:
    """Erase a person: published files are recalled first, then rows, portraits and forms go, then all is searched.

    `confirm` is the name as the register has it: an id is easily mistyped. Raises RightsError when the person is not
    known or the name is another.
    """
    store, vault, now = context.store, context.vault, context.clock
    names = store.rights.names(person_id)
    if not names:
        raise RightsError(f"Nobody in the register, now or before, is {person_id}.", "Check the id.")
    if " ".join(confirm.split()).casefold() not in {" ".join(n.split()).casefold() for n in names}:
        raise RightsError(f"{person_id} has another name in the register.", "Give the name as the register has it.")
    secrets = [t.sealed for t in store.templates.all() if t.person_id == person_id]
    unique = [n for n in names if not store.rights.namesakes(person_id, n)]
    remarks = []
    if len(unique) < len(names):
        remarks.append("the name is somebody else's too, and was not searched for")
    short = [n for n in unique if len(n.encode()) < _SHORTEST]
    remarks += ["a name is too short to be searched for"] if short else []
    shown = [s for s in store.recall.showing(person_id) if s.visible]
    recalled = take_back(shown, vault, store, now(), actor, "erasure")
    asked = (), ("files were kept as asked (--keep-files)",)
    removed, kept = asked if keep_files else _remove(person_id, context, folder)
    if events := store.rights.events_named(person_id):
        remarks.append(f"{events} events hold a name of the person in their own: those names stay")
    rows = store.rights.erase(now(), actor, person_id, {"recalled": recalled, "files": len(removed)})
    if not store.rights.compact():
        remarks.append("the database was in use and could not be rewritten: stop the service and erase again")
    patterns = [n.encode() for n in unique if n not in short] + secrets
    roots = [context.settings.path(n) for n in ("data", "log", "work")]
    left, searched = search(roots, patterns)
    originals = sum(bool(a.places) for a in store.rights.appearances(person_id))
    if originals:
        remarks.append(f"{originals} originals in which the person was recognised stay in the vault, shown nowhere")
    remarks.append(
        "take the person out of the school's own register too; until then its row is kept out of every reading"
    )
    tasks = len(store.places.all(open_only=True))
    return Receipt(person_id, rows, tuple(recalled), tuple(removed), tuple(kept), left, searched, tuple(remarks), tasks)


def erase_again(person_id: str, context: Context, folder: Path | None, actor: str) -> bool:
    """Erase somebody whom a backup brought back: recall, rows, portraits and forms. False when nothing was there."""
    store = context.store
    if person_id not in store.register.current().people and not store.recall.showing(person_id):
        return False
    shown = [s for s in store.recall.showing(person_id) if s.visible]
    recalled = take_back(shown, context.vault, store, context.clock(), actor, "erasure", replace=False)
    removed, _ = _remove(person_id, context, folder)
    store.rights.erase(context.clock(), actor, person_id, {"recalled": recalled, "files": len(removed)})
    store.rights.compact()
    return True


def _remove(person_id: str, context: Context, folder: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Delete portraits and forms below the register's folder; forms that serve others too are kept, and said."""
    if folder is None or not folder.is_dir():
        return (), ("the folder of the register is not known: portraits and forms were not looked for (--register)",)
    gone: list[str] = []
    kept: list[str] = []
    found, _ = Evidence(folder).portraits(person_id)
    for portrait in found:
        (gone if context.vault.portraits.erase(portrait.path, portrait.sha256) else kept).append(
            f"portrait {portrait.sha256[:16]}"
        )
    for form in context.store.rights.forms(person_id):
        if form.shared:
            kept.append(f"form {form.sha256[:16]}: another person's consent rests on it too")
            continue
        try:
            path = resolve(folder, form.path)
        except EvidenceError as e:
            kept.append(f"form {form.sha256[:16]}: {e}")
            continue
        if not path.exists():
            continue
        erased = context.vault.portraits.erase(path, form.sha256)
        (gone if erased else kept).append(f"form {form.sha256[:16]}" + ("" if erased else ": changed since"))
    return tuple(gone), tuple(kept)


def search(roots: Iterable[Path], patterns: Sequence[bytes]) -> tuple[dict[str, int], int]:
    """In which files below these folders any of these byte strings stands, and how many files were searched."""
    left: dict[str, int] = {}
    searched = 0
    overlap = max((len(p) for p in patterns), default=1) - 1
    for file in (f for root in roots if root.is_dir() for f in sorted(root.rglob("*")) if f.is_file()):
        searched += 1
        count, tail = 0, b""
        with file.open("rb") as f:
            while chunk := f.read(_CHUNK):
                data = tail + chunk
                tail = data[-overlap:] if overlap else b""
                # What lies wholly in the tail is counted with the next chunk, or below at the end.
                count += sum(data.count(p) - tail.count(p) for p in patterns)
            count += sum(tail.count(p) for p in patterns)
        if count:
            left[f"{file.parent.name}/{file.name}"] = count
    return left, searched


# --- access ---------------------------------------------------------------------------------------------------


def export(
    person_id: str,
    to: Path,
    context: Context,
    media_client: MediaClient,
    folder: Path | None,
    language: str,
    actor: str,
) -> JsonObject:
    """Write all that is held of a person into a new folder and a zip beside it, for the person to have.

    Pictures show this person and nobody else, and went through the same checks as what is published. Raises
    RightsError when the person is not known or there is such a folder already.
    """
    store, now = context.store, context.clock()
    names = store.rights.names(person_id)
    if not names:
        raise RightsError(f"Nobody in the register, now or before, is {person_id}.", "Check the id.")
    target = to / f"{person_id}-{now.date().isoformat()}"
    try:
        target.mkdir(parents=True, mode=0o700)
        (target / "pictures").mkdir(mode=0o700)
        (target / "forms").mkdir(mode=0o700)
    except FileExistsError:
        raise RightsError(f"{target}: is there already.", "Name another folder with --to.") from None
    except OSError as e:
        raise RightsError(f"{target}: cannot be made ({e.strerror}).", "Name another folder with --to.") from e
    forms = _copy_forms(person_id, context, folder, target / "forms")
    appearances = store.rights.appearances(person_id)
    pictures, failed = _pictures(appearances, target / "pictures", media_client, context)
    person = store.register.current().people.get(person_id)
    letter = AccessLetter(
        context.settings.school,
        language,
        now.date(),
        person_id,
        names[0],
        person,
        store.rights.history(person_id),
        forms,
        appearances,
        pictures,
        failed,
        _templates(person_id, context),
        _entries(person_id, context, language),
    )
    write_html(letter, target / "letter.html")
    write_pdf(letter, target / "letter.pdf")
    archive = target.with_suffix(".zip")
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED) as z:
        for file in sorted(p for p in target.rglob("*") if p.is_file()):
            file.chmod(0o600)
            z.write(file, file.relative_to(target.parent))
    archive.chmod(0o600)
    facts: JsonObject = {
        "person": person_id,
        "pictures": len(pictures),
        "not_rendered": len(failed),
        "forms": len(forms),
    }
    store.journal.note(now, "person.exported", actor, facts, [person_id])
    return {**facts, "folder": str(target), "zip": str(archive)}


def _copy_forms(person_id: str, context: Context, folder: Path | None, target: Path) -> dict[str, str]:
    """Hash -> name of the copy, for every form that is on file and still the one that was recorded."""
    copies: dict[str, str] = {}
    for form in context.store.rights.forms(person_id):
        try:
            if folder is None or Evidence(folder).form(form.path) != form.sha256:
                continue
            source = resolve(folder, form.path)
        except EvidenceError:
            continue
        name = f"{form.sha256[:12]}{source.suffix.lower()}"
        try:
            with context.vault.portraits.borrowed(source, form.sha256, MAX_FORM_BYTES) as copy:
                shutil.copyfile(copy, target / name)
        except RefusedFile:
            continue
        copies[form.sha256] = name
    return copies


def _pictures(
    appearances: Sequence[Appearance], target: Path, media_client: MediaClient, context: Context
) -> tuple[dict[int, str], dict[int, str]]:
    """Item -> name of the picture, and item -> why there is none."""
    done: dict[int, str] = {}
    failed: dict[int, str] = {}
    context.vault.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    for a in appearances:
        if not a.places:
            continue  # compared, heard or denied: there is no face of the person in it to show
        item = context.store.items.get(a.item_id)
        name = f"export-{a.item_id}.partial"
        try:
            media_client.start()
            product = render_only(item, a.places, name, media_client, context) if item else None
        except (ChildError, KeyUnknown, OriginalGone, OSError) as e:
            context.vault.discard(name)
            failed[a.item_id] = str(e)
            continue
        bad = [c.name for c in product.checks if not c.passed] if product else ["face not found again"]
        if product is None or bad:
            context.vault.discard(name)
            failed[a.item_id] = ", ".join(bad)
            continue
        done[a.item_id] = f"{a.item_id}.{product.extension}"
        context.vault.hand_over(name, target / done[a.item_id])
    return done, failed


def _templates(person_id: str, context: Context) -> list[JsonObject]:
    own = [t for t in context.store.templates.all() if t.person_id == person_id]
    return [{"engine": t.engine, "portrait": t.portrait_sha256, "dated": t.dated.isoformat()} for t in own]


def _entries(person_id: str, context: Context, language: str) -> list[JsonObject]:
    """What the log says of the person, without what it says of others in the same entry."""
    return [
        {"seq": e.seq, "at": e.at, "kind": e.kind, "item": e.item_id, "said": about(e, person_id, language)}
        for e in context.store.journal.entries(person_id=person_id)
    ]
