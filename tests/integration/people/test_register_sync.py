"""Following a register as an administration keeps it: real files, the real command, a real service."""

from __future__ import annotations

import csv
import os
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consent_sync.changes.safeguards import Brakes
from consent_sync.loaded import RegisterError
from consent_sync.loader import Spec
from pipeline.domain.types import Medium, Reason
from pipeline.people.register_sync import sync
from pipeline.people.register_timer import RegisterTimer
from pipeline.rules.verdicts import may_in
from pipeline.store import Store
from tests.support.school import School, person

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def write(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "register.csv"
    for row in rows:
        form = folder / row.get("form", "")
        if row.get("form") and not form.exists():
            form.parent.mkdir(parents=True, exist_ok=True)
            form.write_bytes(b"%PDF-1.4 " + row["person_id"].encode())
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return path


def row(n: int, **change: str) -> dict[str, str]:
    return {**person(f"P{n}"), **change}


class Follower:
    """A register's file, a database, and the way from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(f"sqlite:///{folder / 'b.db'}")
        self.spec = Spec("csv", {"file": folder / "register.csv"})

    def sync(self, *rows: dict[str, str], now: datetime = NOW, **more: Any) -> Any:
        if rows:
            write(self.folder, *rows)
        return sync(self.spec, self.store, now, "test", brakes=Brakes(2, 2), **more)

    def may(self, n: int, medium: Medium = Medium.PHOTO) -> Reason:
        return may_in(self.store.register.current(), f"P{n}", medium, "school", NOW.date()).reason

    def log(self, kind: str) -> list[Any]:
        return list(self.store.journal.entries(kind=kind))


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path)


def test_nothing_new_makes_no_version_and_no_entry(follower: Follower) -> None:
    assert follower.sync(row(1), row(2)).applied
    assert not follower.sync(row(2), row(1)).applied  # sorting is no change
    assert [v.version for v in follower.store.register.versions()] == [1]
    assert len(list(follower.store.journal.entries())) == 1


def test_grants_beyond_the_brake_wait_for_a_name_that_is_logged(follower: Follower) -> None:
    nobody = [
        row(
            n,
            photo_school="no",
            photo_personal="no",
            film_school="no",
            film_personal="no",
            sound_school="no",
            sound_personal="no",
            matching="no",
        )
        for n in range(5)
    ]
    follower.sync(*nobody)
    stopped = follower.sync(*(row(n) for n in range(5)))
    assert stopped.stopped
    assert not stopped.applied
    assert follower.may(1) is Reason.REFUSED
    follower.sync()
    assert len(follower.log("register.held")) == 1  # the same news is told once
    confirmed = follower.sync(confirmed_by="E1")
    assert confirmed.applied
    assert follower.may(1) is Reason.CONSENT
    assert follower.store.register.versions()[-1].confirmed_by == "E1"
    assert '"confirmed_by":"E1"' in follower.log("register.loaded")[-1].body


def test_a_withdrawal_never_waits(follower: Follower) -> None:
    follower.sync(*(row(n, photo_school="yes" if n == 0 else "no") for n in range(6)))
    done = follower.sync(*(row(n, photo_school="no" if n == 0 else "yes") for n in range(6)))
    assert done.stopped
    assert follower.may(0) is Reason.REFUSED
    assert follower.may(1) is Reason.REFUSED


def test_half_a_file_does_not_empty_the_register(follower: Follower) -> None:
    follower.sync(*(row(n) for n in range(8)))
    assert follower.sync(row(0, withdrawn_on="2026-10-30"), row(1)).stopped
    assert follower.may(0) is Reason.WITHDRAWN
    assert follower.may(7) is Reason.CONSENT
    (follower.folder / "register.csv").write_text("")
    with pytest.raises(RegisterError, match="empty"):
        follower.sync()
    with pytest.raises(RegisterError, match="empty"):
        follower.sync()
    assert len(follower.log("register.refused")) == 1
    (follower.folder / "register.csv").unlink()
    with pytest.raises(RegisterError, match="No such file"):
        follower.sync()
    assert follower.may(7) is Reason.CONSENT


def test_a_dry_run_changes_nothing(follower: Follower) -> None:
    follower.sync(row(1))
    dry = follower.sync(row(1, photo_school="no"), row(2), dry_run=True)
    assert dry.settled.wanted.withdrawals == ("P1/photo/school",)
    assert dry.settled.wanted.people_added == ("P2",)
    assert len(list(follower.store.journal.entries())) == 1
    assert follower.may(1) is Reason.CONSENT


def test_a_source_that_nobody_wrote_for_long(follower: Follower) -> None:
    follower.sync(row(1), row(2, photo_school="no"))
    write(follower.folder, row(1, photo_school="no"), row(2))
    late = follower.sync(now=NOW + timedelta(days=50), max_age_days=45)
    assert "50 days ago" in late.settled.stopped[0]
    assert (follower.may(1), follower.may(2)) == (Reason.REFUSED, Reason.REFUSED)
    assert not follower.sync(now=NOW + timedelta(days=40), max_age_days=45).stopped
    assert follower.may(2) is Reason.CONSENT


def test_a_form_that_is_swapped_or_lost(follower: Follower) -> None:
    follower.sync(row(1), row(2))
    form = follower.folder / "forms" / "P1.pdf"
    form.write_bytes(b"%PDF-1.4 another")
    (follower.folder / "forms" / "P2.pdf").unlink()
    follower.sync()
    assert (follower.may(1), follower.may(2)) == (Reason.EVIDENCE_CHANGED, Reason.NO_EVIDENCE)
    follower.sync(row(1, signed_on="2026-10-20"), row(2))
    assert follower.may(1) is Reason.CONSENT


def test_a_bad_row_leaves_the_person_as_strict_as_before(follower: Follower) -> None:
    follower.sync(row(1, photo_school="no"), row(2))
    done = follower.sync(row(1, valid_until="soon"), row(2, group="1A [2026..]"))
    assert [(p.row, p.column) for p in done.loaded.problems] == [(2, "valid_until"), (3, "group")]
    assert follower.may(1) is not Reason.CONSENT
    assert follower.may(2) is Reason.CONSENT
    assert not follower.sync(row(1, film_school="perhaps"), row(2)).stopped
    assert follower.may(1) is not Reason.CONSENT  # the row is not whole, so it grants nothing
    follower.sync(row(1), row(2))
    assert follower.may(1) is Reason.CONSENT


def test_any_past_day_can_be_asked_for(follower: Follower) -> None:
    follower.sync(row(1))
    follower.sync(row(1, photo_school="no"), now=NOW + timedelta(days=3))
    store = follower.store.register
    key = ("P1", Medium.PHOTO, "school")
    assert store.in_force(date(2026, 10, 31)).people == {}
    assert store.in_force(date(2026, 11, 3)).consents[key].answer == "yes"
    assert store.in_force(date(2026, 11, 4)).consents[key].answer == "no"


def test_two_guardians_arrive_in_the_database_and_come_back(follower: Follower) -> None:
    kid = {"role": "pupil", "birth_date": "2016-03-05", "signed_by": "parent", "guardians": "P8;P9"}
    extra = {
        "guardians": "",
        "guardian_id": "",
        "form_version": "3",
        "form_language": "nl",
        "protected": "",
        "left_on": "",
        "sixteen_on": "",
        "reminded_on": "",
    }
    rows = [row(1) | extra | kid | {"guardian_id": g, "form": f"forms/{g}.pdf"} for g in ("P8", "P9")]
    rows[1]["photo_school"] = "no"
    rows.append(row(2) | extra | {"protected": "ja", "group": "1A [2026-08-01..2027-07-31]; koor"})
    done = follower.sync(*rows)
    assert done.loaded.problems == ()
    current = follower.store.register.current()
    assert current.people == done.settled.register.people
    assert current.consents == done.settled.register.consents
    assert current.people["P1"].guardians == ("P8", "P9")
    assert (follower.may(1), follower.may(2)) == (Reason.GUARDIANS_DIFFER, Reason.PROTECTED)
    follower.sync(rows[0], rows[2])
    assert follower.may(1) is Reason.GUARDIANS_DIFFER  # a no that vanished is no yes
    follower.sync(confirmed_by="E1")
    assert follower.may(1) is Reason.CONSENT


# --- the timer ------------------------------------------------------------------------------------------------


def test_the_timer_reads_first_then_on_change_when_it_stands_still_and_every_so_often(tmp_path: Path) -> None:
    path, clock = tmp_path / "r.csv", [100.0]
    path.write_text("a")
    timer = RegisterTimer((path,), 300, 5, lambda: clock[0], lambda: None)
    assert not timer.due()
    clock[0] += 5
    assert timer.due()
    assert not timer.due()
    path.write_text("ab")
    clock[0] += 1
    assert not timer.due()
    path.write_text("abc")
    clock[0] += 4
    assert not timer.due()
    clock[0] += 5
    assert timer.due()
    clock[0] += 299
    assert not timer.due()
    clock[0] += 1
    assert timer.due()
    path.unlink()
    clock[0] += 1
    assert not timer.due()
    clock[0] += 5
    assert timer.due()  # reading it will say that it is gone


# --- the commands ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    home = tmp_path_factory.mktemp("school")
    made = School(home, matching=False)
    (home / "beeldwacht.toml").write_text(
        '[register]\nsource = "csv"\noptions = { file = "admin/register.csv" }\nmax_granted = 2\n'
        "every_seconds = 1\nsettle_seconds = 0.3\n",
        encoding="utf-8",
    )
    (home / "admin").mkdir()
    return made


def now_row(n: int, **change: str) -> dict[str, str]:
    return row(n, **{"name": "=HYPERLINK(1)", **change})


def fresh(school: School, *rows: dict[str, str]) -> None:
    os.utime(write(school.home / "admin", *rows))


def test_the_command_syncs_shows_and_lists(school: School) -> None:
    today = date.today()
    turns = today.replace(year=today.year - 16) + timedelta(days=20)
    kid = {"role": "pupil", "birth_date": turns.isoformat(), "signed_by": "parent", "valid_until": "2099-01-01"}
    fresh(school, now_row(1), now_row(2, **kid), now_row(3, form=""))
    dry = school.json("register", "sync", "--dry-run")
    assert (dry["applied"], dry["diff"]["counts"]["people_added"]) == (False, 3)
    assert school.json("register", "sync")["version"] == 1
    shown = school.json("register", "show", "P2")
    assert {(c["medium"], c["channel"]): c["reason"] for c in shown["consents"]}["photo", "school"] == "consent"
    assert shown["consents"][0]["statements"][0]["form"] == "forms/P2.pdf"
    assert "not in the register" in school.run("register", "show", "P2", "--on", "2020-01-01", ok=False).stderr
    table = school.run("register", "show", "P2").stdout
    assert "film" in table
    assert "forms/P2.pdf" in table
    kinds = {(n["notice"], n["person"]) for n in school.json("register", "notices", "--within", "30")}
    assert {("turns_16", "P2"), ("form_missing", "P3")} <= kinds
    school.run("register", "notices", "--csv", "n.csv")
    with (school.home / "n.csv").open(encoding="utf-8-sig", newline="") as f:
        cells = [cell for line in csv.reader(f) for cell in line]
    assert "'=HYPERLINK(1)" in cells
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert "HYPERLINK" not in (school.run("log").stdout)


def test_a_brake_stops_the_command_with_a_status_of_its_own(school: School) -> None:
    fresh(school, now_row(1))
    school.run("register", "sync", "--confirm", "Test")
    fresh(school, *(now_row(n) for n in range(1, 9)))
    stopped = school.run("register", "sync", ok=False)
    assert stopped.returncode == 2
    assert "--confirm NAME" in stopped.stdout
    done = school.run("register", "sync", "--confirm", "Directie", "--json")
    assert '"applied": true' in done.stdout
    assert any("Directie" in str(e) for e in school.log())


def test_the_service_follows_the_file(school: School) -> None:
    school.start()
    try:
        fresh(school, now_row(1, photo_school="no"), *(now_row(n) for n in range(2, 9)))
        end = time.monotonic() + 40
        while time.monotonic() < end:
            cells = school.json("register", "show", "P1")["consents"]
            if {c["reason"] for c in cells if (c["medium"], c["channel"]) == ("photo", "school")} == {"refused"}:
                break
            time.sleep(0.5)
        else:
            raise AssertionError((school.home / "service.err").read_text())
    finally:
        assert school.stop() == 0


def test_a_source_that_is_not_configured_rightly_stops_the_start(school: School) -> None:
    env = {"BEELDWACHT_REGISTER__SOURCE": "csb"}
    school.env.update(env)
    try:
        done = school.run("run", ok=False)
    finally:
        school.env.pop("BEELDWACHT_REGISTER__SOURCE")
    assert done.returncode == 1
    assert "no source 'csb'" in done.stderr
    assert "oneroster_rest" in done.stderr
