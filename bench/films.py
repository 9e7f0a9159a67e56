"""Films: speed against deface and a bare transcode, memory, and faces left open in any frame, with an empty register.

    python -m bench.films --deface PATH/TO/deface [--films FILE ...] [--runs 3] [--full-hd SECONDS] [--speed-only]

deface 1.5.0 belongs in an environment of its own (`pip install deface==1.5.0 onnxruntime`). The reference are both
detectors at full size on every frame of the original. A face of it (score over 0.6) counts as open when its fine
structure can still be seen in the written film (`pipeline.reader.film.redaction.alike`): measured in the same way for
both tools, on pixels, whatever their plans said. Each run times all three on the same film, one after the other, so
that the ratio holds on a busy machine; the medians are printed as a line of Markdown. The ratio in processor time (all
processes of each tool) hardly depends on what else runs. The child has all engines of the default configuration
loaded.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.likeness import alike
from models.downloads.manifest import FOLDER
from models.engines.registry import load_detectors
from pipeline.config import Film
from pipeline.domain.film import FilmFacts, FilmLimits, Frame
from pipeline.domain.film_json_forms import covers_out, facts_in, look_in
from pipeline.domain.types import Box
from pipeline.reader.film.colour import planes, rgb
from pipeline.reader.film.encode import CRF, X264
from pipeline.reader.film.ffmpeg import Tools, default_tools
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.probe import probe
from pipeline.redaction import film_regions
from pipeline.sandbox.client import MediaClient
from pipeline.sandbox.options import FilmOptions, MediaOptions

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
FILMS = (DATA / "friends/in_video.mp4", DATA / "video/one-by-one-person-detection.mp4")
SCORE = 0.6
OPEN = 0.6
"""Likeness from which on a face counts as open: an untouched one that was only encoded again has over 0.9."""


def ours(film: Path, target: Path) -> tuple[float, int, float]:
    """Everything the service does with a film when nobody may be shown: seconds, frames, peak MiB of the child."""
    threads = Film().threads
    options = MediaOptions(
        FOLDER,
        ("centerface", "yunet"),
        ("sface", "dlib"),
        1,
        55.0,
        4 << 30,
        100_000_000,
        200,
        4 << 30,
        FilmOptions(threads=threads),
    )
    media_client = MediaClient(options)
    media_client.start()
    try:
        started = time.monotonic()
        raw = media_client.film("film_facts", film)
        facts = facts_in(raw)
        look = look_in(media_client.film("film_look", film, facts.duration, facts=raw))
        hidden = {t.index for t in look.tracks}
        rate = float(facts.rate)
        value = media_client.film(
            "film_produce",
            film,
            facts.duration,
            facts=raw,
            muted=[],
            style="blur",
            seed=1,
            fingerprint=look.fingerprint,
            covers=covers_out(film_regions.covers(look, hidden, facts.width, facts.height, rate)),
            target=str(target),
        )
        watched = list(film_regions.boundaries(look, rate))
        other = media_client.checker().check_film(target, facts.duration, embed=False, watched=watched, shown=[])
        taken = time.monotonic() - started
        failed = [c for c in (*value["checks"], *other["checks"]) if not c["passed"]]
        if failed:
            print(f"checks failed: {failed}", file=sys.stderr)
        return taken, look.frames, media_client.peak_memory() / 2**20
    finally:
        media_client.close()


def deface(program: str, film: Path, target: Path) -> float:
    """deface with its default settings: seconds."""
    started = time.monotonic()
    subprocess.run([program, str(film), "-o", str(target)], check=True, capture_output=True)
    return time.monotonic() - started


def transcode(film: Path, target: Path, tools: Tools) -> float:
    """The film decoded and encoded with our settings and nothing in between: seconds."""
    started = time.monotonic()
    command = [
        tools.ffmpeg,
        "-v",
        "error",
        "-y",
        "-i",
        str(film),
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        str(CRF),
        "-x264-params",
        X264,
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-b:a",
        "128k",
        str(target),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def reference(film: Path, facts: FilmFacts, tools: Tools) -> list[list[Box]]:
    """Every face that either detector finds in each frame at full size."""
    detectors = load_detectors(("centerface", "yunet"), FOLDER, 1)

    def one(frame: Frame) -> list[Box]:
        image = rgb(frame, facts.matrix)
        found = [d.box for engine in detectors for d in engine.detect(image) if d.score > SCORE]
        return [b for b in (box.clamp(facts.width, facts.height) for box in found) if b.width >= 4 and b.height >= 4]

    with ThreadPoolExecutor(2) as pool, closing(read_frames(film, facts, tools)) as frames:
        return list(pool.map(one, (frame for _, frame in frames)))


def left_open(film: Path, written: Path, facts: FilmFacts, faces: Sequence[Sequence[Box]], tools: Tools) -> int:
    """How many faces of the reference can still be seen in the written film, over all frames."""
    count = 0
    for number, before, after in _pairs(film, written, facts, tools):
        for box in faces[number] if number < len(faces) else ():
            rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
            old, new = planes(before)[0][rows, columns], planes(after)[0][rows, columns]
            count += float(np.std(old)) > 4 and alike(old, new) > OPEN
    return count


def _pairs(film: Path, written: Path, facts: FilmFacts, tools: Tools) -> Iterator[tuple[int, Frame, Frame]]:
    there = probe(written, FilmLimits(), tools)
    same = replace(there, rate=facts.rate, matrix=facts.matrix, width=facts.width, height=facts.height)
    with (
        closing(read_frames(film, facts, tools)) as first,
        closing(read_frames(written, same, tools)) as second,
    ):
        for (number, before), (_, after) in zip(first, second, strict=False):
            yield number, before, after


def long_film(source: Path, seconds: int, target: Path, tools: Tools) -> Path:
    """A film of 1920 x 1080 made by repeating another."""
    command = [
        tools.ffmpeg,
        "-v",
        "error",
        "-y",
        "-stream_loop",
        "-1",
        "-i",
        str(source),
        "-t",
        str(seconds),
        "-vf",
        "scale=1920:1080",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-an",
        str(target),
    ]
    subprocess.run(command, check=True)
    return target


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed, memory and completeness of films.")
    parser.add_argument("--films", nargs="*", type=Path, default=list(FILMS))
    parser.add_argument("--deface", default="", help="the program deface of an environment of its own")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--speed-only", action="store_true", help="without the reference of both detectors")
    parser.add_argument("--full-hd", type=int, default=0, metavar="SECONDS", help="also a 1080p film of this length")
    given = parser.parse_args()
    tools = default_tools()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        films = list(given.films)
        if given.full_hd:
            films.append(long_film(FILMS[0], given.full_hd, work / f"full-hd-{given.full_hd}s.mp4", tools))
        print(
            "| film | frames | ours fps | deface fps | ratio | ... in processor time | transcode fps "
            "| times a transcode | open | by deface | of | child MiB |"
        )
        print("|---" * 12 + "|")
        for film in films:
            _measure(film, given, work, tools)


def _measure(film: Path, given: argparse.Namespace, work: Path, tools: Tools) -> None:
    facts = probe(film, FilmLimits(), tools)
    times: list[tuple[float, float, float]] = []
    work_done: list[tuple[float, float, float]] = []
    frames, memory = 0, 0.0
    for _ in range(given.runs):
        used = [_processor()]
        taken, frames, memory = ours(film, work / "ours.mp4")
        used.append(_processor())
        other = deface(given.deface, film, work / "deface.mp4") if given.deface else float("nan")
        used.append(_processor())
        times.append((taken, other, transcode(film, work / "bare.mp4", tools)))
        used.append(_processor())
        a, b, c = (after - before for before, after in pairwise(used))
        work_done.append((a, b, c))
    mine, theirs, bare = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(other / taken for taken, other, _ in times)
    effort = statistics.median(b / a for a, b, _ in work_done)
    seen: int | str = "-"
    other_seen: int | str = "-"
    total = 0
    if not given.speed_only:
        faces = reference(film, facts, tools)
        seen = left_open(film, work / "ours.mp4", facts, faces, tools)
        other_seen = left_open(film, work / "deface.mp4", facts, faces, tools) if given.deface else "-"
        total = sum(len(f) for f in faces)
    print(
        f"| {film.name} | {frames} | {frames / mine:.1f} | {frames / theirs:.1f} | {ratio:.2f} | {effort:.2f} "
        f"| {frames / bare:.0f} | {mine / bare:.1f} | {seen} | {other_seen} | {total} | {memory:.0f} |",
        flush=True,
    )


def _processor() -> float:
    """Seconds of processor time of every process that was started here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
