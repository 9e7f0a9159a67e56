#!/usr/bin/env python3
"""Whether anything of what lies under covers is in them: real photos and films, and everything else put under.

    python -m bench.covers [--data ../shared/data] [--photos 500] [--films 20] [--exchanges 10000] [--seed 1] [--json]

Faces are found as the service finds them, and all are covered. Then something else is put under the covers: somebody
else's face, noise, black, white, the negative, the picture upside down. The covered picture must be the same, bit for
bit; of a film every frame. Photos and films take turns in the styles. The exit status is 1 when a single value differs,
or when an exchange changed nothing under the covers, which proves nothing. Processor time per cover is printed besides.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models.detection.find_faces import DetectSettings, find_faces
from models.downloads import manifest
from models.engines.base import Detector
from models.engines.registry import load_detectors
from pipeline.domain.film import FilmFacts, FilmLimits, Frame
from pipeline.domain.types import Analysis, Face, Region, RgbImage
from pipeline.reader.film.colour import planes
from pipeline.reader.film.ffmpeg import default_tools
from pipeline.reader.film.first_pass import look
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.probe import probe
from pipeline.reader.film.redaction import Painter, Schedule
from pipeline.reader.media_errors import MediaError
from pipeline.redaction import film_regions
from pipeline.redaction.covering import under
from pipeline.redaction.pixels import redact, spots
from pipeline.redaction.regions import plan_regions
from pipeline.redaction.styles import STYLES

FOLDERS = ("groups", "boxed", "noses", "friends", "lfw/*")
FRAMES = 40
"""Frames of a piece of film."""
WHAT = ("another face", "noise", "black", "white", "negative", "upside down")


@dataclass
class Tally:
    """What was compared, and what came of it."""

    exchanges: int = 0
    different: list[str] = field(default_factory=list)
    vain: int = 0
    covers: int = 0
    seconds: float = 0.0
    by_style: dict[str, int] = field(default_factory=dict)
    media: set[str] = field(default_factory=set)

    def add(self, name: str, style: str, same: bool, changed: bool) -> None:
        """Count one exchange; `changed`: there was something else under the covers."""
        self.exchanges += 1
        self.media.add(name.partition(",")[0])
        self.by_style[style] = self.by_style.get(style, 0) + 1
        self.vain += not changed
        self.different += [] if same else [f"{name}, {style}"]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--exchanges", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    a = parser.parse_args()
    cv2.setNumThreads(1)
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER)
    detectors = load_detectors(("centerface", "yunet"), manifest.FOLDER, 1)
    random, found = np.random.default_rng(a.seed), {"photos": Tally(), "films": Tally()}
    covered = (exchange_film(*piece, detectors, random, found["films"]) for piece in films(a.data))
    for _ in islice(filter(None, covered), a.films):
        pass
    left = 1.1 * (a.exchanges - found["films"].exchanges)  # in some photos nobody is
    for image, name in islice(photos(a.data), a.photos):
        exchange_photo(image, name, max(1, round(left / a.photos)), detectors, random, found["photos"])
    for kind, t in found.items():
        print(
            f"{kind}: {len(t.different)} of {t.exchanges} exchanges in {len(t.media)} differ, {t.vain} are vain; "
            f"{1000 * t.seconds / max(1, t.covers):.2f} ms a cover ({t.covers} painted)"
        )
        print("".join(f"  DIFFERENT {d}\n" for d in t.different[:20]), end="")
    if a.json:
        print(json.dumps({k: t.__dict__ | {"media": len(t.media)} for k, t in found.items()}))
    return int(any(t.different or t.vain for t in found.values()))


def photos(data: Path) -> Iterator[tuple[RgbImage, str]]:
    """The photos of the data, the large ones first."""
    for folder in FOLDERS:
        for path in sorted(p for d in sorted(data.glob(folder)) for p in d.iterdir() if p.suffix in {".jpg", ".png"}):
            yield np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")), path.name


def films(data: Path) -> Iterator[tuple[Path, FilmFacts, int]]:
    """Pieces of the films of the data that can be read: each film from one in three of its length on, then from two."""
    paths = [p for d in ("friends", "video", "failing") for p in sorted((data / d).glob("*.m[po][4v]"))]
    readable = []
    for path in paths:
        with suppress(MediaError):
            readable.append((path, probe(path, FilmLimits(), default_tools())))
    pieces = ((path, facts, facts.expected_frames * third // 3) for third in (1, 2) for path, facts in readable)
    return (piece for piece in pieces if piece[1].width)


def exchange_photo(
    image: RgbImage, name: str, times: int, detectors: Sequence[Detector], random: np.random.Generator, tally: Tally
) -> None:
    """Cover every face of one photo, and again with other things under the covers."""
    height, width = image.shape[:2]
    faces = find_faces(image, detectors, DetectSettings(turned=(), closer=()))
    regions = plan_regions(Analysis(width, height, "", tuple(Face(i, d) for i, d in enumerate(faces))), frozenset())
    if not regions:
        return
    hidden = under(spots(regions), width, height)[..., None]
    first: dict[str, RgbImage] = {}
    for n in range(times):
        style, what = list(STYLES)[n % len(STYLES)], WHAT[n % len(WHAT)]
        if style not in first:
            started = time.thread_time()
            first[style] = redact(image, regions, style, n)
            tally.seconds, tally.covers = tally.seconds + time.thread_time() - started, tally.covers + len(regions)
        seed = list(STYLES).index(style)
        other = np.where(hidden, another(image, what, regions, random), image)
        same = np.array_equal(first[style], redact(other, regions, style, seed))
        tally.add(f"{name}, {what}", style, same, not np.array_equal(other, image))


def another(image: RgbImage, what: str, regions: Sequence[Region], random: np.random.Generator) -> RgbImage:
    """Another picture of the same size."""
    if what == "noise":
        return random.integers(0, 256, image.shape, np.uint8)
    if what in {"black", "white"}:
        return np.full_like(image, 0 if what == "black" else 255)
    if what == "negative":
        return np.asarray(255 - image, np.uint8)
    if what == "upside down":
        return np.ascontiguousarray(image[::-1, ::-1])
    face = np.asarray(Image.open(manifest.FOLDER / "samples" / "biden.jpg").convert("RGB"))[156:597, 400:731]
    result = image.copy()
    for region in regions:
        left, top, right, bottom = (
            int(v) for v in (region.box.left, region.box.top, region.box.right, region.box.bottom)
        )
        result[top:bottom, left:right] = cv2.resize(face, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return result


def exchange_film(
    path: Path,
    facts: FilmFacts,
    begin: int,
    detectors: Sequence[Detector],
    random: np.random.Generator,
    tally: Tally,
) -> bool:
    """Cover a piece of one film, and again in every style with other things under the covers of every frame.

    Returns whether there was anybody in it.
    """
    tools = default_tools()
    with closing(read_frames(path, facts, tools, only=range(begin, begin + FRAMES))) as source:
        frames = [frame for _, frame in source]
    seen = look(enumerate(frames), float(facts.rate), facts.matrix, detectors, 1, lambda _: None)
    covers = film_regions.covers(seen, {t.index for t in seen.tracks}, facts.width, facts.height, float(facts.rate))
    for style in STYLES if covers else ():
        one, two = (Painter(covers, style, 1, float(facts.rate), facts.matrix) for _ in range(2))
        schedule = Schedule(covers)
        for n, frame in enumerate(frames):
            found = schedule.at(n)
            started = time.thread_time()
            first = one.paint(n, frame)
            tally.seconds, tally.covers = tally.seconds + time.thread_time() - started, tally.covers + len(found)
            hidden = under(found, facts.width, facts.height)
            other = put_under(frame, frames[(n * 7 + 3) % len(frames)], hidden, WHAT[n % len(WHAT)], random)
            same = np.array_equal(first, two.paint(n, other))
            if found:
                tally.add(f"{path.name} from {begin}, frame {begin + n}", style, same, not np.array_equal(frame, other))
    return bool(covers)


def put_under(frame: Frame, later: Frame, hidden: NDArray[np.bool_], what: str, random: np.random.Generator) -> Frame:
    """A frame with something else where it is covered: of colours every value that belongs to a covered pixel."""
    rows = np.maximum(hidden[::2], hidden[1::2])
    coloured = np.maximum(rows[:, ::2], rows[:, 1::2])
    other = {
        "another face": later,
        "noise": random.integers(16, 236, frame.shape, np.uint8),
        "black": np.full_like(frame, 16),
        "white": np.full_like(frame, 235),
        "negative": np.asarray(251 - frame.clip(16, 235), np.uint8),
        "upside down": np.ascontiguousarray(frame[::-1, ::-1]),
    }[what]
    result = frame.copy()
    for plane, source, where in zip(planes(result), planes(other), (hidden, coloured, coloured), strict=True):
        plane[where] = source[where]
    return result


if __name__ == "__main__":
    sys.exit(main())
