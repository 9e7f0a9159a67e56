"""Films whose every face is known, made, processed and measured: what is open, hidden and covered where nobody is.

    python -m bench.moving [--seeds 1 2 3 4 5] [--takes 2] [--kinds pan ...] [--deface PATH] [--sheets FOLDER]

The films and the meter are programs of their own (`make_films.py`, `filmmeter.py`): the meter knows nothing of
Beeldwacht and sees originals and published files alone. --deface runs that program on the same films, which covers
everybody: its `hidden` says nothing. --sheets writes the frames with open faces, original beside result. The exit
status is 1 when a face is open or a frame is lost.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.school import CLI, call
from pipeline.reader.film.ffmpeg import default_tools

SUMS = ("faces", "open", "may_show", "hidden", "lost_frames", "missing")
MOST_ON_SHEETS = 40
Rows = dict[str, dict[str, float]]


def main() -> int:
    """Run from the command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tools", type=Path, default=Path("../shared/bench"))
    p.add_argument("--faces", type=Path, default=Path("../shared/data/lfw"))
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    p.add_argument("--takes", type=int, default=1)
    p.add_argument("--kinds", nargs="+", default=[])
    p.add_argument("--deface", type=Path, help="the program deface of an environment of its own")
    p.add_argument("--sheets", type=Path, help="write frames with open faces into this folder")
    p.add_argument("--json", action="store_true", help="print one JSON object last")
    a = p.parse_args()
    tables: dict[str, Rows] = {"Beeldwacht": {}} | ({"deface": {}} if a.deface else {})
    for seed in a.seeds:
        with tempfile.TemporaryDirectory(prefix="beeldwacht-moving-") as temporary:
            films = made(a, seed, Path(temporary) / "films")
            added(tables["Beeldwacht"], measured(a, films, processed(films, Path(temporary) / "install"), seed))
            if a.deface:
                added(tables["deface"], measured(a, films, defaced(a.deface, films), seed))
    for name, rows in tables.items():
        print(table(name, rows), flush=True)
    if a.json:
        print(json.dumps(tables))
    return int(any(r["open"] or r["lost_frames"] for r in tables["Beeldwacht"].values()))


def made(a: argparse.Namespace, seed: int, folder: Path) -> Path:
    """The films of one seed, their register and their truth."""
    kinds = ["--kinds", *a.kinds] if a.kinds else []
    tool = [sys.executable, a.tools / "make_films.py", "--faces", a.faces, "--out", folder]
    call([*tool, "--ffmpeg", default_tools().ffmpeg, "--seed", seed, "--takes", a.takes, *kinds])
    return folder


def processed(films: Path, install: Path) -> Path:
    """What the program publishes of them."""
    call([*CLI, "init", install, "--dpia-reference", "benchmark", "--decided-by", "benchmark"])
    config = ["--config", install / "beeldwacht.toml"]
    call([*CLI, "register", "load", films / "register.csv", "--json", *config])
    call(["cp", "-r", *sorted((films / "inbox").iterdir()), install / "inbox"])
    call([*CLI, "process", "--json", *config], accept=(0, 1))
    return install / "publish"


def defaced(program: Path, films: Path) -> Path:
    """What deface makes of them, in the folders in which the meter looks."""
    for film in sorted((films / "inbox").rglob("*.mp4")):
        target = films / "deface" / "school" / film.relative_to(films / "inbox")
        target.parent.mkdir(parents=True, exist_ok=True)
        call([program, film, "-o", target])
    return films / "deface"


def measured(a: argparse.Namespace, films: Path, published: Path, seed: int) -> Rows:
    """The meter's rows by kind; the frames with open faces as pictures, where that was asked for."""
    command = [
        sys.executable, a.tools / "filmmeter.py", "--truth", films / "truth.json", "--originals", films / "inbox",
        "--published", published, "--ffmpeg", default_tools().ffmpeg, "--json", "--list",
    ]  # fmt: skip
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"filmmeter.py: exit status {done.returncode}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    rows: Rows = {kind: dict(row, missing=0) for kind, row in found["by_kind"].items()}
    for name in found["missing"]:
        empty: dict[str, float] = dict.fromkeys((*SUMS, "stray"), 0)
        rows.setdefault(name.split("/")[0], empty)["missing"] += 1
    if a.sheets:
        sheets(a.sheets, films, published, seed, done.stderr)
    return rows


def sheets(folder: Path, films: Path, published: Path, seed: int, listed: str) -> None:
    """Original above result, for each frame that the meter named."""
    folder.mkdir(parents=True, exist_ok=True)
    places = list(dict.fromkeys(re.findall(r"^OPEN (\S+) frame (\d+) ", listed, re.MULTILINE)))
    for name, frame in places[:MOST_ON_SHEETS]:
        target = folder / f"{published.name}-{seed}-{Path(name).stem}-{int(frame):04}.jpg"
        pick = f"[0:v]select=eq(n\\,{frame})[a];[1:v]select=eq(n\\,{frame})[b];[a][b]vstack"
        inputs = ["-i", films / "inbox" / name, "-i", published / "school" / name]
        call([default_tools().ffmpeg, "-v", "error", "-y", *inputs, "-filter_complex", pick, "-frames:v", 1, target])


def added(table: Rows, rows: Rows) -> None:
    """Add the rows of one seed; `stray` is the largest."""
    for kind, row in rows.items():
        own = table.setdefault(kind, dict.fromkeys((*SUMS, "stray"), 0))
        for name in SUMS:
            own[name] += row[name]
        own["stray"] = max(own["stray"], row["stray"])


def table(name: str, rows: Rows) -> str:
    """Lines of Markdown, one a kind, and one for all."""
    whole: Rows = {}
    for row in rows.values():
        added(whole, {"all": row})
    lines = [f"| {name} | open | of | hidden | of | stray | frames lost | films held |", "|---" * 8 + "|"]
    for kind, r in (rows | whole).items():
        numbers = (f"{r[n]:.0f}" for n in ("open", "faces", "hidden", "may_show"))
        lines.append(
            f"| {kind} | {' | '.join(numbers)} | {r['stray']:.0%} | {r['lost_frames']:.0f} | {r['missing']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
