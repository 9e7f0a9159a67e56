"""A no that arrives here outranks the source until it agrees; who was erased here does not come back by a reading."""

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipeline.domain.types import Medium, Reason, Stop, StopKind
from pipeline.errors import Conflict
from pipeline.rules.consent import may_in
from pipeline.store import Store
from tests.e2e.test_recall import Quick
from tests.support.school import person

ON = datetime.now(UTC).date()


class Asked(Quick):
    """A school without media, and what its register says of P1."""

    def load(self, *rows: dict[str, str]) -> None:
        folder = self.home / "register"
        (folder / "forms").mkdir(parents=True, exist_ok=True)
        for row in rows:
            (folder / row["form"]).write_bytes(b"%PDF-1.4 " + row["person_id"].encode())
        with (folder / "register.csv").open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        self.run("register", "load", str(folder / "register.csv"))

    def store(self) -> Store:
        return Store(f"sqlite:///{self.home / 'data' / 'beeldwacht.db'}")

    def why(self, medium: Medium = Medium.PHOTO, channel: str = "school", who: str = "P1") -> Reason:
        store = self.store()
        try:
            return may_in(store.register.current(), who, medium, channel, ON).reason
        finally:
            store.close()

    def ended(self) -> list[str | None]:
        return [a["ended_by"] for a in self.json("consent", "list", "--all")]


@pytest.fixture
def school(tmp_path: Path) -> Asked:
    s = Asked(tmp_path / "s", matching=False)
    s.load(person("P1"), person("P2"))
    return s


def test_a_withdrawal_counts_at_once_and_until_the_source_says_no_itself(school: Asked) -> None:
    said = ("--why", "the mother of Kwispelina called", "--by", "A. de Boer")
    asked = school.json("consent", "withdraw", "P1", "--medium", "photo", "--channel", "school", *said)
    assert asked["kind"] == "withdrawal" and asked["items"] == []
    assert school.why() is Reason.WITHDRAWN and school.why(channel="personal") is Reason.CONSENT
    assert school.why(Medium.FILM) is Reason.CONSENT and school.why(who="P2") is Reason.CONSENT
    school.load(person("P1"), person("P2") | {"photo_school": "no"})  # the source knows nothing of it
    assert school.why() is Reason.WITHDRAWN and school.ended() == [None]
    school.load(person("P1") | {"withdrawn_on": "2026-01-01"}, person("P2"))
    assert school.ended() == ["the source"] and school.why() is Reason.WITHDRAWN
    school.load(person("P1"), person("P2"))
    assert school.why() is Reason.CONSENT  # from there on the source counts
    log = "".join(p.read_text() for p in (school.home / "log").glob("*.jsonl"))
    assert "Kwispelina" not in log and '"why_sealed"' in log


@pytest.mark.parametrize(("command", "reason"), [("object", Reason.OBJECTED), ("restrict", Reason.RESTRICTED)])
def test_an_objection_and_a_restriction_stand_until_somebody_lifts_them(
    school: Asked, command: str, reason: Reason
) -> None:
    number = school.json("consent", command, "P1", "--why", "asked for it", "--by", "B")["number"]
    for rows in ((person("P1") | {"photo_school": "no"}, person("P2")), (person("P1"), person("P2"))):
        school.load(*rows)
        assert {school.why(m, c) for m in (Medium.PHOTO, Medium.SOUND) for c in ("school", "personal")} == {reason}
        assert school.why(Medium.MATCHING, "") is reason
    school.json("consent", "lift", str(number), "--why", "settled", "--by", "B")
    assert school.why() is Reason.CONSENT and school.ended() == ["B"]
    twice = school.run("consent", "lift", str(number), "--why", "settled", "--by", "B", ok=False)
    assert "Nothing stands" in twice.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("P9",), "not in the register"),
        (("P1", "--medium", "smell"), "no medium"),
        (("P1", "--channel", "moon"), "no channel"),
    ],
)
def test_what_does_not_exist_is_refused(school: Asked, arguments: tuple[str, ...], why: str) -> None:
    refused = school.run("consent", "withdraw", *arguments, "--why", "asked", "--by", "B", ok=False)
    assert refused.returncode == 1 and why in refused.stderr and school.ended() == []


def test_a_reading_that_began_before_it_does_not_overwrite_it(school: Asked) -> None:
    store = school.store()
    now, old = datetime.now(UTC), store.register.current()
    store.stops.ask(now, "B", "P1", Stop(0, StopKind.OBJECTION), "asked")
    with pytest.raises(Conflict):
        store.register.replace(now, "s", "f", "a" * 64, 2, old.people, old.consents.values(), {}, after=old.version)
    assert may_in(store.register.current(), "P1", Medium.PHOTO, "school", ON).reason is Reason.OBJECTED
    store.close()


def test_who_was_erased_is_kept_out_of_every_later_reading_until_somebody_readmits(school: Asked) -> None:
    school.run("person", "erase", "P1", "--confirm", "Name of P1", "--by", "B", ok=False)
    school.load(person("P1"), person("P2"))
    assert school.why() is Reason.NOT_IN_REGISTER and school.why(who="P2") is Reason.CONSENT
    told = json.loads(school.run("register", "notices", "--json").stdout)
    assert [n["person"] for n in told if n["notice"] == "kept_out"] == ["P1"]
    assert b"Name of P1" not in (school.home / "data" / "beeldwacht.db").read_bytes()
    school.run("person", "readmit", "P1", "--why", "is back at school", "--by", "B")
    school.load(person("P1"), person("P2"))
    assert school.why() is Reason.CONSENT and date.min < ON
    again = school.run("person", "readmit", "P1", "--why", "is back at school", "--by", "B", ok=False)
    assert "was not erased here" in again.stderr
