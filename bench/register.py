"""How long the register takes: a sync of a foundation's people, and one verdict.

    python -m bench.register [--people 5000]

Builds a register with a signed form per person in a temporary folder, syncs it into an empty SQLite database (the
first time), again without a change, and again with 20 changes; nobody is enrolled. Then it judges faces among all
these people. The exit status is 1 when a target is missed: a sync under 10 s, a verdict under 50 microseconds.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
import timeit
from datetime import UTC, date, datetime
from pathlib import Path

from consent_sync.changes.safeguards import Brakes
from consent_sync.loader import Spec
from pipeline.domain.types import Event, MatchResult, Medium, Register
from pipeline.people.register_sync import sync
from pipeline.rules.verdicts import judge
from pipeline.store import Store

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MEDIA = [f"{m}_{c}" for m in ("photo", "film", "sound") for c in ("school", "personal")]


def main() -> int:
    """Measure, print one line per figure."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--people", type=int, default=5000)
    people = p.parse_args().people
    with tempfile.TemporaryDirectory(prefix="beeldwacht-register-") as temporary:
        folder = Path(temporary)
        store = Store(f"sqlite:///{folder / 'b.db'}")
        worst = 0.0
        for what, changed in (("first sync", 0), ("nothing new", 0), ("20 changes", 20)):
            write(folder, people, changed)
            started = time.perf_counter()
            spec = Spec("csv", {"file": folder / "register.csv"})
            outcome = sync(spec, store, NOW, "bench", brakes=Brakes())
            seconds = time.perf_counter() - started
            worst = max(worst, seconds)
            print(f"{what}, {people} people, {people * 7} consents: {seconds:.2f} s (version {outcome.version})")
        started = time.perf_counter()
        register = Store(store.database.engine.url.render_as_string(hide_password=False)).register.current()
        print(f"reading the register from the database: {time.perf_counter() - started:.2f} s")
        verdict = micros(register)
        print(f"one verdict among {people} people: {verdict:.1f} microseconds")
    return 0 if worst < 10 and verdict < 50 else 1


def write(folder: Path, people: int, changed: int) -> None:
    """A register of pupils with a form of 20 kB each; `changed` of them say no to photos."""
    (folder / "forms").mkdir(exist_ok=True)
    with (folder / "register.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(
            [
                "person_id",
                "name",
                "role",
                "group",
                "birth_date",
                "signed_by",
                "signed_on",
                "valid_until",
                "withdrawn_on",
                "form",
                "matching",
                *MEDIA,
            ]
        )
        for n in range(people):
            form = folder / "forms" / f"P{n}.pdf"
            if not form.exists():
                form.write_bytes(b"%PDF-1.4" + str(n).encode() * 4000)
            answers = ["no" if n < changed else "yes", *["yes"] * 5]
            writer.writerow(
                [
                    f"P{n}",
                    f"Name {n}",
                    "pupil",
                    f"{n % 40}A",
                    "2016-03-05",
                    "parent",
                    "2026-09-01",
                    "",
                    "",
                    f"forms/P{n}.pdf",
                    "yes",
                    *answers,
                ]
            )


def micros(register: Register) -> float:
    """One verdict in microseconds: the best of several runs over a photo of 25 faces."""
    ids = list(register.people)[-25:]
    event = Event("e", groups=tuple(f"{n}A" for n in range(40)))
    seen = [MatchResult(n, p, None, p, 0.9, 0.1, 0.5, 0.1) for n, p in enumerate(ids)]
    verdicts = judge(seen, register, event, "school", Medium.PHOTO, date(2026, 11, 1))
    assert all(v.shown for v in verdicts)
    runs = timeit.repeat(
        lambda: judge(seen, register, event, "school", Medium.PHOTO, date(2026, 11, 1)), number=20, repeat=7
    )
    return min(runs) / 20 / len(seen) * 1e6


if __name__ == "__main__":
    sys.exit(main())
