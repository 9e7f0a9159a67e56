#!/usr/bin/env python3
"""Feeds what readers of other people's bytes might meet: photos, films, registers and event.toml, changed at random.

    python -m bench.fuzz photo --seconds 1800 [--data ../shared/data] [--seed 1] [--keep FOLDER]

Targets: photo, film, csv, xlsx, event. With atheris installed (`pip install atheris`) inputs are led by coverage of our
own code; without it, or with --plain, they come from a generator with a seed, so that the same run can be had again.

Each input must end in a result or in one of our own errors, within the deadline; a photo that comes through must pass
its checks, and a film is read twice alike. What does not is kept in --keep, and the run ends with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import io
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

DEADLINE = {"photo": 20.0, "film": 60.0, "csv": 10.0, "xlsx": 10.0, "event": 10.0}
"""Seconds for one input, the most that the slowest good file of that kind needs here, several times over."""
_LARGEST = 300_000
_MEMORY = 3 << 30
_EVENT = b'title = "Sports day"\ndate = 2026-06-12\nkind = "excursion"\ngroups = ["1A", "2B"]\nuploader = "J."\n'
_WORDS = (
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"[",
    b"{",
    b'"',
    b"\n",
    b"=",
    b";",
    b"yes",
    b"-1",
    b"9999-12-31",
    b"\xef\xbb\xbf",
    b"=cmd()",
    b"\xff\xd8\xff",
    b"IDAT",
    b"moov",
    b"mdat",
    b"stco",
    b"\x1a\x45\xdf\xa3",
)


class Broken(Exception):
    """An input that our code should have borne."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the inputs of one run."""

    inputs: int
    through: int
    refused: int
    slowest: float
    broken: tuple[str, ...]


# --- targets: bytes in; whether they came through, or Broken --------------------------------------------------------


def photo(data: bytes, folder: Path) -> bool:
    """Decode, cover a part, write, check: as the child does it, without the networks."""
    from pipeline.domain.types import Box, Region
    from pipeline.reader import photo_codec, photo_output_scan
    from pipeline.redaction import pixels as rendering

    source, target = folder / "in", folder / "out"
    source.write_bytes(data)
    try:
        found = photo_codec.decode(source, 20_000_000)
    except photo_codec.MediaError:
        return False
    height, width = found.pixels.shape[:2]
    box = Box(width * 0.2, height * 0.2, width * 0.7, height * 0.7)
    regions = (Region(-1, box, box),) if min(width, height) > 8 else ()
    rendered = rendering.redact(found.pixels, regions, "blur", 7)
    photo_codec.encode(rendered, found.output_format, target)
    written = photo_codec.decode(target, 20_000_000)
    checks = [*photo_output_scan.scan_output(target), rendering.check_as_planned(rendered, written.pixels)]
    if wrong := [c for c in checks if not c.passed and c.name != "as_planned"]:
        raise Broken(f"a check failed: {wrong}")
    return True


def film(data: bytes, folder: Path) -> bool:
    """Find out what it is and read every frame, twice: the service must notice when its passes see other pictures."""
    from pipeline.domain.film import FilmLimits
    from pipeline.reader.film.ffmpeg import default_tools
    from pipeline.reader.film.fingerprint import Fingerprint
    from pipeline.reader.film.frames import read_frames
    from pipeline.reader.film.probe import probe
    from pipeline.reader.media_errors import MediaError

    source, tools = folder / "in", default_tools()
    source.write_bytes(data)
    sums: list[list[int]] = []
    marks: list[int] = []
    for _ in range(2):
        try:
            facts = probe(source, FilmLimits(seconds=60), tools)
            frames = read_frames(source, facts, tools) if facts.width else iter(())
            pictures = Fingerprint()
            sums.append([int(np.sum(frame, dtype=np.uint64)) for _, frame in pictures.over(frames)])
            marks.append(pictures.value)
        except MediaError:
            sums.append([-1])
    if [-1] in sums:  # ffmpeg's threads do not always report the same damage: then one of the passes refuses it
        return False
    if sums[0] != sums[1] and marks[0] == marks[1]:
        raise Broken("two readings of one film differ, and nobody would notice")
    return sums[0] == sums[1]


def register_csv(data: bytes, folder: Path) -> bool:
    """Read it as the register."""
    return _register(data, folder / "register.csv", "csv")


def register_xlsx(data: bytes, folder: Path) -> bool:
    """Read it as the register."""
    return _register(data, folder / "register.xlsx", "xlsx")


def _register(data: bytes, path: Path, source: str) -> bool:
    from consent_sync.loaded import RegisterError
    from consent_sync.loader import load

    path.write_bytes(data)
    try:
        load(path, on=date(2026, 11, 1), source=source)
    except RegisterError:
        return False
    return True


def event(data: bytes, folder: Path) -> bool:
    """Read it as the description of an event."""
    from pipeline.files.beneath import Folder
    from pipeline.intake.event_file import read

    place = folder / "inbox" / "trip"
    place.mkdir(parents=True, exist_ok=True)
    (place / "event.toml").write_bytes(data)
    with Folder.at(folder / "inbox") as root:
        found = read(root, "trip", "trip/a.jpg")
    texts = (found.title, found.kind, found.uploader, found.permission, *found.groups)
    if any(not text.isprintable() for text in texts):
        raise Broken("a text that cannot be shown or stored")
    return not found.problem


TARGETS: dict[str, Callable[[bytes, Path], bool]] = {
    "photo": photo,
    "film": film,
    "csv": register_csv,
    "xlsx": register_xlsx,
    "event": event,
}


# --- where inputs begin --------------------------------------------------------------------------------------------


def seeds(target: str, data: Path | None) -> list[bytes]:
    """Good and nasty files to start from: made here, and those of the collection of real media when it is there."""
    made = {"photo": _photos, "film": _films, "csv": _csv, "xlsx": _xlsx, "event": lambda: [_EVENT, b""]}[target]()
    wanted = {"photo": r"\.(jpe?g|png|gif|webp|tiff?|heic|heif|avif|mpo)$", "film": r"\.(mp4|mov|avi|mkv|webm|wmv)$"}
    if data is not None and target in wanted:
        for path in sorted((data / "nasty").rglob("*")):
            if path.is_file() and re.search(wanted[target], path.name, re.I) and path.stat().st_size <= _LARGEST:
                made.append(path.read_bytes())
    return made


def _photos() -> list[bytes]:
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    pixels = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    image, made = Image.fromarray(pixels), []
    for form, options in (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("HEIF", {}),
        ("AVIF", {}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        made.append(buffer.getvalue())
    return made


def _films() -> list[bytes]:
    import subprocess

    from pipeline.reader.film.ffmpeg import default_tools

    made = []
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in (
            ("a.mp4", "libx264"),
            ("a.mkv", "libx264"),
            ("a.mov", "mpeg4"),
            ("a.avi", "mpeg4"),
            ("a.webm", "libvpx"),
            ("a.ts", "mpeg2video"),
        ):
            path = Path(folder) / name
            command = [
                default_tools().ffmpeg,
                "-nostdin",
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x48:r=10:d=1",
                "-f",
                "lavfi",
                "-i",
                "sine=d=1",
                "-c:v",
                codec,
                path,
            ]
            subprocess.run(command, check=True)
            made.append(path.read_bytes())
    return made


def _table() -> list[list[str]]:
    from consent_sync.parsing.rows import REQUIRED_COLUMNS

    header = [*REQUIRED_COLUMNS, "photo_school", "film_school", "sound_school"]
    row = [
        "P1",
        "Zoë Müller",
        "pupil",
        "1A",
        "2016-03-05",
        "parent",
        "2026-09-01",
        "",
        "",
        "forms/P1.pdf",
        "yes",
        "yes",
        "no",
        "",
    ]
    return [header, row, [("P2" if i == 0 else cell) for i, cell in enumerate(row)]]


def _csv() -> list[bytes]:
    made = []
    for delimiter, encoding in ((",", "utf-8"), (";", "cp1252"), ("\t", "utf-16")):
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter).writerows(_table())
        made.append(text.getvalue().encode(encoding))
    return made


def _xlsx() -> list[bytes]:
    from openpyxl import Workbook

    book, buffer = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in _table():
        sheet.append(row)
    book.save(buffer)
    return [buffer.getvalue()]


# --- two engines -----------------------------------------------------------------------------------------------------


def changed(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """One to eight random changes: bits, bytes, numbers, cuts, doubled and foreign pieces."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at, size = rng.randrange(len(out) + 1), rng.choice((1, 2, 4, 16, 256, 4096))
        match rng.randrange(7):
            case 0 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                out[at : at + rng.randrange(9)] = rng.choice(_WORDS)
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = out[at : at + size] * rng.choice((1, 2, 50))
            case 5:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                out[at : at + size] = other[start : start + size]
            case _:
                out = out[: max(1, at)] if rng.random() < 0.2 else out
    return bytes(out[:_LARGEST])


def run(target: str, inputs: Iterator[bytes], folder: Path, keep: Path | None) -> Tally:
    """Feed inputs to one target until they end."""
    count, through, slowest, broken = 0, 0, 0.0, list[str]()
    for data in inputs:
        began, count = time.monotonic(), count + 1
        try:
            through += TARGETS[target](data, folder)
            why = ""
        except Exception as error:  # noqa: BLE001 - whatever comes out here is what is looked for
            why = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - began
        slowest = max(slowest, seconds)
        if not why and seconds > DEADLINE[target]:
            why = f"took {seconds:.1f} s"
        if why:
            broken.append(why[:300])
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{target}-{count}").write_bytes(data)
    return Tally(count, through, count - through - len(broken), slowest, tuple(broken))


def plain(target: str, starts: Sequence[bytes], seed: int, seconds: float, most: int = 1 << 60) -> Iterator[bytes]:
    """Every start as it is, then changed ones, until the time is over or there were so many."""
    rng, end = random.Random(f"{target} {seed}"), time.monotonic() + seconds  # noqa: S311 - must be repeatable
    for count in range(most):
        if time.monotonic() > end:
            return
        yield starts[count] if count < len(starts) else changed(rng.choice(starts), starts, rng)


def led_by_coverage(target: str, starts: Sequence[bytes], seed: int, seconds: int, keep: Path) -> None:
    """atheris (libFuzzer): does not return; it ends the process, with another status than 0 after a finding."""
    import atheris

    with atheris.instrument_imports(include=["pipeline", "consent_sync", "tomllib", "openpyxl"]):
        for name in (
            "consent_sync.loader",
            "pipeline.intake.event_file",
            "pipeline.reader.film.frames",
            "pipeline.reader.photo_codec",
        ):
            importlib.import_module(name)
    corpus = keep / f"{target}-corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(starts):
        (corpus / f"start-{number}").write_bytes(data)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))

    def once(data: bytes) -> None:
        TARGETS[target](data, folder)

    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-timeout={int(DEADLINE[target])}",
        "-rss_limit_mb=3072",
        f"-max_len={_LARGEST}",
        f"-artifact_prefix={keep}/{target}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], once)
    atheris.Fuzz()


def main() -> int:
    """Run one target and say what became of its inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "beeldwacht-fuzz")
    parser.add_argument("--plain", action="store_true", help="the generator with a seed, also when atheris is there")
    given = parser.parse_args()
    starts = seeds(given.target, given.data)
    if not given.plain:
        with contextlib.suppress(ModuleNotFoundError):
            led_by_coverage(given.target, starts, given.seed, given.seconds, given.keep)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        inputs = plain(given.target, starts, given.seed, given.seconds)
        found = run(given.target, inputs, Path(folder), given.keep)
    print(
        f"{given.target}: {found.inputs} inputs, {found.through} came through, {found.refused} were refused, "
        f"slowest {found.slowest:.1f} s, {len(found.broken)} broken"
    )
    for why in sorted(set(found.broken))[:20]:
        print(f"  {why}")
    return bool(found.broken)


if __name__ == "__main__":
    sys.exit(main())
