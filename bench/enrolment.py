"""How fast portraits become templates, and what the gate refuses.

    python -m bench.enrolment --faces ../shared/data/lfw [--people 40 --per-person 3 --json]

Builds a register of real people with real portraits and loads it with the command line, as a school does: forms and
portraits are hashed, copied, read in the child, described by both engines, compared, sealed and stored.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CLI = [sys.executable, "-m", "pipeline.cli"]
COLUMNS = (
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
    "photo_school",
    "photo_personal",
)


def main() -> int:
    """Measure one load with all portraits new, and one with none new."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--faces", type=Path, default=Path("../shared/data/lfw"))
    p.add_argument("--people", type=int, default=40)
    p.add_argument("--per-person", type=int, default=3)
    p.add_argument("--json", action="store_true", help="print one JSON object last")
    a = p.parse_args()
    people = [d for d in sorted(a.faces.iterdir()) if len(list(d.glob("*.jpg"))) >= a.per_person][: a.people]
    with tempfile.TemporaryDirectory(prefix="beeldwacht-enrolment-") as temporary:
        home = Path(temporary)
        run("init", home, "--dpia-reference", "benchmark", "--decided-by", "benchmark")
        register = build(home / "register", people, a.per_person)
        first, seconds = load(home, register)
        _, again = load(home, register)
        count = len(people) * a.per_person
        result: dict[str, Any] = {
            "people": len(people),
            "portraits": count,
            "enrolled": first["enrolled"],
            "refused": len(first["portraits_refused"]),
            "seconds": round(seconds, 1),
            "portraits_per_second": round(count / seconds, 2),
            "seconds_when_nothing_is_new": round(again, 1),
            "lookalikes": len(json.loads(run("templates", "lookalikes", "--json", home=home))),
            "child_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }
        for refusal in first["portraits_refused"]:
            print(f"{refusal['portrait']}: {refusal['why']}")
    print(
        f"{count} portraits of {len(people)} people in {seconds:.1f} s: {count / seconds:.2f} a second; "
        f"{result['enrolled']} enrolled, {result['refused']} portraits refused, {result['lookalikes']} look-alikes; "
        f"{again:.1f} s when nothing is new"
    )
    if a.json:
        print(json.dumps(result))
    return 0


def build(folder: Path, people: list[Path], each: int) -> Path:
    """A register of these people, with a form and their first portraits."""
    with_rows = folder / "register.csv"
    (folder / "forms").mkdir(parents=True)
    with with_rows.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, COLUMNS)
        writer.writeheader()
        for n, person in enumerate(people):
            pid = f"P{n:04}"
            (folder / "forms" / f"{pid}.pdf").write_bytes(f"%PDF-1.4\n% {pid}\n%%EOF\n".encode())
            target = folder / "portraits" / pid
            target.mkdir(parents=True)
            for photo in sorted(person.glob("*.jpg"))[:each]:
                (target / photo.name).write_bytes(photo.read_bytes())
            row = dict.fromkeys(COLUMNS, "")
            row |= {
                "person_id": pid,
                "name": f"Name {n}",
                "role": "employee",
                "birth_date": "1980-01-01",
                "signed_by": "self",
                "signed_on": time.strftime("%Y-%m-%d"),
                "form": f"forms/{pid}.pdf",
                "matching": "yes",
                "photo_school": "yes",
                "photo_personal": "yes",
            }
            writer.writerow(row)
    return with_rows


def load(home: Path, register: Path) -> tuple[dict[str, Any], float]:
    """Load the register; what it said, and how long it took."""
    started = time.monotonic()
    said: dict[str, Any] = json.loads(run("register", "load", register, "--json", home=home))
    return said, time.monotonic() - started


def run(*arguments: object, home: Path | None = None) -> str:
    """A command of Beeldwacht. Ends the benchmark when it fails."""
    config = ["--config", str(home / "beeldwacht.toml")] if home else []
    done = subprocess.run(
        [*CLI, *map(str, arguments), *config], stdout=subprocess.PIPE, text=True, check=False, env=os.environ
    )
    if done.returncode:
        raise SystemExit(f"{arguments[0]}: exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
