"""A recorded decision leads to its verdicts again, and to others when anything that it rests on was changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from pipeline.domain.types import Answer, Box, Detection, Event, Face, MatchResult, Medium, Reason, Register
from pipeline.log.chain import canonical
from pipeline.log.replay import inputs, replay
from pipeline.redaction import manual_marks
from pipeline.redaction.manual_marks import Annotation, AnnotationKind
from pipeline.rules import verdicts as verdict_rules
from tests.unit.rules.test_verdicts import CHILD, ON, TEEN, register

NOW = register(CHILD, TEEN)
EVENT = Event("e")
FACES = [Face(n, Detection(Box(n * 50.0, 10.0, n * 50.0 + 40, 50.0), 0.9, None, ("yunet",))) for n in range(4)]
SEEN = [
    MatchResult(0, "P1", None, "P1", 9.123456789012, 2.0, 8.5, 2.5, 1e-4, "child", {"sface": 0.7}),
    MatchResult(1, None, Reason.UNKNOWN_PERSON, "P2", 8.0, 1.0, 8.5, 2.5, 1e-4, "child", {"sface": 0.5}),
    MatchResult(2, "P2", None, named_by="E1"),
    MatchResult(3, None, Reason.TOO_SMALL),
]
DENIED = Annotation(1, 1, AnnotationKind.NOT_PERSON, None, "P1", (), "why", "E1", "at")


def body(
    by_hand: tuple[Annotation, ...] = (), before: dict[str, list[tuple[Box, str]]] | None = None
) -> dict[str, Any]:
    """A decision as it stands in the log, after its way through JSON."""
    verdicts = {}
    for channel in ("school", "personal"):
        own = verdict_rules.judge(SEEN, NOW, EVENT, channel, Medium.PHOTO, ON)
        own = manual_marks.as_before(own, FACES, before.get(channel, ())) if before is not None else own
        own = manual_marks.reviewed(own, FACES, by_hand, (400, 300))
        verdicts[channel] = [
            {
                "face": v.face,
                "box": [FACES[v.face].detection.box.left, 10.0, FACES[v.face].detection.box.right, 50.0],
                "shown": v.shown,
                "reason": v.reason,
                "person": v.person_id,
                "article": v.article,
                "consent_row": v.consent_row,
                **{k: x for k, x in asdict(v.sighting).items() if x and k != "reason"},
            }
            for v in own
        ]
    basis = inputs(NOW, Medium.PHOTO, by_hand, before, ["P1", "P2"])
    facts = {**asdict(EVENT), "date": None, "groups": []}
    basis |= {"event": facts}
    done = {"on": ON.isoformat(), "size": [400, 300], "verdicts": verdicts, "held": [], "basis": basis}
    result: dict[str, Any] = json.loads(canonical(done))
    return result


@pytest.mark.parametrize("by_hand", [(), (DENIED,)])
@pytest.mark.parametrize("before", [None, {}, {"school": [(FACES[0].detection.box, "P1")]}])
def test_what_was_recorded_leads_to_the_same_verdicts(by_hand: tuple[Annotation, ...], before: Any) -> None:
    recorded = body(by_hand, before)
    assert replay(recorded, NOW) == []
    shown = [v["shown"] for v in recorded["verdicts"]["school"]]
    assert shown[0] == (not by_hand and before != {}) and not shown[3]


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(b: dict[str, Any]) -> None:
        *way, last = path.split("/")
        for step in way:
            b = b[int(step)] if isinstance(b, list) else b[step]
        b[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("verdicts/school/0/shown", False),
        put("verdicts/school/1/shown", True),
        put("verdicts/school/1/reason", "consent"),
        put("verdicts/school/0/score", 8.4),
        put("verdicts/school/0/threshold", 9.2),
        put("verdicts/school/0/runner_up", 7.0),
        put("verdicts/school/0/person", "P2"),
        put("verdicts/school/0/consent_row", "P2/photo/school"),
        put("verdicts/school/0/article", "A.4"),
        put("verdicts/school/2/named_by", ""),
        put("on", "2040-01-01"),
        put("basis/rules", verdict_rules.RULES + 1),
        put("basis/grounds/P1", "0" * 64),
        put("basis/before", {}),
        put("basis/register_rules/at_16", "carry"),
        put("basis/event/kind", "lesson"),
        put("held", ["protected_person"]),
        put("basis/by_hand", [{"kind": "not_person", "box": None, "person": "P1", "reasons": [], "span": None}]),
        put("sound", {"school": {"mode": "keep", "heard": [{"person": "P9", "allowed": True, "reason": "consent"}]}}),
    ],
)
def test_a_record_that_was_altered_does_not_lead_there(change: Callable[[dict[str, Any]], None]) -> None:
    altered = copy.deepcopy(body())
    change(altered)
    assert replay(altered, NOW) != []


def alter(**more: Any) -> Register:
    key = ("P1", Medium.PHOTO, "school")
    return replace(NOW, consents={**NOW.consents, key: replace(NOW.consents[key], **more)})


@pytest.mark.parametrize(
    "now",
    [
        alter(answer=Answer.NO),
        alter(form_sha256="1" * 64),
        alter(signed_on=ON),
        replace(NOW, people={k: p for k, p in NOW.people.items() if k != "P1"}),
        replace(NOW, people={**NOW.people, "P2": replace(TEEN, protected=True)}),
    ],
)
def test_a_register_whose_past_was_altered_is_noticed(now: Register) -> None:
    assert replay(body(), now) != []


def film(naming: list[int], jumps: list[int], proven: list[list[float]], shown_in: list[list[float]]) -> dict[str, Any]:
    """The same as a film of 25 frames a second, in which matching named the first face in these frames."""
    recorded = body()
    recorded["basis"]["medium"] = "film"
    recorded["film"] = {"frames": 100, "rate": "25", "proofs": {"0": {"looks": naming, "jumps": jumps}}}
    for rows in recorded["verdicts"].values():
        for row in rows:
            row["seconds"] = [0.0, 4.0]
            if row["person"] == "P1":
                row.update({"proven": proven} | ({"shown_in": shown_in} if row["shown"] else {}))
    return recorded


def frames_that_differ(recorded: dict[str, Any]) -> list[str]:
    return [d.where for d in replay(recorded, NOW) if d.where.endswith("face 0, frames")]


def test_where_a_face_of_a_film_is_proven_follows_from_the_looks_at_it() -> None:
    assert frames_that_differ(film([0, 10, 20], [], [[0.0, 0.84]], [[0.0, 0.84]])) == []
    assert frames_that_differ(film([0, 10, 20], [15], [[0.0, 0.44]], [[0.2, 0.44]])) == []


@pytest.mark.parametrize(
    ("naming", "jumps", "proven", "shown_in"),
    [
        ([0, 10, 20], [15], [[0.0, 0.84]], [[0.0, 0.84]]),
        ([0, 13, 20], [], [[0.0, 0.84]], [[0.0, 0.84]]),
        ([0], [], [[0.0, 0.84]], [[0.0, 0.84]]),
        ([0, 10], [], [[0.0, 0.44]], [[0.0, 0.48]]),
    ],
)
def test_frames_that_lie_between_no_proofs_are_a_difference(
    naming: list[int], jumps: list[int], proven: list[list[float]], shown_in: list[list[float]]
) -> None:
    assert frames_that_differ(film(naming, jumps, proven, shown_in))
