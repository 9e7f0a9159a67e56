#!/usr/bin/env python3
"""Photos per second and recall against the script that people write, and against deface, on the same photos.

    python -m bench.versus --python PATH/TO/python [--upsample 1 2] [--deface PATH/TO/deface] [--photos 4] [--slots 2]

--python has `face_recognition` and OpenCV installed (an environment of its own: it needs dlib); bench/usual_script.py
runs there; --upsample lets it double each photo once, as it does by itself, or more often, for the sake of smaller
faces. Photos of 12 megapixels: those of `boxed`, `noses` and `groups` of
../shared/data at several sizes of face, side by side, until there are enough faces. Each program finds the faces, lets
two people be seen whose portraits it has (deface cannot) and covers the rest. Ours is the whole way of a photo:
decode, find, describe, match, cover, write, open the result and look at it again, in one child process for each slot.
Processor time says more than photos per second where other work runs on the machine; it counts the start of the
programs too. Recall is the share of the faces whose middle lies in a box.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.robustness import load, packed
from models.downloads import manifest
from models.engines.registry import load_detectors
from pipeline.domain.types import Box, Template
from pipeline.recognition.matching import ADULT, match
from pipeline.redaction import regions as region_planning
from pipeline.sandbox.client import MediaClient
from pipeline.sandbox.options import MediaOptions

SIZES = (16, 24, 48, 96, 160)
CHANGED = 6.0
"""Mean difference of pixels, in levels of 255, above which deface did something: JPEG alone makes 1 to 3."""
PORTRAITS = ("Rachel.png", "Chandler.png")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--python", type=Path, help="a Python that has face_recognition")
    parser.add_argument("--model", nargs="+", default=["hog"], help="detectors of face_recognition: hog, cnn")
    parser.add_argument("--upsample", type=int, nargs="+", default=[1], help="how often it doubles a photo")
    parser.add_argument("--deface", type=Path)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--faces", type=int, default=25, help="faces in a photo, at least")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beeldwacht-versus-") as temporary:
        home = Path(temporary)
        truth = photos(a.data, home / "photos", a.photos, a.faces)
        (home / "portraits").mkdir()
        for name in PORTRAITS:
            (home / "portraits" / name).write_bytes((a.data / "friends" / name).read_bytes())
        rows = {"ours": row("ours", *timed(lambda: ours(home, a.slots)), truth)}
        for model, doubled in itertools.product(a.model if a.python else (), a.upsample):
            script = [
                a.python,
                Path(__file__).parent / "usual_script.py",
                home / "photos",
                home / "portraits",
                home / model,
                "--model",
                model,
                "--upsample",
                doubled,
            ]
            done, processor = timed(lambda script=script: json.loads(call(script)))  # type: ignore[misc]
            name = f"face_recognition ({model}, doubled {doubled} times) and OpenCV"
            rows[name] = row(name, (done["seconds"], done["found"]), processor, truth)
        if a.deface:
            started = time.monotonic()
            _, processor = timed(lambda: call([a.deface, *sorted((home / "photos").glob("*.jpg"))]))
            seconds = time.monotonic() - started
            found = changed(home / "photos", truth)
            rows["deface"] = row("deface (with its start)", (seconds, found), processor, truth)
    if a.json:
        print(json.dumps(rows))


def photos(data: Path, folder: Path, count: int, least: int) -> dict[str, NDArray[np.float64]]:
    """Write the photos; returns the middle of each face, and its size: rows (x, y, size)."""
    folder.mkdir()
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER, ["centerface", "yunet"])
    manifest.fetch(manifest.KNOWN, manifest.FOLDER / manifest.KNOWN_FOLDER)
    scenes = load(data, load_detectors(["centerface", "yunet"], manifest.FOLDER, 1))
    truth = {}
    for n in range(count):
        order = [scenes[k] for k in np.random.default_rng(n).permutation(len(scenes))]
        faces = np.cumsum([len(s.points) for s in order])
        order = order[: int(np.searchsorted(faces, least)) + 1]
        sizes = [SIZES[(k + n) % len(SIZES)] for k in range(len(order))]
        canvas, points = packed(order, sizes)
        Image.fromarray(canvas).save(folder / f"{n}.jpg", quality=92)
        truth[f"{n}.jpg"] = points
    return truth


def ours(home: Path, slots: int) -> tuple[float, dict[str, list[list[float]]]]:
    """Seconds for all photos, without the start of the children, and the boxes found in each."""
    options = MediaOptions(manifest.FOLDER, ("centerface", "yunet"), ("sface", "dlib"), 1, 300.0, 4 << 30, 10**8, 10**6)
    labs = [MediaClient(options) for _ in range(slots)]
    try:
        for media_client in labs:
            media_client.start()
        gallery = []
        for path in sorted((home / "portraits").iterdir()):
            face = max(labs[0].analyse(path, embed=True).faces, key=lambda f: f.detection.box.area)
            gallery += [Template(path.stem, path.stem, engine, vector) for engine, vector in face.embeddings.items()]
        waiting = sorted((home / "photos").glob("*.jpg"), reverse=True)
        found: dict[str, list[list[float]]] = {}

        def work(media_client: MediaClient, number: int) -> None:
            while waiting:
                path = waiting.pop()
                analysis = media_client.analyse(path, embed=True)
                sightings = match(analysis.faces, gallery, dict.fromkeys(("Rachel", "Chandler"), ADULT))
                shown = frozenset(s.face for s in sightings if s.person_id)
                boxes: list[Box] = [analysis.faces[k].detection.box for k in shown]
                regions = region_planning.plan_regions(analysis, shown)
                media_client.produce(regions, "blur", 1, home / f"out{number}", boxes, embed=True)
                found[path.name] = [
                    [b.left, b.top, b.right, b.bottom] for f in analysis.faces for b in [f.detection.box]
                ]

        started = time.monotonic()
        threads = [threading.Thread(target=work, args=(media_client, n)) for n, media_client in enumerate(labs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - started, found
    finally:
        for media_client in labs:
            media_client.close()


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the processor time of the processes that it started and ended, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(
    name: str,
    result: tuple[float, dict[str, list[list[float]]]],
    processor: float,
    truth: dict[str, NDArray[np.float64]],
) -> dict[str, Any]:
    """One line of the table: speed, and recall per size of face."""
    seconds, found = result
    hits: dict[int, list[bool]] = {size: [] for size in SIZES}
    for photo, faces in truth.items():
        for x, y, size in faces:
            near = min(SIZES, key=lambda s: abs(s - size))
            hits[near].append(any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in found[photo]))
    total = [hit for own in hits.values() for hit in own]
    speed, each, hit = len(truth) / seconds, processor / len(truth), sum(total)
    by_size = {size: f"{sum(own)} of {len(own)}" for size, own in hits.items() if own}
    sizes = ", ".join(f"{size} px {own}" for size, own in by_size.items())
    print(
        f"{name}: {speed:.3f} photos/s, {each:.1f} s of processor time a photo; "
        f"{hit} of {len(total)} faces found ({hit / len(total):.1%}); {sizes}",
        flush=True,
    )
    return {
        "photos_per_second": speed,
        "processor_seconds": each,
        "found": hit,
        "faces": len(total),
        "by_size": by_size,
    }


def changed(folder: Path, truth: dict[str, NDArray[np.float64]]) -> dict[str, list[list[float]]]:
    """The faces of whose middle quarter deface has changed the pixels, as boxes."""
    found: dict[str, list[list[float]]] = {}
    for photo, faces in truth.items():
        name = folder / photo
        before = np.asarray(Image.open(name)).astype(np.int16)
        after = np.asarray(Image.open(name.with_stem(f"{name.stem}_anonymized")).convert("RGB")).astype(np.int16)
        for x, y, size in faces:
            box = [x - size / 8, y - size / 8, x + size / 8, y + size / 8]
            left, top, right, bottom = (round(v) for v in box)
            part = slice(top, bottom + 1), slice(left, right + 1)
            if np.abs(before[part] - after[part]).mean() > CHANGED:
                found.setdefault(photo, []).append(box)
        found.setdefault(photo, [])
    return found


def call(command: list[Any]) -> str:
    """Run a program; ends the benchmark when it fails."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
