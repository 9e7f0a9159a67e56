"""Loading a register: read it, make it the current version, and bring the templates in line with it.

Templates of everyone who may no longer be matched go first, whatever happens afterwards; new ones are made only for
those who agreed to be matched (GDPR art. 9(2)(a)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consent_sync.enrol import NotEnrolled, PortraitRefusal, plan_enrolment, usable_portrait
from consent_sync.loader import load
from consent_sync.merge import Diff, diff
from consent_sync.model import LoadedRegister, Portrait
from pipeline.errors import ChildError, ChildRefused
from pipeline.lab import Lab
from pipeline.store import Store
from pipeline.types import JsonObject, Template


@dataclass(frozen=True, slots=True)
class Report:
    """What loading a register did, for the screen."""

    version: int
    loaded: LoadedRegister
    diff: Diff
    enrolled: tuple[str, ...]
    not_enrolled: tuple[NotEnrolled, ...]
    portraits_refused: tuple[tuple[str, str, str], ...]
    """Person id, name of the portrait, why."""


def load_register(
    path: Path,
    store: Store,
    lab: Lab | None,
    weights: Mapping[str, str],
    clock: Callable[[], datetime],
    actor: str,
    progress: Callable[[str, int, int], None],
) -> Report:
    """Make the file the register. Without a `lab` (matching off) nobody is enrolled and every template goes.

    Raises consent_sync's RegisterError when the file cannot be trusted: then nothing changes.
    """
    on = clock().date()
    loaded = load(path, on=on, progress=lambda done, of: progress("reading forms", done, of))
    old = store.register.current()
    new = loaded.register(old.version + 1)
    change = diff(old, new, on)
    body: JsonObject = {"diff": change.summary(), "problems": [
        {"row": p.row, "column": p.column, "expected": p.expected} for p in loaded.problems
    ], "remarks": list(loaded.remarks)}  # fmt: skip
    version = store.register.replace(
        clock(), actor, path.name, loaded.source_sha256, loaded.row_count, loaded.people, loaded.consents.values(), body
    )
    plan = plan_enrolment(new, loaded.portraits if lab else {}, on)
    wanted = plan.enrol if lab else {}
    already = store.templates.enrolled(weights)
    keep = {p: {x.sha256 for x in portraits} & already.get(p, set()) for p, portraits in wanted.items()}
    store.templates.enrol(clock(), actor, [], weights, keep, {"version": version, "kept": len(keep)}, ())
    made, refused = _make(wanted, keep, lab, tuple(weights), progress) if lab else ([], [])
    enrolled = {t.person_id for t in made} | {p for p, portraits in keep.items() if portraits}
    usable = {p: {t.portrait_sha256 for t in made if t.person_id == p} | keep[p] for p in wanted}
    without = [
        NotEnrolled(p, "no_usable_portrait", "none of the portraits can be used") for p in wanted if p not in enrolled
    ]
    not_enrolled = (*plan.refused, *without)
    body = {
        "version": version, "matching": lab is not None, "enrolled": sorted(enrolled),
        "not_enrolled": {n.person_id: str(n.reason) for n in not_enrolled},
        "portraits_refused": [{"person": person, "why": why} for person, _, why in refused],
    }  # fmt: skip
    named = {*enrolled, *(n.person_id for n in not_enrolled)}
    store.templates.enrol(clock(), actor, made, weights, usable, body, named)
    return Report(version, loaded, change, tuple(sorted(enrolled)), not_enrolled, tuple(refused))


def _make(
    wanted: Mapping[str, Sequence[Portrait]],
    have: Mapping[str, set[str]],
    lab: Lab,
    engines: Sequence[str],
    progress: Callable[[str, int, int], None],
) -> tuple[list[Template], list[tuple[str, str, str]]]:
    todo = [(person, x) for person, portraits in wanted.items() for x in portraits if x.sha256 not in have[person]]
    made: list[Template] = []
    refused: list[tuple[str, str, str]] = []
    for done, (person, portrait) in enumerate(todo, 1):
        try:
            lab.start()
            face = usable_portrait(lab.analyse(portrait.path, embed=True), engines)
        except ChildRefused as e:
            refused.append((person, portrait.path.name, str(e)))
        except ChildError as e:
            refused.append((person, portrait.path.name, f"could not be read: {e}"))
        else:
            if isinstance(face, PortraitRefusal):
                refused.append((person, portrait.path.name, face.sentence))
            else:
                made += [Template(person, portrait.sha256, engine, face.embeddings[engine]) for engine in engines]
        progress("reading portraits", done, len(todo))
    return made, refused
