"""The log in words: every kind of entry and every reason has an English and a Dutch sentence, and Dutch is Dutch."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.domain.types import Reason
from pipeline.log.chain import Entry
from pipeline.log.entry_sentences import LINES
from pipeline.log.sentences import sentences, verdict_line
from pipeline.log.vocabulary import CHECKS, note_text, reason_text
from pipeline.reader import media_errors
from pipeline.rules.sound import SoundReason

ROOT = Path(pipeline.__file__).parent
SHA = "a" * 64
FILES = [{"item": 3, "channel": "school", "path": "uitje/a.jpg", "sha256": SHA, "person": "P1", "medium": "sound"}]
VERDICTS = [
    {
        "face": n,
        "box": [1, 2, 3, 4],
        "shown": r is Reason.CONSENT,
        "reason": str(r),
        "person": "P1",
        "article": "A.5",
        "seconds": [0, 2.5],
        "named_by": "account:kim",
        "score": 7.0,
        "threshold": 6.0,
        "runner_up": 1.0,
    }
    for n, r in enumerate(Reason)
]
DECIDED = {
    "on": "2026-11-01",
    "register_version": 3,
    "format": "film (h264)",
    "size": [640, 360],
    "faces": 2,
    "film": {"seconds": 3.2, "frames": 80},
    "notes": ["odd size made even", "dropped: 2 data tracks"],
    "basis": {"covers": {"reach": "head", "styles": {"school": "blur", "personal": "sticker"}}},
    "verdicts": {"school": VERDICTS},
    "sound": {
        f"k{n}": {"mode": m, "reason": str(r), "article": "A.5", "people": ["P1"], "muted": [[0, 1]]}
        for n, r in enumerate(SoundReason)
        for m in ("keep", "mute_speech", "mute_all")
    },
    "checks": {"school": [{"name": n, "passed": False, "detail": "3 of 4 pixels"} for n in CHECKS]},
}
ENROLLED = {
    "version": 3,
    "enrolled": ["P1"],
    "not_enrolled": {"P2": "no_portrait", "P3": "refused", "P4": "no_usable_portrait", "P5": "no_key"},
    "portraits_refused": [{"person": "P2", "why": "there are two faces in it"}],
    "problem": "the key is gone",
    "alike": [{"first": "P1", "second": "P5", "score": 6.1}],
}
CALIBRATED = {
    "people": 9,
    "named wrongly": 0,
    "portraits compared as strangers": 9,
    "named rightly": 8,
    "pairs": [],
    "portraits compared as guests": 9,
    "wrong shows per 1,000 photos": 0.1,
    "95 % interval": [0, 1],
}
RECALLED = {
    "why": "staff asked for it",
    "person": "P1",
    "replace": True,
    "places": 2,
    "files": [*FILES, {"rendition": 4, "channel": "school", "sha256": SHA}],
}  # as before, and as now
WHY = "op verzoek van een ouder"
SETTLED = {"lost": 9, "known": 140, "kept_as": "a", "why": WHY, "withdrawn_again": []} | dict.fromkeys(
    ("erased_again", "recalled_again", "originals_deleted_again"), 1
)
BODIES: dict[str, list[dict[str, Any]]] = {
    "item.decided": [DECIDED],
    "item.arrived": [{"event": {"problem": "event.toml cannot be used"}, "bytes": 9, "sha256": SHA}],
    "item.duplicate": [{"first": 2, "state": "published"}],
    "inbox.refused": [{"mark": "1a2b3c4d", "why": "no regular file"}, {"source": "a.jpg", "why": "a link"}],
    "item.published": [{"renditions": [{"channel": "school", "sha256": SHA}], "replaces": n} for n in (0, 2)],
    "item.held": [{"reasons": ["check_failed:region_covered", "lesson_without_permission"]}],
    "item.rejected": [
        {"reasons": ["damaged"], "message": "The file is damaged."},
        {"reasons": ["refused_by_officer"], "message": WHY},
    ],
    "item.failed": [{"reasons": ["attempts_used_up"], "message": "3 attempts failed; the last one: x"}],
    "item.requeued": [{"why": "the name of a face changed"}, {"why": "the reader ended", "attempt": 2}, {"why": WHY}],
    "item.interrupted": [{"times": 2}],
    "item.cancel_asked": [{"why": WHY}],
    "register.loaded": [
        {
            "version": 3,
            "rows": 20,
            "diff": {"counts": {"granted": 2, "withdrawn": 1, "changed_consents": 4}},
            "problems": [{"row": 3, "column": "x", "expected": "yes or no"}],
        }
    ],
    "register.enrolled": [{"version": 3, "kept": 7}, ENROLLED],
    "register.held": [
        {
            "waiting": {"P1": "brake", "P2": "row_unclear", "P3": "refusal_vanished", "P4": "protection_vanished"},
            "stopped": ["26 people would be shown more"],
        }
    ],
    "register.refused": [{"why": "the file is not a table"}],
    "register.notices_taken": [{"notices": 3}],
    "templates.deleted": [{"deleted": 2, "people": ["P1"]}],
    "templates.key_exchanged": [{"templates": 2, "after": "k2", "before": "k1"}],
    "templates.key_given_up": [{"templates": 2, "before": "k1"}],
    "log.key_exchanged": [{"after": "k2"}],
    "vault.key_exchanged": [{"originals": 4, "after": "k2"}],
    "matching.calibrated": [CALIBRATED],
    "item.named": [{"face": 1, "person": "P1", "why": WHY}],
    "item.unnamed": [{"face": 1, "people": ["P1"]}],
    "item.speakers": [{"people": [], "why": WHY}],
    "item.marked": [
        {"mark": m, "person": "P1", "why": WHY, "box": [1, 2, 3, 4], "seconds": [1.0, 2.5]}
        for m in ("not_person", "cover", "region", "widen", "figure")
    ],
    "item.unmarked": [{"mark": 3, "why": WHY}],
    "item.event_corrected": [
        {
            "was": {"date": None, "kind": "", "groups": ["1A"], "permission": "", "people": [], "problem": ""},
            "now": {
                "date": "2026-11-01",
                "kind": "lesson",
                "groups": [],
                "permission": "",
                "people": [],
                "problem": "",
            },
            "why": WHY,
        }
    ],
    "question.asked": [{"question": 3, "why": WHY}],
    "question.answered": [{"question": 3, "why": WHY}],
    "incident.undone": [{"incident": 3, "outcome_sealed": "ab"}],
    "item.undone": [{"act": "item.approved", "entry": 12}],
    "item.approved": [{"reasons": ["lesson_without_permission"], "why": WHY}],
    "original.viewed": [{}],
    "incident.closed": [{"incident": 3, "outcome": "opgelost"}, {"incident": 3, "outcome_sealed": SHA}],
    "incident.erased": [{"incident": 3, "why": WHY}],
    **{
        f"account.{k}": [{"account": "kim", "roles": ["officer", "communicator"]}]
        for k in ("added", "invited", "password", "roles", "locked", "unlocked")
    },
    "account.second_factor": [{"account": "kim", "on": True}, {"account": "kim", "on": False}],
    "account.signed_in": [{"how": "password"}, {"how": "one-time code"}],
    "account.blocked": [
        {"failures": 5, "key": "name:kim", "wait_seconds": 30},
        {"limit": "account", "failures": 5, "key": "kim 192.0.2.1", "wait_seconds": 300},
    ],
    "log.exported": [{"entries": 3, "as": "csv"}],
    "spot.drawn": [{"check": 1, "size": 3, "of_last": 9}],
    "spot.marked": [{"check": 1, "verdict": 3, "mark": m} for m in ("right", "wrong", "unclear")],
    "upload.finished": [{"bytes": 9, "sha256": SHA}],
    "item.recalled": [RECALLED, RECALLED | {"why": "withdrawn", "original_gone": True, "people": ["P1", "P2"]}],
    "item.redone": [RECALLED],
    "item.removed": [
        {"removed": 1, "changed": [{"rendition": 4, "channel": "school", "sha256": SHA}]},
        {"removed": 1, "changed": ["school/a.jpg"]},
    ],
    "recall.due": [{"files": FILES}, {"files": [], "unguarded": {"3": ["P9"]}, "approvals": {"4": ["P8"]}}],
    "person.erased": [{"person": "P1", "rows": {"people": 1, "names_by_hand": 2, "lookalikes": 1}, "files": 2}],
    "person.stopped": [
        {"person": "P1", "stop": 3, "kind": k, "medium": m, "channel": c, "version": 4, "why_sealed": SHA}
        for k, m, c in (("withdrawal", "photo", "school"), ("objection", "", ""), ("restriction", "film", ""))
    ],
    "person.stop_lifted": [{"person": "P1", "stop": 3, "version": 5, "why_sealed": SHA}],
    "person.link_made": [{"person": "P1", "link": 3, "expires": "2026-12-01T00:00:00"}],
    "person.links_ended": [{"person": "P1", "links": 2}],
    "person.readmitted": [{"person": "P1", "why": WHY}],
    "person.exported": [{"person": "P1", "pictures": 3, "forms": 1}],
    "publication.noted": [{"note": 1, "channel": "school"}],
    "publication.downloaded": [{"rendition": 4, "channel": "school", "sha256": SHA}],
    "publication.done": [{"task": 1}],
    "service.started": [{"matching": {"enabled": True}, "engines": {"yunet": SHA}}],
    "service.stopped": [{}],
    "original.deleted": [{"sha256": SHA, "bytes": 5, "why": "[retention] originals_days = 365"}],
    "service.backed_up": [{"files": 12, "entries": 340}],
    "log.settled": [SETTLED, SETTLED | {"withdrawn_again": ["P1"]}],
    "service.restored": [
        {
            "made_at": "2026-11-01T10:00:00+00:00",
            "erased_again": 1,
            "recalled_again": 2,
            "originals_deleted_again": 0,
            "missing": 0,
        }
    ],
}
ENGLISH = re.compile(
    r"\b(the|and|with|by|not|for|are|has|have|been|were|this|that|which|who|whom|may|shown|shows|face|faces|file|"
    r"files|people|person|consent|register version|row|rows|covered|name|named|nobody|somebody|everyone|there|their|"
    r"from|again|taken|made|sound|speech|because|says|said|put|checks|passed|failed|frames|item)\b"
)


def told(kind: str, body: dict[str, Any], language: str) -> list[str]:
    return sentences(Entry(1, "2026-11-01T10:00:00", kind, "service", 1, json.dumps(body), "", ""), language)


def logged() -> Iterator[str]:
    """Every kind of entry that some line of the program writes: a constant handed to the journal."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"append", "note"}:
                for arg in node.args:
                    if isinstance(arg, ast.Constant) and re.fullmatch(r"[a-z]+\.[a-z_]+", str(arg.value)):
                        yield str(arg.value)


def test_every_kind_that_is_logged_has_its_sentences() -> None:
    kinds = set(logged())
    assert len(kinds) > 25
    assert kinds <= {*LINES, "item.decided"}
    assert set(BODIES) == {*LINES, "item.decided"}


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_every_kind_of_entry_is_told_in_both_languages(kind: str) -> None:
    for body in BODIES[kind]:
        english, dutch = told(kind, body, "en"), told(kind, body, "nl")
        assert english and dutch and english[0] != dutch[0]
        assert [(line, found[0]) for line in dutch if (found := ENGLISH.search(line.lower()))] == []


def test_the_log_says_how_what_is_covered_looks() -> None:
    body = {**DECIDED, "basis": {"covers": {"reach": "face", "styles": {"school": "blur", "personal": "sticker"}}}}
    assert "covered is the face: blur (school), sticker (personal)" in told("item.decided", body, "en")
    assert "afgedekt wordt het hele hoofd: blur (school), sticker (personal)" in told("item.decided", DECIDED, "nl")
    assert told("item.decided", {**DECIDED, "basis": {}}, "en"), "an entry of an earlier version"


def test_every_reason_and_every_check_has_its_sentences() -> None:
    codes = {c.reason for c in vars(media_errors).values() if isinstance(c, type) and hasattr(c, "reason")}
    codes |= {"attempts_used_up", "interrupted_too_often", "original_gone", "cancelled", "refused_by_officer"}
    for code in codes:
        for language in ("en", "nl"):
            assert reason_text(code, language) != code.replace("_", " "), code
        assert not ENGLISH.search(reason_text(code, "nl")), code
    source = "\n".join(p.read_text(encoding="utf-8") for p in ROOT.rglob("*.py"))
    assert set(re.findall(r'\bCheck\(\s*"([a-z_]+)"', source)) <= set(CHECKS)


def test_a_remark_of_the_reader_is_told_in_dutch_with_its_figures() -> None:
    dutch = note_text("an animation of 12 pictures, played once", "nl")
    assert dutch == "een animatie van 12 beelden, eenmaal afgespeeld"
    assert note_text("odd size made even", "en") == "odd size made even"


def test_a_face_that_is_shown_in_part_says_when_and_why() -> None:
    verdict = {"face": 2, "box": [1, 2, 3, 4], "shown": True, "reason": "consent", "seconds": [0.0, 8.0]}
    whole = verdict_line(verdict | {"shown_in": [[0.0, 8.0]]}, "school", "en")
    part = verdict_line(verdict | {"shown_in": [[0.0, 3.2], [3.9, 8.0]]}, "school", "en")
    assert "shown in" not in whole
    assert part == whole + (
        "; shown in 0:00.0 - 0:03.2, 0:03.9 - 0:08.0, between two looks that say who it is, and covered in between"
    )
    assert "zichtbaar in 0:00.0 - 0:03.2" in verdict_line(verdict | {"shown_in": [[0.0, 3.2]]}, "school", "nl")
