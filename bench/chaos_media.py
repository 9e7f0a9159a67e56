"""What is dropped while the service is killed: small photos and films of two people, one of whom agreed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from models.downloads import manifest
from pipeline.reader.film.ffmpeg import default_tools

CANARY = "Canary-Zonnebloem-51"
HEIGHT = 150
Boxes = list[tuple[float, float, float, float]]


@dataclass
class Media:
    """Files for the inbox; `originals/NAME.png` has the pixels and `faces.json` whose faces must be covered.

    `dropped` is SHA-256 -> `photo`, `film` or `broken`, `names` SHA-256 -> the name that it was dropped under.
    """

    folder: Path
    random: random.Random
    dropped: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _data: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        samples = manifest.FOLDER / "samples"
        manifest.fetch(manifest.SAMPLES, samples)
        self.portrait = samples / "obama.jpg"
        stranger, agreed = (_high(samples / n) for n in ("biden.jpg", "obama2.jpg"))
        both = Image.new("RGB", (stranger.width + agreed.width, HEIGHT))
        both.paste(stranger, (0, 0))
        both.paste(agreed, (stranger.width, 0))
        self._scenes = {"alone": stranger, "both": both}
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # the engines stay out of this process
            (faces,) = pool.map(_faces, [np.asarray(stranger)])
        (self.folder / "faces.json").write_text(json.dumps(faces))

    def drop(self, event: Path, film: bool = False) -> None:
        """Two photos, or a photo and a film, no two alike."""
        for n in range(2):
            number = len(self.dropped)
            scene = self._scenes["both" if self.random.random() < 0.3 else "alone"].copy()
            draw = ImageDraw.Draw(scene)  # a pattern of its own in the corner: the same bytes again are a duplicate
            for bit in range(16):
                light = (255, 255, 255) if number >> bit & 1 else (0, 0, 0)
                draw.rectangle((bit * 2, HEIGHT - 2, bit * 2 + 1, HEIGHT), fill=light)
            if film and n == 0:
                self._lay(event, f"V_{number:05d}.mp4", self._film(scene, number), "film", scene)
            else:
                self._lay(event, f"IMG_{number:05d}.jpg", _jpeg(scene, self.folder), "photo", scene)

    def drop_broken(self, event: Path) -> None:
        """A file that says it is a JPEG."""
        number = len(self.dropped)
        data = b"\xff\xd8\xff\xe0" + str(number).encode() + b"\xff\xd9"
        self._lay(event, f"X_{number:05d}.jpg", data, "broken", None)

    def drop_again(self, event: Path) -> None:
        """A photo that came before, under another name."""
        if known := [sha for sha, kind in self.dropped.items() if kind == "photo"]:
            _into(event / f"again_{len(self.dropped):05d}.jpg", self._data[self.random.choice(known[-20:])])

    def _lay(self, event: Path, name: str, data: bytes, kind: str, scene: Image.Image | None) -> None:
        if scene:
            scene.save(self.folder / f"{Path(name).stem}.png", compress_level=1)
        sha256 = hashlib.sha256(data).hexdigest()
        self.dropped[sha256], self.names[sha256], self._data[sha256] = kind, name, data
        _into(event / name, data)

    def _film(self, scene: Image.Image, number: int) -> bytes:
        still, target = self.folder / "still.png", self.folder / "film.mp4"
        scene.crop((0, 0, scene.width // 2 * 2, HEIGHT)).save(still, compress_level=1)
        subprocess.run(
            [
                default_tools().ffmpeg,
                "-nostdin",
                "-v",
                "error",
                "-y",
                "-loop",
                "1",
                "-r",
                "8",
                "-t",
                "1",
                "-i",
                still,
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p",
                "-metadata",
                f"comment={CANARY} {number}",
                target,
            ],
            check=True,
        )
        return target.read_bytes()


def _high(path: Path) -> Image.Image:
    image = Image.open(path).convert("RGB")
    return image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)


def _jpeg(scene: Image.Image, folder: Path) -> bytes:
    path = folder / "photo.jpg"
    scene.save(path, quality=90, comment=CANARY.encode())
    return path.read_bytes()


def _into(path: Path, data: bytes) -> None:
    """As a client of a share does it: under another name first."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    shutil.move(partial, path)


def _faces(pixels: np.ndarray) -> Boxes:
    from models.detection.find_faces import find_faces  # noqa: PLC0415 - in the process that looks
    from models.engines.registry import load_detectors  # noqa: PLC0415

    found = find_faces(pixels, load_detectors(["centerface", "yunet"], manifest.FOLDER))
    return [(b.left, b.top, b.right, b.bottom) for d in found if d.score > 0.7 for b in [d.box]]
