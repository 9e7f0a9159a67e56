"""An hour (or longer) of quiet work: does the service stay as large as it was?

    python -m bench.soak [--minutes 60] [--every 10] [--films 20] [--keep FOLDER] [--json]

A real installation in a temporary folder: its service runs with the console and one slot; every `--every` seconds a
photo arrives that was never there before, every `--films`-th file is a short film, the register is loaded again every
ten minutes, and the console, /healthz and /metrics are asked every five seconds. Alarms go to where nobody listens.
Memory (VmRSS), threads and file descriptors of the service, and memory of its readers, are read from /proc every five
seconds. The line through them leaves out the first tenth: engines and caches fill once.

The exit status is 1 when the service grew by more than `--limit` MiB an hour, when descriptors or threads became more,
when a file got lost, or when the log is not whole.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from models.downloads import manifest
from pipeline.reader.film.ffmpeg import default_tools

CLI = [sys.executable, "-m", "pipeline.cli"]
PHOTOS = ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg")
SAMPLE_SECONDS, REGISTER_SECONDS = 5.0, 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the start, MiB of the service, its threads and descriptors, readers and their MiB."""

    at: float
    service: float
    threads: int
    descriptors: int
    readers: int
    reader: float
    """The largest of them."""


def main() -> int:
    """Run, measure, print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--every", type=float, default=10, help="seconds between two files")
    p.add_argument("--films", type=int, default=20, help="every so manieth file is a film; 0: none")
    p.add_argument("--limit", type=float, default=10, help="MiB an hour that are still called flat")
    p.add_argument("--keep", type=Path, help="install here and keep it, with the samples")
    p.add_argument("--json", action="store_true", help="print one JSON object last")
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="beeldwacht-soak-") as temporary:
        home = (a.keep or Path(temporary)) / "school"
        install(home)
        samples, dropped = soak(home, a.minutes * 60, a.every, a.films)
        counts = json.loads(call("status", "--json", home=home))["files"]
        flaws = json.loads(call("log", "verify", "--json", home=home))["flaws"]
    result = summary(samples, a.minutes * 60) | {"dropped": dropped, "files": counts, "flaws": len(flaws)}
    if a.keep:
        (a.keep / "samples.json").write_text(json.dumps([asdict(s) for s in samples]))
    lost = dropped - sum(counts.values())
    print(
        f"{a.minutes:g} minutes, {dropped} files: {counts['published']} published, {lost} lost, {len(flaws)} flaws in "
        f"the log\nservice: {result['first_mib']:.1f} MiB in the first quarter, {result['last_mib']:.1f} in the last, "
        f"trend {result['trend_mib_per_hour']:+.2f} MiB/h, most {result['most_mib']:.1f}\n"
        f"readers: most {result['reader_most_mib']:.1f} MiB each, last quarter {result['reader_last_mib']:.1f} against "
        f"{result['reader_first_mib']:.1f} in the first\ndescriptors: {result['descriptors'][0]:g} in the first "
        f"quarter, {result['descriptors'][1]:g} in the last (medians), most {result['most_descriptors']}; threads "
        f"{result['threads'][0]:g}, {result['threads'][1]:g}"
    )
    if a.json:
        print(json.dumps(result))
    more = any(last > first for first, last in (result["descriptors"], result["threads"]))
    return 1 if lost or flaws or more or result["trend_mib_per_hour"] > a.limit else 0


def install(home: Path) -> None:
    """An installation with two people, one of whom may be shown."""
    call("init", home, "--dpia-reference", "benchmark", "--decided-by", "benchmark")
    photos = manifest.FOLDER / "samples"
    manifest.fetch(manifest.SAMPLES, photos)
    folder = home / "register"
    (folder / "forms").mkdir(parents=True, exist_ok=True)
    (folder / "forms" / "form.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    media = {f"{m}_{c}": "yes" for m in ("photo", "film", "sound") for c in ("school", "personal")}
    rows = [
        {
            "person_id": pid,
            "name": f"Person {pid}",
            "role": "employee",
            "group": "",
            "birth_date": "1970-01-01",
            "signed_by": "self",
            "signed_on": "2025-09-01",
            "valid_until": "",
            "withdrawn_on": "",
            "form": "forms/form.pdf",
            "matching": "yes",
            **media,
        }
        for pid in ("O", "B")
    ]
    rows[1] |= {"photo_personal": "no"}
    for pid, photo in (("O", "obama.jpg"), ("B", "biden.jpg")):
        (folder / "portraits" / pid).mkdir(parents=True)
        (folder / "portraits" / pid / "0.jpg").write_bytes((photos / photo).read_bytes())
    with (folder / "register.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    call("register", "load", folder / "register.csv", home=home)


def soak(home: Path, seconds: float, every: float, films: int) -> tuple[list[Sample], int]:
    """Run the service for so long under this load. Returns the samples and how many files were dropped."""
    env = {
        **os.environ,
        "BEELDWACHT_WORK__SLOTS": "1",
        "BEELDWACHT_WATCH__SETTLE_SECONDS": "1",
        "BEELDWACHT_CONSOLE__ENABLED": "true",
        "BEELDWACHT_CONSOLE__PORT": "0",
        "BEELDWACHT_ALARMS__WEBHOOK": "http://127.0.0.1:1/nobody",
    }
    output = home / "service.out"
    with output.open("w") as out:
        service = subprocess.Popen([*CLI, "run"], cwd=home, env=env, stdout=out, stderr=subprocess.STDOUT)
    rng, samples, dropped = random.Random(7), [], 0  # noqa: S311 - which photo comes next is no secret
    started = time.monotonic()
    next_file, next_sample, next_load = started + 20, started + 20, started + REGISTER_SECONDS
    try:
        while (now := time.monotonic()) - started < seconds:
            if service.poll() is not None:
                raise SystemExit(f"the service ended: {output.read_text()[-2000:]}")
            if now >= next_sample:
                next_sample += SAMPLE_SECONDS
                samples.append(look(service.pid, now - started))
                ask(output)
            if now >= next_file:
                next_file += every
                dropped += 1
                (film if films and dropped % films == 0 else photo)(home / "inbox" / "day", dropped, rng)
            if now >= next_load:
                next_load += REGISTER_SECONDS
                call("register", "load", home / "register" / "register.csv", home=home)
            time.sleep(0.2)
        time.sleep(30)  # what was dropped last
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(300)
    return samples, dropped


def photo(folder: Path, number: int, rng: random.Random) -> None:
    """A photo that was never there before: another cut and size of one of the samples."""
    folder.mkdir(exist_ok=True)
    image = Image.open(manifest.FOLDER / "samples" / rng.choice(PHOTOS)).convert("RGB")
    width, height = image.size
    left, top = rng.randrange(width // 10), rng.randrange(height // 10)
    image = image.crop((left, top, width - rng.randrange(width // 10), height - rng.randrange(height // 10)))
    side = rng.randrange(480, 960)
    image.thumbnail((side, side))
    save(image, folder / f"{number:05}.jpg")


def film(folder: Path, number: int, rng: random.Random) -> None:
    """Two seconds of one photo that drifts, with a tone."""
    folder.mkdir(exist_ok=True)
    still = folder.parent.parent / "still.jpg"
    photo(still.parent, 0, rng)
    (still.parent / "00000.jpg").replace(still)
    made = still.with_suffix(".mp4")
    command = [
        default_tools().ffmpeg,
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-loop",
        "1",
        "-i",
        str(still),
        "-f",
        "lavfi",
        "-i",
        f"sine={300 + number % 500}",
        "-t",
        "2",
        "-vf",
        "scale=480:360,fps=12,format=yuv420p",
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
        str(made),
    ]
    subprocess.run(command, check=True)
    made.replace(folder / f"{number:05}.mp4")


def save(image: Image.Image, path: Path) -> None:
    """Write beside the inbox, then move in, as a careful client does."""
    beside = path.parent.parent.parent / "dropping.jpg"
    image.save(beside, quality=92)
    beside.replace(path)


def ask(output: Path) -> None:
    """Look at the console as a person and a monitor do, when it is up."""
    if found := re.search(r"http://127\.0\.0\.1:\d+", output.read_text()):
        for path in ("/login", "/healthz", "/metrics"):
            httpx.get(found[0] + path, timeout=30).raise_for_status()


def look(pid: int, at: float) -> Sample:
    """Read /proc for the service and its readers."""
    readers = [mib(child) for child in children(pid)]
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    threads = int(re.findall(r"Threads:\s+(\d+)", status)[0])
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(at, mib(pid), threads, descriptors, len(readers), max(readers, default=0.0))


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    return [int(c) for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]


def mib(pid: int) -> float:
    """Resident memory of a process; 0 when it has just ended."""
    try:
        found = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[0]) / 1024 if found else 0.0


def summary(samples: list[Sample], seconds: float) -> dict[str, Any]:
    """The figures: quarters after the first tenth, and the line through the service's memory."""
    kept = [s for s in samples if s.at >= seconds / 10]
    quarter = max(1, len(kept) // 4)
    first, last = kept[:quarter], kept[-quarter:]
    slope = statistics.linear_regression([s.at / 3600 for s in kept], [s.service for s in kept]).slope
    return {
        "trend_mib_per_hour": slope,
        "samples": len(kept),
        "most_mib": max(s.service for s in samples),
        "first_mib": statistics.median(s.service for s in first),
        "last_mib": statistics.median(s.service for s in last),
        "reader_first_mib": statistics.median(s.reader for s in first),
        "reader_last_mib": statistics.median(s.reader for s in last),
        "reader_most_mib": max(s.reader for s in samples),
        # Medians: a request that is being answered holds descriptors for a moment.
        "descriptors": [statistics.median(s.descriptors for s in part) for part in (first, last)],
        "threads": [statistics.median(s.threads for s in part) for part in (first, last)],
        "most_descriptors": max(s.descriptors for s in samples),
    }


def call(*command: object, home: Path | None = None) -> str:
    """Run a command of Beeldwacht in an installation; ends the benchmark when it fails."""
    done = subprocess.run([*CLI, *map(str, command)], cwd=home, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
