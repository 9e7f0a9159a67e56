#!/usr/bin/env python3
"""Thousands of files arrive while the watcher sleeps: none may be missed, whatever became of the folder's events.

    python -m bench.flood [--files 2000] [--every 100] [--home DIR] [--json]

The service is stopped with SIGSTOP while the files arrive (with 4,096 files of four events each the kernel's queue is
full and drops the rest), then goes on. Every 100th file is a photo, the others say that they are and are put aside, so
that the finding is measured and not the covering. The exit status is 1 when a file did not come to its end.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from models.downloads import manifest
from tests.support.school import School


def flood(home: Path, files: int, every: int) -> dict[str, Any]:
    """Drop the files, and wait until all are at their end. Returns the figures."""
    samples = manifest.FOLDER / "samples"
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER)
    manifest.fetch(manifest.KNOWN, manifest.FOLDER / manifest.KNOWN_FOLDER)
    manifest.fetch(manifest.SAMPLES, samples)
    school = School(home / "school", matching=False)
    photo = Image.open(samples / "biden.jpg").convert("RGB")
    event = school.inbox / "flood"
    event.mkdir()
    school.start()
    photo.resize((150, 200)).save(event / "first.jpg")
    school.wait(1)
    if school.service is None:
        raise AssertionError("no service")
    school.service.send_signal(signal.SIGSTOP)
    photos = 1
    for n in range(files):
        if n % every:
            (event / f"{n}.jpg").write_bytes(b"\xff\xd8\xff no picture %d \xff\xd9" % n)
        else:
            photo.resize((160 + n // every, 200)).save(event / f"{n}.jpg")
            photos += 1
    started = time.monotonic()
    school.service.send_signal(signal.SIGCONT)
    found = 0.0
    while (left := sum(1 for _ in event.iterdir())) and time.monotonic() - started < 3600:
        time.sleep(0.5)
    found = time.monotonic() - started
    counts = school.wait(files + 1, seconds=7200)
    done = time.monotonic() - started
    pid = school.service.pid
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(x.split()[1]) >> 10 for x in status.splitlines() if x.startswith("VmHWM:"))
    ended = school.stop()
    return {
        "files": files,
        "photos": photos,
        "published": counts["published"],
        "rejected": counts["rejected"],
        "left": left,
        "taken_seconds": round(found, 1),
        "done_seconds": round(done, 1),
        "peak_mib": peak,
        "flaws": len(school.json("log", "verify")["flaws"]),
        "exit_status": ended,
        "cpu_seconds": round(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), 1),
    }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--home", type=Path, help="work here and keep everything")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beeldwacht-flood-") as temporary:
        home = a.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        r = flood(home.resolve(), a.files, a.every)
    print(
        f"{r['published'] + r['rejected'] - 1} of {r['files']} files found, {r['left']} left; out of the inbox in "
        f"{r['taken_seconds']} s, all done in {r['done_seconds']} s; {r['peak_mib']} MiB"
    )
    if a.json:
        print(json.dumps(r))
    whole = r["published"] == r["photos"] and r["published"] + r["rejected"] == r["files"] + 1
    return int(not whole or r["left"] or r["flaws"] or r["exit_status"])


if __name__ == "__main__":
    sys.exit(main())
