"""Films that were recorded sideways or upside down: who stays open?

    python -m bench.lying [--film ../shared/data/friends/in_video.mp4] [--start 5 --seconds 6]

A part of a film is turned by 90, 180 and 270 degrees with ffmpeg, looked at and planned as the pipeline does it. What a
photo's detectors both find in every twelfth upright frame (score above 0.6) has to lie under a cover there. Exit status
1 when one is open in any orientation.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from models.detection.find_faces import find_faces
from models.downloads import manifest
from models.engines.base import Detector
from models.engines.registry import load_detectors
from pipeline.domain.film import FilmLimits
from pipeline.domain.types import Detection
from pipeline.reader.film import ffmpeg, frames, probe
from pipeline.reader.film.colour import rgb
from pipeline.reader.film.first_pass import look
from pipeline.redaction import film_regions

EVERY, SCORE = 12, 0.6
FILTERS = {0: "null", 90: "transpose=2", 180: "hflip,vflip", 270: "transpose=1"}
"""How ffmpeg turns a film by so many degrees against the clock."""


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--film", type=Path, default=Path("../shared/data/friends/in_video.mp4"))
    parser.add_argument("--start", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    a = parser.parse_args()
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER, ["centerface", "yunet"])
    detectors = load_detectors(["centerface", "yunet"], manifest.FOLDER, 1)
    program, bad = ffmpeg.default_tools(), False
    with tempfile.TemporaryDirectory(prefix="beeldwacht-lying-") as folder:
        wanted: dict[int, list[Detection]] = {}
        for degrees, how in FILTERS.items():
            film = Path(folder) / f"{degrees}.mp4"
            cut = ["-ss", str(a.start), "-t", str(a.seconds), "-i", str(a.film), "-vf", how, "-an"]
            subprocess.run([program.ffmpeg, "-v", "error", *cut, "-c:v", "libx264", "-crf", "20", film], check=True)
            wanted = wanted or upright(film, detectors, program)
            faces = sum(map(len, wanted.values()))
            left, seconds = still_open(film, degrees, wanted, detectors, program)
            print(f"turned by {degrees}: {len(left)} of {faces} open, {seconds:.1f} s of processor time", flush=True)
            for number, face in left:
                print(f"  frame {number}: {face.box.size:.0f} px, {face.score:.2f}, {', '.join(face.engines)}")
            bad = bad or bool(left)
    return int(bad)


def upright(film: Path, detectors: tuple[Detector, ...], program: ffmpeg.Tools) -> dict[int, list[Detection]]:
    """What a photo's detectors find in every twelfth frame, each of them."""
    facts = probe.probe(film, FilmLimits(), program)
    return {
        number: [d for d in find_faces(rgb(frame, facts.matrix), detectors) if d.score > SCORE and len(d.engines) > 1]
        for number, frame in frames.read_frames(film, facts, program)
        if number % EVERY == 0
    }


def still_open(
    film: Path, degrees: int, wanted: dict[int, list[Detection]], detectors: tuple[Detector, ...], program: ffmpeg.Tools
) -> tuple[list[tuple[int, Detection]], float]:
    """Which of the wanted faces have their middle under no cover of the turned film, and what the look took."""
    facts = probe.probe(film, FilmLimits(), program)
    start = time.process_time()
    seen = look(frames.read_frames(film, facts, program), float(facts.rate), facts.matrix, detectors, 2, lambda _: None)
    seconds = time.process_time() - start
    planned = film_regions.covers(seen, {t.index for t in seen.tracks}, facts.width, facts.height, float(facts.rate))
    left = []
    for number, faces in wanted.items():
        boxes = [box for c in planned if (box := c.at(number))]
        for face in faces:
            x, y = there(face.box.center, degrees, facts.width, facts.height)
            if not any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in boxes):
                left.append((number, face))
    return left, seconds


def there(point: tuple[float, float], degrees: int, width: int, height: int) -> tuple[float, float]:
    """Where a point of the upright film is in the turned one of this size."""
    x, y = point
    return {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}[degrees]


if __name__ == "__main__":
    sys.exit(main())
