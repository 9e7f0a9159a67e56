"""A school on paper: the real tables, folders, rules and publishing, with faces that are letters instead of pixels.

An original is a list of people. What a worker would see in it is taken as seen, and everything after that is the
program's own: the rules judge, the decision is recorded, the file is sealed, renamed, taken back and replaced. A
published file is a JSON list of whom it shows, so that a look at the publish folder says who is visible.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from pipeline import kill_points
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Analysis, Box, Check, Detection, Event, Face, MatchResult, Medium, Reason
from pipeline.errors import LeaseLost
from pipeline.people.gallery import with_names
from pipeline.publishing.publisher import Publisher
from pipeline.publishing.recall import carry_out
from pipeline.publishing.recall_due import Due, follow
from pipeline.redaction import manual_marks
from pipeline.rules import verdicts as rules
from pipeline.store import Store
from pipeline.store.rows import Arrival, Decision, Draft, Item
from tests.support.vaults import vault_in

CHANNELS = ("school", "personal")


class Killed(BaseException):
    """Stands for SIGKILL within one process: nothing catches it."""


def box_of(face: int) -> Box:
    """Where the n-th face is."""
    return Box(100.0 * face, 0, 100.0 * face + 50, 50)


@dataclass
class Lettered:
    """One installation. `seen` is what a worker sees in an item: per face a person, or None for nobody it knows."""

    home: Path
    day: date = date(2026, 11, 1)
    second: int = 0
    seen: dict[int, tuple[str | None, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vault = vault_in(self.home)
        self.vault.prepare()
        self.open()

    def open(self) -> None:
        """Start, as after a kill: nothing is known but what is on the disk."""
        self.store = Store(f"sqlite:///{self.home / 'b.db'}")
        self.publisher = Publisher(self.vault, self.store, self.clock)
        self.store.items.recover(self.clock(), living=())

    def clock(self) -> datetime:
        """The time; each look is a second later."""
        self.second += 1
        return datetime.combine(self.day, time(12), UTC) + timedelta(seconds=self.second)

    def arrive(self, *people: str | None, event: Event | None = None) -> int:
        """A photo of these people comes in."""
        n = len(self.seen) + 1
        event = event or Event("trip")
        _, item = self.store.items.arrive(
            self.clock(), Arrival(f"{n:064x}", f"{n}.jpg", event, "", f"trip/{n}", f"{n}:1:1", 5), "inbox"
        )
        self.seen[item.id] = people
        return item.id

    def beat(self, at_once: bool = True) -> Due:
        """What the service does every other second: follow the register, carry out, work, publish."""
        found = follow(self.store, self.vault, self.clock(), "service", at_once)
        carry_out(self.vault, self.store, self.clock(), "service")
        self.publisher.publish_ready()
        while item := self.store.items.claim(self.clock(), "worker", 60):
            self.decide(item)
            self.publisher.publish_ready()
        return found

    def decide(self, item: Item) -> None:
        """Everything between the look and the decision, by the program's own rules."""
        store, register = self.store, self.store.register.current()
        faces = tuple(Face(n, Detection(box_of(n), 0.9, None, ("yunet",))) for n in range(len(self.seen[item.id])))
        matches = [
            MatchResult(n, p, None, score=9.0, threshold=5.0)
            if p and rules.may_match(register, p, self.day).allowed
            else MatchResult(n, None, Reason.UNKNOWN_PERSON)
            for n, p in enumerate(self.seen[item.id])
        ]
        names, mark = store.hand_names.names(item.id)
        found, _ = with_names(matches, faces, names)
        before, by_hand = store.recall.shown_before(item.id), store.review.marks(item.id)
        judged = {c: rules.judge(found, register, item.event, c, Medium.PHOTO, self.day) for c in CHANNELS}
        if before is not None:
            judged = {c: manual_marks.as_before(own, faces, before.get(c, ())) for c, own in judged.items()}
        judged = {c: manual_marks.reviewed(own, faces, by_hand, (1000, 100)) for c, own in judged.items()}
        lifted = manual_marks.lifted(by_hand)
        hold = [str(r) for r in rules.hold_reasons(item.event, register) if r not in lifted]
        drafts = (
            [] if hold else [self._draft(item, c, [v.person_id for v in own if v.shown]) for c, own in judged.items()]
        )
        decision = Decision(
            register.version,
            self.day,
            Analysis(1000, 100, "JPEG", faces),
            judged,
            {c: [Check("same_size", True)] for c in CHANNELS},
            drafts,
            hold,
            {},
            0.1,
            mark,
        )
        try:
            store.items.record(self.clock(), item, "worker", decision)
        except LeaseLost as e:
            store.items.give_back(self.clock(), item, "worker", str(e), blame=False)

    def _draft(self, item: Item, channel: str, shown: Sequence[str | None]) -> Draft:
        name = f"{item.id}-{item.revision + 1}-{channel}.partial"
        self.vault.work_file(name).write_text(
            json.dumps({"item": item.id, "revision": item.revision + 1, "shown": shown})
        )
        return Draft(channel, name, *self.vault.seal(name), "jpg")

    def visible(self) -> list[tuple[str, str, int]]:
        """Who can be seen in the publish folder: person, channel, item."""
        found = []
        for channel in CHANNELS:
            for path in (self.vault.publish / channel).rglob("*.jpg"):
                said = json.loads(path.read_text())
                found += [(p, channel, said["item"]) for p in said["shown"]]
        return sorted(found)

    def states(self) -> dict[int, State]:
        """Where each item stands."""
        return {i.id: i.state for i in self.store.items.all()}

    @contextmanager
    def killed_at(self, point: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Whatever is done inside ends at this point, if it comes there; then everything starts anew."""

        def kill(_: int, number: int) -> None:
            assert number == signal.SIGKILL
            raise Killed

        with patch.context() as m:
            m.setenv(kill_points.VARIABLE, f"{point}:{kill_points._reached[point] + 1}")
            m.setattr(os, "kill", kill)
            try:
                yield
            except Killed:
                self.store.close()
        self.open()


__all__ = ["CHANNELS", "Killed", "Lettered", "box_of", "replace"]
