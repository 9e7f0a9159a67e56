"""What somebody was promised is carried out by the running service, by itself: a withdrawal, an end, a birthday."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.test_main_job import drop
from tests.e2e.test_recall import portraits, shown, three
from tests.support.school import School, person, until

FOLLOWED = {
    "BEELDWACHT_REGISTER__SOURCE": "csv",
    "BEELDWACHT_REGISTER__OPTIONS": '{"file": "register/register.csv"}',
    "BEELDWACHT_REGISTER__SETTLE_SECONDS": "0.2",
    "BEELDWACHT_WORK__SLOTS": "1",
}


def write(school: School, *rows: dict[str, str]) -> None:
    """Exchange the register's file; the service reads it by itself."""
    file = school.home / "register" / "register.csv"
    partial = file.with_name(".partial")
    with partial.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(file)


def published(school: School, samples: Path, rows: list[dict[str, str]]) -> int:
    """A running service with a photo of P1, P3 and P2 that shows P1 and P2. Returns the item."""
    school.register(rows, {p: f for p, f in portraits(samples).items() if p in {r["person_id"] for r in rows}})
    school.start()
    drop(school, "trip/IMG_1.jpg", three(samples), quality=92)
    assert school.wait(1)["published"] == 1
    assert shown(school, 1) == {"P1", "P2"}
    return 1


def test_a_withdrawal_is_carried_out_by_the_service_and_the_log_has_both_ends(
    tmp_path: Path, weights: Path, samples: Path
) -> None:
    school = School(tmp_path / "s", FOLLOWED)
    rows = [person("P1"), person("P2")]
    item = published(school, samples, rows)
    before = {p: (school.publish / p).read_bytes() for p in school.published()}
    note = school.json("publication", "note", "school/trip/IMG_1.jpg", "--where", "the newsletter", "--by", "Bo")[
        "note"
    ]
    write(school, {**rows[0], "withdrawn_on": "2026-01-01"}, rows[1])
    until(
        lambda: all((school.publish / p).exists() and (school.publish / p).read_bytes() != b for p, b in before.items())
    )
    until(lambda: school.counts()["published"] == 1)
    assert shown(school, item) == {"P2"} and school.published() == sorted(before)
    story = [e["kind"] for e in school.log() if e["kind"] in {"recall.due", "item.recalled", "item.removed"}]
    assert story == ["recall.due", "item.recalled", "item.removed"]
    (recalled,) = [e for e in school.log("--person", "P1") if e["kind"] == "item.recalled"]
    assert recalled["actor"] == "service" and recalled["body"]["why"] == "withdrawn"
    assert [e["body"]["replaces"] for e in school.log("--person", "P1") if e["kind"] == "item.published"] == [1]
    told = school.json("recall")
    assert told["files"] == [] and [t["task"] for t in told["tasks"]] == [note] and told["tasks"][0]["due"]
    school.run("publication", "done", str(note), "--by", "Bo")
    assert school.json("recall")["tasks"] == []
    assert school.stop() == 0


def test_an_end_and_a_sixteenth_birthday_are_carried_out_at_midnight(
    tmp_path: Path, weights: Path, samples: Path
) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed (apt-get install faketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    school = School(tmp_path / "s", FOLLOWED)
    school.env |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    today = datetime.now(UTC).date()
    sixteen = today + timedelta(days=2)
    born = sixteen.replace(year=sixteen.year - 16)
    rows = [
        {**person("P1"), "valid_until": (today + timedelta(days=1)).isoformat()},
        {**person("P2"), "role": "pupil", "birth_date": born.isoformat(), "signed_by": "parent"},
    ]
    item = published(school, samples, rows)
    assert shown(school, item, "personal") == {"P1", "P2"}
    before = {p: (school.publish / p).read_bytes() for p in school.published()}
    clock.write_text("+1d")
    school.wait(1)
    assert {p: (school.publish / p).read_bytes() for p in school.published()} == before  # the last day still counts
    clock.write_text("+2d")
    until(lambda: [e for e in school.log() if e["kind"] == "item.removed"])
    assert school.wait(1)["published"] == 1
    assert shown(school, item) == set() == shown(school, item, "personal")
    (due,) = [e for e in school.log() if e["kind"] == "recall.due"]
    assert {f["person"] for f in due["body"]["files"]} == {"P1", "P2"}
    assert all((school.publish / p).read_bytes() != b for p, b in before.items())
    assert school.stop() == 0
