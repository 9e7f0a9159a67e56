"""Photos per second for one slot, the share of each step, and the child's peak memory.

    python -m bench.photos [--faces ../shared/data/lfw] [--runs 5] [--json]

The photo is a 12-megapixel sheet of 25 faces (from --faces, or the sample photos when that folder is absent), and a
2-megapixel one. Each step is what the child process does in production, asked through the same pipes; medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from models.downloads import manifest
from pipeline.redaction import regions as region_planning
from pipeline.sandbox.client import MediaClient
from pipeline.sandbox.options import MediaOptions

SIZES = {"2 MP, 8 faces": (1632, 1224, 8), "12 MP, 25 faces": (4000, 3000, 25)}


def main() -> None:
    """Measure each size and print a table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--faces", type=Path, default=Path("../shared/data/lfw"))
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--json", action="store_true", help="print one JSON object last")
    a = p.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="beeldwacht-photos-") as temporary:
        for name, (width, height, faces) in SIZES.items():
            path = Path(temporary) / "photo.jpg"
            sheet(sources(a.faces), width, height, faces).save(path, quality=92)
            results[name] = r = measure(path, Path(temporary), a.runs)
            share = ", ".join(f"{k} {v / r['seconds']:.0%}" for k, v in r["steps"].items())
            print(
                f"{name}: {r['found']} found, {r['seconds']:.2f} s, {1 / r['seconds']:.2f} photos/s; {share}; "
                f"peak memory {r['peak_mib']} MiB; child starts in {r['start']:.2f} s"
            )
    if a.json:
        print(json.dumps(results))


def sources(folder: Path) -> list[Path]:
    """Face photographs to build sheets of."""
    if folder.is_dir():
        return [sorted(p.glob("*.jpg"))[0] for p in sorted(folder.iterdir()) if p.is_dir()]
    samples = manifest.FOLDER / "samples"
    manifest.fetch(manifest.SAMPLES, samples)
    return [samples / n for n in ("obama2.jpg", "biden.jpg", "obama3.jpg")]


def sheet(photos: list[Path], width: int, height: int, faces: int) -> Image.Image:
    """A photo of this size with so many faces in a grid."""
    columns = round((faces * width / height) ** 0.5)
    rows = -(-faces // columns)
    cell = width // columns, height // rows
    image = Image.new("RGB", (width, height), (96, 110, 120))
    for n in range(faces):
        tile = (
            Image.open(photos[n % len(photos)]).convert("RGB").resize((min(cell), min(cell)), Image.Resampling.LANCZOS)
        )
        image.paste(tile, ((n % columns) * cell[0], (n // columns) * cell[1]))
    return image


def measure(path: Path, folder: Path, runs: int) -> dict[str, Any]:
    """One child: start it, then analyse (without and with embeddings) and produce, several times."""
    options = MediaOptions(manifest.FOLDER, ("centerface", "yunet"), ("sface", "dlib"), 1, 300.0, 4 << 30, 10**8, 10**6)
    media_client = MediaClient(options)
    started = time.monotonic()
    media_client.start()
    start = time.monotonic() - started
    steps: dict[str, list[float]] = {"decode and detect": [], "embed": [], "cover, write, check": []}
    found = 0
    try:
        for run in range(runs + 1):
            t = [time.monotonic()]
            media_client.analyse(path, embed=False)
            t.append(time.monotonic())
            analysis = media_client.analyse(path, embed=True)
            t.append(time.monotonic())
            regions = region_planning.plan_regions(analysis, frozenset())
            media_client.produce(regions, "blur", run, folder / "out", (), embed=True)
            t.append(time.monotonic())
            found = len(analysis.faces)
            if run:  # the first one warms up
                steps["decode and detect"].append(t[1] - t[0])
                steps["embed"].append(max(0.0, (t[2] - t[1]) - (t[1] - t[0])))
                steps["cover, write, check"].append(t[3] - t[2])
        peak = media_client.peak_memory()
    finally:
        media_client.close()
    medians = {k: statistics.median(v) for k, v in steps.items()}
    return {"seconds": sum(medians.values()), "steps": medians, "found": found, "peak_mib": peak >> 20, "start": start}


if __name__ == "__main__":
    main()
