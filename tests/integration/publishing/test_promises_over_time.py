"""Whatever happens to a school, in whatever order: within a beat of the service nobody is visible who may not be.

Random histories (hypothesis) of grants, refusals, withdrawals, ends of consent, birthdays, people who leave, names and
covers by hand, recalls, days that pass and kills inside every transaction. What is compared is the publish folder as it
stands on the disk with a model of the promises that is written down here a second time, apart from the rules.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.domain.lifecycle import State
from pipeline.domain.types import Answer, Consent, Medium, Person, Register, Role, Signer, Stop, StopKind
from pipeline.errors import BeeldwachtError
from pipeline.publishing.recall import carry_out, take_back
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.rules.consent import gather
from pipeline.rules.stops import with_stops
from tests.support.lettered import CHANNELS, Lettered, box_of
from tests.support.promise import Promise

HISTORIES = int(os.environ.get("BEELDWACHT_HISTORIES", "30"))
PEOPLE = ("P1", "P2", "P3")
POINTS = (
    "recall.beginning",
    "recall.begun",
    "recall.removed",
    "recall.done",
    "store.deciding",
    "store.publishing",
    "store.naming",
    "publish.renamed",
    "publish.released",
    "register.replacing",
    "register.replaced",
)


class School(RuleBasedStateMachine):
    """One history."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="lettered-"))
        self.s = Lettered(self.home)
        self.promises = {p: Promise(dict.fromkeys(CHANNELS, True)) for p in PEOPLE}
        self.names: dict[tuple[int, int], str] = {}
        self.patch = pytest.MonkeyPatch()

    @initialize()
    def begin(self) -> None:
        self.promises["P3"] = replace(self.promises["P3"], sixteen=self.s.day + timedelta(days=3))
        self.load()
        self.s.arrive("P1", "P2", None)
        self.s.arrive("P3", None)
        self.s.beat()

    def load(self) -> None:
        """Make what everybody says the register."""
        people, consents = {}, []
        for p, said in self.promises.items():
            pupil = said.sixteen is not None
            people[p] = Person(
                p, f"Name {p}", Role.PUPIL if pupil else Role.EMPLOYEE, (), None, said.sixteen, left_on=said.left
            )
            cells: list[tuple[Medium, str, bool]] = [(Medium.PHOTO, c, said.yes[c]) for c in CHANNELS]
            for medium, channel, yes in [*cells, (Medium.MATCHING, "", said.matching)]:
                signed = Signer.PARENT if pupil else Signer.SELF
                answer = Answer.YES if yes else Answer.NO
                consents.append(
                    Consent(
                        f"{p}/{medium}/{channel}",
                        p,
                        medium,
                        channel,
                        answer,
                        signed,
                        date(2025, 9, 1),
                        "f.pdf",
                        "a" * 64,
                        said.until if medium is Medium.PHOTO else None,
                        said.withdrawn if medium is Medium.PHOTO else None,
                    )
                )
        now = self.s.clock()
        said_there = Register(0, people, gather(consents))
        here = with_stops(said_there, self.s.store.stops.standing(), now.date())
        self.s.store.register.replace(now, "sync", "r.csv", "b" * 64, 3, here.people, consents, {})
        for said in self.promises.values():  # a withdrawal ends where the source says no itself
            taken_back = said.withdrawn is not None and said.withdrawn <= self.s.day
            said.stops = tuple(
                s for s in said.stops if s[1] is not StopKind.WITHDRAWAL or (said.yes[s[2]] and not taken_back)
            )

    def dying(self, point: str | None, step: Any) -> None:
        """Do something, with the process killed at a point of it, and start again."""
        if point is None:
            step()
            return
        with self.s.killed_at(point, self.patch):
            step()

    person = st.sampled_from(PEOPLE)
    death = st.one_of(st.none(), st.sampled_from(POINTS))

    @rule(p=person, channel=st.sampled_from(CHANNELS), yes=st.booleans(), death=death)
    def answers(self, p: str, channel: str, yes: bool, death: str | None) -> None:
        self.promises[p].yes[channel] = yes
        self.dying(death, self.load)
        self.load()

    @rule(p=person, days=st.integers(0, 3), death=death)
    def withdraws(self, p: str, days: int, death: str | None) -> None:
        self.promises[p].withdrawn = self.s.day + timedelta(days=days)
        self.dying(death, self.load)
        self.load()

    @rule(p=person, days=st.integers(0, 3))
    def consent_ends(self, p: str, days: int) -> None:
        self.promises[p].until = self.s.day + timedelta(days=days)
        self.load()

    @rule(p=person)
    def leaves(self, p: str) -> None:
        self.promises[p].left = self.s.day
        self.load()

    @rule(p=person)
    def signs_anew(self, p: str) -> None:
        self.promises[p] = Promise(dict.fromkeys(CHANNELS, True), stops=self.promises[p].stops)
        self.load()

    @rule(p=person)
    def refuses_matching(self, p: str) -> None:
        self.promises[p].matching = False
        self.load()

    @rule(days=st.integers(1, 4), death=death)
    def days_pass(self, days: int, death: str | None) -> None:
        self.dying(death, self.s.beat)
        self.s.day += timedelta(days=days)

    @rule(people=st.lists(st.sampled_from([*PEOPLE, None]), min_size=1, max_size=3, unique=True))
    def a_photo_arrives(self, people: list[str | None]) -> None:
        if len(self.s.seen) < 8:
            self.s.arrive(*people)

    @rule(data=st.data(), p=person, redo=st.booleans(), death=death)
    def is_named(self, data: st.DataObject, p: str, redo: bool, death: str | None) -> None:
        item = data.draw(st.sampled_from(sorted(self.s.seen)))
        face = data.draw(st.integers(0, len(self.s.seen[item]) - 1))
        self.dying(death, lambda: self.officer(lambda: self.name(item, face, p, redo)))

    def name(self, item: int, face: int, p: str, redo: bool) -> None:
        self.s.store.hand_names.name(self.s.clock(), item, face, box_of(face), p, "officer", redo=redo)

    @rule(data=st.data(), death=death)
    def is_unnamed(self, data: st.DataObject, death: str | None) -> None:
        item = data.draw(st.sampled_from(sorted(self.s.seen)))
        names, _ = self.s.store.hand_names.names(item)
        if names:
            face = data.draw(st.sampled_from([round(n.box.left / 100) for n in names]))
            act = self.s.store.hand_names.unname
            self.dying(death, lambda: self.officer(lambda: act(self.s.clock(), item, face, box_of(face), "officer")))

    @rule(data=st.data(), death=death)
    def is_covered(self, data: st.DataObject, death: str | None) -> None:
        item = data.draw(st.sampled_from(sorted(self.s.seen)))
        face = data.draw(st.integers(0, len(self.s.seen[item]) - 1))
        mark = self.s.store.review.mark
        cover = AnnotationKind.COVER
        self.dying(
            death, lambda: self.officer(lambda: mark(self.s.clock(), "officer", item, cover, "asked", box_of(face)))
        )

    @rule(p=person, death=death)
    def is_recalled(self, p: str, death: str | None) -> None:
        def recall() -> None:
            shown = [s for s in self.s.store.recall.showing(p) if s.visible]
            take_back(shown, self.s.vault, self.s.store, self.s.clock(), "officer", "asked for")

        self.dying(death, recall)

    @rule(p=person, kind=st.sampled_from(list(StopKind)), channel=st.sampled_from(CHANNELS), death=death)
    def asks(self, p: str, kind: StopKind, channel: str, death: str | None) -> None:
        def ask() -> None:
            asked = self.s.store.stops.ask(self.s.clock(), "B", p, Stop(0, kind, Medium.PHOTO, channel), "asked")
            self.promises[p].stops += ((asked.stop.number, kind, channel),)

        self.dying(death, ask)

    @rule(p=person)
    def lifts(self, p: str) -> None:
        if stops := self.promises[p].stops:
            self.s.store.stops.lift(self.s.clock(), "B", stops[0][0], "settled")
            self.promises[p].stops = stops[1:]

    def officer(self, act: Any) -> None:
        """An act that may be refused."""
        try:
            act()
            carry_out(self.s.vault, self.s.store, self.s.clock(), "officer")
        except BeeldwachtError:
            return

    @invariant()
    def nobody_is_visible_who_may_not_be(self) -> None:
        self.s.beat()
        shown = self.s.visible()
        wrong = [v for v in shown if not self.promises[v[0]].holds(v[1], self.s.day)]
        assert wrong == [], f"on {self.s.day}"
        published = {i for i, state in self.s.states().items() if state is State.PUBLISHED}
        assert {item for _, _, item in shown} <= published
        assert self.s.store.recall.unfinished() == []
        covered = [
            (item, round(m.box.left / 100))
            for item in self.s.seen
            for m in self.s.store.review.marks(item)
            if m.kind is AnnotationKind.COVER and m.box
        ]
        standing = [v for i in published for v in self.s.store.items.verdict_rows(i) if v["shown"]]
        boxes = {(i, f) for i, f in covered}
        assert not boxes & {(i, v["face"]) for i in published for v in self.s.store.items.verdict_rows(i) if v["shown"]}
        assert len(standing) == len(shown)

    def teardown(self) -> None:
        self.s.store.close()
        self.patch.undo()
        shutil.rmtree(self.home)


School.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSchool = School.TestCase
