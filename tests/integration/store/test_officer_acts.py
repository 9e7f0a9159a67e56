"""What an officer does to a published file and its recall are one transaction: killed in between, none is kept."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.lifecycle import State
from pipeline.domain.types import Box, MatchResult, Reason, Verdict
from pipeline.kill_points import VARIABLE
from pipeline.log import chain
from pipeline.log.seal import sealed
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.store import Store
from pipeline.store.review import ReviewError
from pipeline.store.rows import Decision
from tests.conftest import ROOT
from tests.integration.store.test_store import NOW, claimed, decision

BOX = "Box(1, 2, 30, 40)"
ACTS = {
    "cover": f"store.review.mark(NOW, 'B', 1, AnnotationKind.COVER, 'asked for', {BOX})",
    "deny": f"store.review.mark(NOW, 'B', 1, AnnotationKind.NOT_PERSON, 'it is not', {BOX}, 'P1')",
    "name": f"store.hand_names.name(NOW, 1, 0, {BOX}, 'P2', 'B')",
    "name anew": f"store.hand_names.name(NOW, 1, 0, {BOX}, 'P1', 'B', redo=True)",
    "unname": f"store.hand_names.unname(NOW, 1, 0, {BOX}, 'B')",
    "speakers": "store.hand_names.say_speakers(NOW, 2, ['P2'], 'B', 'heard', back=TakeBack('may not', ('P2',)))",
    "reject": "store.review.reject(NOW, 'B', 1, 'never')",
    "report": "store.recall.begin(NOW, 'B', 1, '', 'a problem was reported', replace=False, incident='look')",
}
"""What a person does to a published file; the first shows P1, whom staff named, the second is a film."""
SCRIPT = """
from datetime import UTC, datetime
from pipeline.domain.types import Box
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.store import Store
from pipeline.store.recalls import TakeBack
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
store = Store({url!r})
{act}
"""


def showing(person: str, named_by: str = "", form: str = "JPEG") -> Decision:
    """A decision that shows somebody on the school channel."""
    match = MatchResult(0, person, None, score=9.0, threshold=5.0, named_by=named_by)
    plain = decision()
    shown = Verdict(0, "school", True, Reason.CONSENT, "A.5", person, f"{person}/photo/school", 0, match)
    covered = replace(shown, channel="personal", shown=False, reason=Reason.REFUSED)
    analysis = replace(plain.analysis, format=form)
    drafts = [replace(d, work_name=f"{form}-{d.channel}") for d in plain.drafts]
    return replace(plain, verdicts={"school": [shown], "personal": [covered]}, analysis=analysis, drafts=drafts)


def published(store: Store, number: int, how: Decision, name: str = "IMG.jpg") -> int:
    """An item that was decided so, and is published."""
    item = claimed(store, number, name)
    _, mark = store.hand_names.names(item.id)
    store.items.published(NOW, store.items.record(NOW, item, "me", replace(how, names_mark=mark)))
    return item.id


@pytest.fixture
def home(tmp_path: Path) -> Path:
    store = Store(f"sqlite:///{tmp_path / 'b.db'}")
    item = claimed(store, 1)
    store.items.record(NOW, item, "me", decision())
    store.hand_names.name(NOW, 1, 0, Box(1, 2, 30, 40), "P1", "A")
    again = store.items.claim(NOW, "me", 60)
    assert again
    _, mark = store.hand_names.names(1)
    store.items.published(NOW, store.items.record(NOW, again, "me", replace(showing("P1", "A"), names_mark=mark)))
    published(store, 2, showing("P3", form="film"), "a.mp4")
    store.close()
    return tmp_path


def kept(home: Path) -> tuple[dict[str, int], dict[int, State], list[str]]:
    """What stands in the database: rows of acts and recalls, states, and the kinds of the log."""
    store = Store(f"sqlite:///{home / 'b.db'}")
    names = [n.person_id for i in (1, 2) for n in store.hand_names.names(i)[0]]
    said = store.hand_names.speakers(2)
    counts = {
        "marks": len(store.review.marks(1)),
        "incidents": len(store.review.incidents()),
        "recalls": len(store.recall.unfinished()),
        "names": len(names) * 10 + ("P2" in names),
        "speakers": 0 if said is None else 1,
    }
    states = {i.id: i.state for i in store.items.all()}
    kinds = [e.kind for e in store.journal.entries()]
    store.close()
    return counts, states, kinds


def act(home: Path, name: str, **extra: str) -> int:
    script = SCRIPT.format(url=f"sqlite:///{home / 'b.db'}", act=ACTS[name])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode


@pytest.mark.parametrize("name", ACTS)
def test_an_act_and_its_recall_are_kept_together_or_not_at_all(home: Path, name: str) -> None:
    before = kept(home)
    assert before[1] == {1: State.PUBLISHED, 2: State.PUBLISHED} and before[0]["recalls"] == 0
    assert act(home, name, **{VARIABLE: "recall.beginning:1"}) == -signal.SIGKILL
    assert kept(home) == before
    assert act(home, name) == 0
    counts, states, kinds = kept(home)
    concerned = 2 if name == "speakers" else 1
    assert states[concerned] is (State.REJECTED if name == "reject" else State.WITHDRAWN)
    assert counts["recalls"] == 1
    unchanged = counts | {"recalls": 0} == before[0]
    assert unchanged == (name in {"name anew", "reject"})  # these leave no row of their own but the state
    assert len(set(kinds[len(before[2]) :]) & {"item.recalled", "item.redone"}) == 1


def test_who_is_denied_at_an_event_leaves_the_other_published_files_that_likeness_named(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'b.db'}")
    first, likeness, by_hand, other = (
        published(store, 1, showing("P1"), "1.jpg"),
        published(store, 2, showing("P1"), "2.jpg"),
        published(store, 3, showing("P1", "A"), "3.jpg"),
        published(store, 4, showing("P2"), "4.jpg"),
    )
    store.review.mark(NOW, "B", first, AnnotationKind.NOT_PERSON, "a cousin", Box(1, 2, 30, 40), "P1")
    states = {i.id: i.state for i in store.items.all()}
    assert states == {
        first: State.WITHDRAWN,
        likeness: State.WITHDRAWN,  # it shows the same cousin, by the same likeness
        by_hand: State.PUBLISHED,
        other: State.PUBLISHED,
    }
    assert all(r.replace for r in store.recall.unfinished())
    store.close()


def test_a_shown_face_that_gets_another_name_is_taken_back(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'b.db'}")
    item = published(store, 1, showing("P1"))
    assert store.hand_names.name(NOW, item, 0, Box(1, 2, 30, 40), "P1", "B") is State.PUBLISHED  # says what is shown
    assert store.hand_names.name(NOW, item, 0, Box(1, 2, 30, 40), "P2", "B") is State.WITHDRAWN
    assert store.hand_names.name(NOW, item, 0, Box(1, 2, 30, 40), "P2", "B") is State.WITHDRAWN
    store.close()


def test_the_texts_of_an_incident_are_sealed_in_the_log_and_can_be_erased(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'b.db'}")
    item = published(store, 1, showing("P1"))
    store.recall.begin(NOW, "B", item, "", "a problem was reported", replace=False, incident="Kwispelina is in it")
    store.review.close_incident(NOW, "B", 1, "the mother of Kwispelina was called")
    bodies = {e.kind: json.loads(e.body) for e in store.journal.entries()}
    with store.database.read() as tx:
        (salt,) = tx.exec_driver_sql("SELECT salt FROM incidents").one()
    assert bodies["item.recalled"]["incident_sealed"] == sealed("Kwispelina is in it", salt)
    assert bodies["incident.closed"]["outcome_sealed"] == sealed("the mother of Kwispelina was called", salt)
    assert "Kwispelina" not in json.dumps(bodies)
    store.review.forget_incident(NOW, "B", 1, "it named a child")
    assert store.rights.compact()
    with pytest.raises(ReviewError):
        store.review.forget_incident(NOW, "B", 1, "twice")
    assert list(chain.flaws(store.journal.entries())) == []
    store.close()
    assert all(b"Kwispelina" not in p.read_bytes() for p in tmp_path.iterdir())
