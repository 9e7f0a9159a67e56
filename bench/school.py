"""A whole school end to end: build it, run the inbox through Beeldwacht, and let the meter look at the result.

    python -m bench.school --tools ../shared/bench --faces ../shared/data/lfw [--pupils 160 --photos 60 --seed 11]

The school and the meter are programs of their own (`make_school.py`, `leakmeter.py`): the meter knows nothing of
Beeldwacht and sees only originals, published files and the truth. `--min-age 5 --max-age 15` lets the stricter rules
for children apply. The exit status is 1 when a face leaked, a photo got lost, or more was hidden than --max-hidden.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

CLI = [sys.executable, "-m", "pipeline.cli"]


def main() -> int:
    """Measure one or several schools; one line per school."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tools", type=Path, default=Path("../shared/bench"))
    p.add_argument("--faces", type=Path, default=Path("../shared/data/lfw"))
    p.add_argument("--pupils", type=int, default=160)
    p.add_argument("--photos", type=int, default=60)
    p.add_argument("--strangers", type=int, default=200)
    p.add_argument("--seed", type=int, nargs="+", default=[11])
    p.add_argument("--min-age", type=int, default=16)
    p.add_argument("--max-age", type=int, default=60)
    p.add_argument("--max-hidden", type=float, default=1.0, help="fail when a larger share was hidden needlessly")
    p.add_argument("--keep", type=Path, help="build the school here and keep it")
    p.add_argument("--json", action="store_true", help="print one JSON object last")
    a = p.parse_args()
    results = []
    for seed in a.seed:
        with tempfile.TemporaryDirectory(prefix="beeldwacht-school-") as temporary:
            result = measure(a, seed, (a.keep / str(seed)) if a.keep else Path(temporary))
        results.append(result)
        print(line(result), flush=True)
        for kind, found in result["situations"].items():
            print(f"  {kind}: " + ", ".join(f"{what} {n}" for what, n in found.items()), flush=True)
    hidden = [r["hidden_share"] for r in results]
    total = {"schools": results, "leaked": sum(r["leaked"] for r in results), "hidden_mean": sum(hidden) / len(hidden)}
    if len(results) > 1:
        print(f"{len(results)} schools: leaked {total['leaked']}; hidden {total['hidden_mean']:.1%} on average")
    if a.json:
        print(json.dumps(total))
    bad = total["leaked"] or any(r["lost"] for r in results) or total["hidden_mean"] > a.max_hidden
    return 1 if bad else 0


def measure(a: argparse.Namespace, seed: int, home: Path) -> dict[str, Any]:
    """Build one school under `home`, run it, and read the meter."""
    home.mkdir(parents=True, exist_ok=True)
    school = home / "school"
    call(
        [
            sys.executable,
            a.tools / "make_school.py",
            "--faces",
            a.faces,
            "--out",
            school,
            "--pupils",
            a.pupils,
            "--photos",
            a.photos,
            "--strangers",
            a.strangers,
            "--seed",
            seed,
            "--min-age",
            a.min_age,
            "--max-age",
            a.max_age,
        ]
    )
    install = home / "install"
    call([*CLI, "init", install, "--dpia-reference", "benchmark", "--decided-by", "benchmark"])
    config = ["--config", install / "beeldwacht.toml"]
    enrolment = json.loads(call([*CLI, "register", "load", school / "register.csv", "--json", *config]))
    originals = home / "originals"
    call(["cp", "-r", school / "inbox", originals])
    (install / "inbox" / "README.md").unlink()
    (install / "inbox").rmdir()
    (school / "inbox").rename(install / "inbox")
    started = time.monotonic()
    done = json.loads(call([*CLI, "process", "--json", *config], accept=(0, 1)))
    seconds = time.monotonic() - started
    meter = json.loads(
        call(
            [
                sys.executable,
                a.tools / "leakmeter.py",
                "--truth",
                school / "truth.json",
                "--originals",
                originals,
                "--published",
                install / "publish",
                "--json",
                "--list",
            ],
            accept=(0, 1),
        )
    )
    states = Counter(i["state"] for i in done["items"])
    kinds = situations(json.loads((school / "truth.json").read_text()), done["items"])
    return {
        "seed": seed,
        "people": a.pupils,
        "photos": a.photos,
        "ages": [a.min_age, a.max_age],
        "enrolled": enrolment["enrolled"],
        "portraits_refused": len(enrolment["portraits_refused"]),
        "leaked": sum(m["leaked"] for m in meter.values()),
        "must_cover": sum(m["must_cover"] for m in meter.values()),
        "hidden": sum(m["hidden"] for m in meter.values()),
        "may_show": sum(m["may_show"] for m in meter.values()),
        "hidden_share": sum(m["hidden"] for m in meter.values()) / max(1, sum(m["may_show"] for m in meter.values())),
        "states": dict(states),
        "held": [[i["name"], i["reasons"]] for i in done["items"] if i["state"] != "published"],
        "lost": a.photos - sum(states[s] for s in ("published", "held")),
        "seconds": round(seconds, 1),
        "photos_per_second": round(a.photos / seconds, 2),
        "meter": meter,
        "situations": kinds,
    }


def situations(truth: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Per kind of situation what became of its faces on all channels: `shown`, or the reason of the verdict.

    A face that is shown may still be hidden by the cover of another: the meter counts that, and the verdicts do not.
    """
    kinds: dict[str, Counter[str]] = {}
    verdicts = {f"{i['event']}/{i['name']}": i["verdicts"] for i in items}
    for photo, faces in truth["photos"].items():
        for face in faces:
            x, y = (face["box"][0] + face["box"][2]) / 2, (face["box"][1] + face["box"][3]) / 2
            for channel, allowed in face["visible"].items():
                own = [v for v in verdicts.get(photo, ()) if v["channel"] == channel and _holds(v["box"], x, y)]
                mine = [v for v in own if v["person"] == face["person"] and face["person"]]
                best = min(mine or own, key=lambda v: _area(v["box"]), default=None)
                what = "not found" if best is None else "shown" if best["shown"] else best["reason"]
                kind = face["kind"] + ("" if allowed or face["kind"] != "school_only" else ", personal channel")
                kinds.setdefault(kind, Counter())[what] += 1
    return {kind: dict(found.most_common()) for kind, found in sorted(kinds.items())}


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _holds(box: list[float], x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def line(r: dict[str, Any]) -> str:
    """The result of one school on one line."""
    states, ages = r["states"], "{}-{}".format(*r["ages"])
    return (
        f"seed {r['seed']}, ages {ages}: leaked {r['leaked']} of {r['must_cover']}; "
        f"hidden {r['hidden']} of {r['may_show']} ({r['hidden_share']:.1%}); "
        f"{states.get('published', 0)} of {r['photos']} photos published, {states.get('held', 0)} held, "
        f"{r['lost']} lost; "
        f"{r['enrolled']} people enrolled; {r['photos_per_second']} photos/s"
    )


def call(command: list[Any], accept: tuple[int, ...] = (0,)) -> str:
    """Run a program; its standard error is shown, its output returned. Ends the benchmark when it fails."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
    if done.returncode not in accept:
        raise SystemExit(f"{command[1]}: exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
