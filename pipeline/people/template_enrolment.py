"""Templates in line with the register: who may no longer be matched loses them, who agreed gets them from portraits.

Consent to matching is its own (GDPR art. 9(2)(a)); a portrait is given for this purpose with its form, and is as old
as that form. The pass photos of the school's administration were given for another purpose and are
refused (art. 5(1)(b)).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from consent_sync.loaded import Portrait
from pipeline.config import Templates
from pipeline.domain.types import JsonObject, LookAlike, Medium, Register, SealedTemplate, Template, Vector, young
from pipeline.errors import BeeldwachtError, ChildError, ChildRefused
from pipeline.files.folders import Vault
from pipeline.files.template_keys import Key, KeyProblem, TemplateKeys, seal, unseal
from pipeline.people.portrait_checks import (
    NotEnrolled,
    PortraitRefusal,
    Refusal,
    plan_enrolment,
    portrait_faces,
    usable_portrait,
)
from pipeline.people.portrait_consistency import PortraitFace, look_alikes, odd_ones_out, shared_face
from pipeline.recognition.matching import EngineScale, too_young
from pipeline.rules.verdicts import may_match
from pipeline.sandbox.client import MediaClient
from pipeline.store import Store

Progress = Callable[[str, int, int], None]
KEY_PROBLEM = "no_key"
NOT_USABLE = "no_usable_portrait"
TOO_OLD = "portrait_too_old"
_MARKERS = frozenset({"pasfoto", "pasfotos", "passfoto", "passphoto", "passphotos"})


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who has a template now, who not and why, which portraits were refused, who looks like whom."""

    enrolled: tuple[str, ...]
    not_enrolled: tuple[NotEnrolled, ...]
    portraits_refused: tuple[tuple[str, str, str], ...]
    """Person id, name of the portrait, why."""
    alike: tuple[LookAlike, ...] = ()
    problem: str = ""
    """Why nobody could be enrolled; empty when all is well."""


@dataclass(frozen=True, slots=True)
class _Crowd:
    """A portrait with several faces, or with one that is turned away, and what is said when none can be chosen."""

    sentence: str
    faces: tuple[PortraitFace, ...]


@dataclass(slots=True)
class _Work:
    """What becomes of the portraits of everyone who may have a template."""

    kept: dict[str, list[Template]]
    made: dict[str, list[Template]] = field(default_factory=dict)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    crowds: dict[str, list[tuple[Portrait, _Crowd]]] = field(default_factory=dict)

    def of(self, person_id: str) -> dict[str, list[Template]]:
        """Portrait -> its templates, old and new."""
        found: dict[str, list[Template]] = {}
        for t in (*self.kept.get(person_id, ()), *self.made.get(person_id, ())):
            found.setdefault(t.portrait_sha256, []).append(t)
        return found


class Enroller:
    """Brings the templates in line with a register. Without a `lab` (matching off) every template goes."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        media_client: MediaClient | None,
        keys: TemplateKeys,
        weights: Mapping[str, str],
        engines: Mapping[str, EngineScale],
        settings: Templates,
        clock: Callable[[], datetime],
        actor: str,
    ) -> None:
        self._store = store
        self._vault = vault
        self._media_client = media_client
        self._keys = keys
        self._weights = weights
        self._engines = engines
        self._settings = settings
        self._clock = clock
        self._actor = actor

    def prune(self, register: Register) -> int:
        """Delete the templates of who may no longer be matched, has left, or whose portrait is too old.

        GDPR art. 5(1)(e) and 7(3). Needs no key. Writes to the log only when something went. Returns how many went.
        """
        on = self._clock().date()
        keep: dict[str, set[str]] = {}
        gone: set[str] = set()
        for t in self._store.templates.all():
            if self._may_stand(t, register, on) and self._weights.get(t.engine) == t.weights_sha256:
                keep.setdefault(t.person_id, set()).add(t.portrait_sha256)
            else:
                gone.add(t.person_id)
        if not gone:
            return 0
        body: JsonObject = {"version": register.version, "people": sorted(gone)}
        return self._store.templates.enrol(
            self._clock(), self._actor, [], keep, self._weights, body, gone, kind="templates.deleted"
        )

    def enrol(self, register: Register, portraits: Mapping[str, Sequence[Portrait]], progress: Progress) -> Enrolled:
        """Delete what may not stay, then make templates of the portraits that are new, and report.

        Raises ChildError when the engines do not load: what had to be deleted is deleted by then.
        """
        self.prune(register)
        media_client, on = self._media_client, self._clock().date()
        if media_client:
            # Only now: a withdrawal counts, and its template goes, whatever is wrong with the engines.
            media_client.start()
        plan = plan_enrolment(register, portraits if media_client else {}, on)
        aged = {p for p in plan.enrol if not young(_dated(register, p), self._settings.max_age_months, on)}
        wanted = {p: own for p, own in plan.enrol.items() if p not in aged} if media_client else {}
        not_enrolled = [*plan.refused, *(_too_old(p, self._settings.max_age_months) for p in sorted(aged))]
        have = self._store.templates.enrolled(self._weights)
        keep = {p: {x.sha256 for x in own} & have.get(p, set()) for p, own in wanted.items()}
        try:
            key, kept = self._opened(keep)
        except KeyProblem as e:
            return self._without_key(register, keep, wanted, not_enrolled, e)
        work = _Work(kept)
        if media_client and key:
            self._read(register, wanted, keep, media_client, work, progress)
            self._compare(wanted, work)
        done = {p: own for p in wanted if (own := work.of(p))}
        not_enrolled += [
            NotEnrolled(p, NOT_USABLE, "none of the portraits can be used") for p in wanted if p not in done
        ]
        gallery = [t for own in done.values() for templates in own.values() for t in templates]
        fresh = {p for p, made in work.made.items() if made}
        alike = tuple(look_alikes(fresh, gallery, self._engines, self._settings.lookalike_score)) if fresh else ()
        sealed = [seal(t, self._weights[t.engine], key) for p in done for t in work.made.get(p, ()) if key]
        self._commit(register, sealed, {p: set(own) for p, own in done.items()}, not_enrolled, work.refused, alike, "")
        return Enrolled(tuple(sorted(done)), tuple(not_enrolled), tuple(work.refused), alike)

    def _may_stand(self, t: SealedTemplate, register: Register, on: date) -> bool:
        """Whether a template may be kept."""
        if t.dated != _dated(register, t.person_id):
            return False  # the form was replaced: its date counts from the portrait that came with it
        if not may_match(register, t.person_id, on).allowed or too_young(register.people[t.person_id], on):
            return False
        return young(t.dated, self._settings.max_age_months, on)

    def _opened(self, keep: Mapping[str, set[str]]) -> tuple[Key | None, dict[str, list[Template]]]:
        """The key, and the templates that stay. No key is made or asked for when there is nobody to enrol."""
        if not keep:
            return None, {}
        key = self._keys.current(make=True)
        kept: dict[str, list[Template]] = {}
        for t in self._store.templates.all(self._weights):
            if t.portrait_sha256 in keep.get(t.person_id, set()):
                kept.setdefault(t.person_id, []).append(unseal(t, key))
        return key, kept

    def _without_key(
        self,
        register: Register,
        keep: dict[str, set[str]],
        wanted: Mapping[str, object],
        not_enrolled: list[NotEnrolled],
        error: KeyProblem,
    ) -> Enrolled:
        """The register counts all the same: what has to go is gone, nobody is added, nobody can be matched."""
        without = [*not_enrolled, *(NotEnrolled(p, KEY_PROBLEM, error.message) for p in wanted)]
        self._commit(register, [], keep, without, [], (), str(error))
        return Enrolled((), tuple(without), (), (), str(error))

    def _read(
        self,
        register: Register,
        wanted: Mapping[str, Sequence[Portrait]],
        keep: Mapping[str, set[str]],
        media_client: MediaClient,
        work: _Work,
        progress: Progress,
    ) -> None:
        todo = [(person, x) for person, own in wanted.items() for x in own if x.sha256 not in keep[person]]
        marked: dict[Path, str] = {}
        for done, (person, portrait) in enumerate(todo, 1):
            folder = portrait.path.parent
            if folder not in marked:
                marked[folder] = pass_photos(folder)
            try:
                found: str | _Crowd | Mapping[str, Vector] = marked[folder] or self._describe(portrait, media_client)
            except ChildRefused as e:
                found = str(e)
            except ChildError as e:
                found = f"could not be read: {e}"
            except BeeldwachtError as e:
                found = e.message
            if isinstance(found, str):
                work.refused.append((person, portrait.path.name, found))
            elif isinstance(found, _Crowd):
                work.crowds.setdefault(person, []).append((portrait, found))
            else:
                self._take(register, person, portrait, found, work)
            progress("reading portraits", done, len(todo))
        for person in sorted(work.crowds):
            self._choose(register, person, work)

    def _take(
        self, register: Register, person: str, portrait: Portrait, vectors: Mapping[str, Vector], work: _Work
    ) -> None:
        dated = _dated(register, person)
        work.made.setdefault(person, []).extend(
            Template(person, portrait.sha256, engine, vectors[engine], dated) for engine in self._weights
        )

    def _choose(self, register: Register, person: str, work: _Work) -> None:
        """The person's face in portraits with several: the one that the person's portraits share."""
        known = [{t.engine: t.vector for t in own} for own in work.of(person).values()]
        crowds = work.crowds[person]
        chosen = shared_face([crowd.faces for _, crowd in crowds], known, self._engines)
        for (portrait, crowd), face in zip(crowds, chosen, strict=True):
            if face is None:
                work.refused.append((person, portrait.path.name, crowd.sentence))
            else:
                self._take(register, person, portrait, crowd.faces[face].vectors, work)

    def _describe(self, portrait: Portrait, media_client: MediaClient) -> str | _Crowd | Mapping[str, Vector]:
        """The vectors of the one usable face, per engine; or of several; or a sentence that says why there is none."""
        media_client.start()
        with self._vault.portraits.borrowed(portrait.path, portrait.sha256, portrait.size) as copy:
            analysis = media_client.analyse(copy, embed=True)
        face = usable_portrait(analysis, tuple(self._weights))
        if not isinstance(face, PortraitRefusal):
            return face.embeddings
        if face.reason not in (Refusal.SEVERAL_FACES, Refusal.TURNED_AWAY):
            return face.sentence
        return _Crowd(face.sentence, portrait_faces(analysis, tuple(self._weights)))

    def _compare(self, wanted: Mapping[str, Sequence[Portrait]], work: _Work) -> None:
        """Take out portraits that do not show whom the person's others show: photos of two children were swapped."""
        for person, own in wanted.items():
            if not work.made.get(person):
                continue
            odd = odd_ones_out(work.of(person), self._engines)
            names = {x.sha256: x.path.name for x in own}
            sentence = "the face does not resemble this person's other portraits: were photos swapped?"
            work.refused += [(person, names[sha], sentence) for sha in sorted(odd)]
            for templates in (work.made, work.kept):
                templates[person] = [t for t in templates.get(person, ()) if t.portrait_sha256 not in odd]

    def _commit(
        self,
        register: Register,
        made: Sequence[SealedTemplate],
        keep: Mapping[str, set[str]],
        not_enrolled: Sequence[NotEnrolled],
        refused: Sequence[tuple[str, str, str]],
        alike: Sequence[LookAlike],
        problem: str,
    ) -> None:
        enrolled = sorted(p for p, own in keep.items() if own) if not problem else []
        body: JsonObject = {
            "version": register.version,
            "matching": self._media_client is not None,
            "enrolled": enrolled,
            "not_enrolled": {n.person_id: str(n.reason) for n in not_enrolled},
            "portraits_refused": [{"person": person, "why": why} for person, _, why in refused],
            "alike": [{"first": a.first, "second": a.second, "score": round(a.score, 2)} for a in alike],
        }
        if problem:
            body["problem"] = problem
        named = {*enrolled, *(n.person_id for n in not_enrolled), *(p for a in alike for p in (a.first, a.second))}
        self._store.templates.enrol(self._clock(), self._actor, made, keep, self._weights, body, named, alike)


def pass_photos(folder: Path) -> str:
    """Why a folder of portraits is refused as the administration's pass photos; empty when it is not marked.

    A folder, or the one above it, is marked by a file named PASFOTO, .pasfoto or PASFOTO.txt, or by a `source.toml`
    that says `purpose = "administration"`. A `source.toml` that cannot be read refuses too.
    """
    for place in (folder, folder.parent):
        try:
            names = [entry.name for entry in place.iterdir()]
        except OSError as e:
            return f"the folder of the portraits cannot be listed ({e.strerror})"
        for name in names:
            stem, dot, suffix = name.casefold().lstrip(".").partition(".")
            if stem in _MARKERS and (not dot or suffix in {"txt", "md"}):
                return f"the folder is marked as pass photos of the administration ({place.name}/{name}): {_ASK}"
        if "source.toml" in names and _purpose(place / "source.toml") == "administration":
            return f"{place.name}/source.toml says that these are photos of the administration, or says nothing: {_ASK}"
    return ""


_ASK = "ask for portraits that are given for this purpose, with the form"


def _purpose(file: Path) -> str:
    try:
        return str(tomllib.loads(file.read_text(encoding="utf-8")).get("purpose", "")).strip().casefold()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return "administration"


def _dated(register: Register, person_id: str) -> date | None:
    """A portrait is as old as the form that came with it: the day on which consent to matching was signed."""
    consent = register.consents.get((person_id, Medium.MATCHING, ""))
    return consent.signed_on if consent else None


def _too_old(person_id: str, months: int) -> NotEnrolled:
    sentence = f"the form with the portrait is more than {months} months old: ask for a new one with a new portrait"
    return NotEnrolled(person_id, TOO_OLD, sentence)
