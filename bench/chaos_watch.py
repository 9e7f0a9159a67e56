"""A process of its own that looks at every file the moment it appears in a publish folder: whole, and covered?"""

from __future__ import annotations

import io
import json
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bench.likeness import likeness
from pipeline.domain.types import Box, RgbImage
from pipeline.reader.film.ffmpeg import default_tools

ALIKE = 0.62  # of the covers of this program; an uncovered face has 0.9 and more
PROBE = ".beeldwacht-probe"


class Watcher:
    """Remembers what it saw, by path and inode."""

    def __init__(self, publish: Path, originals: Path) -> None:
        self.publish, self.originals = publish, originals
        self.faces = [Box(*b) for b in json.loads((originals / "faces.json").read_text())]
        self.known: dict[Path, tuple[int, int]] = {}  # folder -> its time, and when it was last read anyway
        self.seen: set[tuple[str, int, int]] = set()
        self.wrong: list[str] = []

    def look(self, all_folders: bool) -> None:
        """Look at what is new, in the folders that changed."""
        everything = (self.publish, *(p for p in self.publish.rglob("*") if p.is_dir())) if all_folders else ()
        folders = everything or list(self.known)
        for folder in folders:
            try:
                now = folder.stat().st_mtime_ns
                if not all_folders and self.known.get(folder, (0, 0))[0] == now:
                    continue
                self.known[folder] = (now, 0)
                for path in list(folder.iterdir()):
                    self._one(path)
            except FileNotFoundError:
                self.known.pop(folder, None)  # taken back meanwhile

    def _one(self, path: Path) -> None:
        info = path.lstat()
        if path.is_dir():
            self.known.setdefault(path, (0, 0))
            return
        key = (str(path), info.st_ino, info.st_mtime_ns)
        if key in self.seen or path.name == PROBE:
            return
        data = path.read_bytes()
        self.seen.add(key)
        name = str(path.relative_to(self.publish))
        try:
            film = path.suffix == ".mp4"
            frames = _frames(self.originals / f".watched-{path.name}", data) if film else [_pixels(data)]
        except (OSError, ValueError, subprocess.CalledProcessError) as e:
            self.wrong.append(f"{name}: not whole when it appeared ({e})")
            return
        source = self.originals / f"{path.stem}.png"
        if not source.exists():
            self.wrong.append(f"{name}: nothing of this name was dropped")
            return
        original = np.asarray(Image.open(source).convert("RGB"))
        for frame in frames:
            height, width = frame.shape[:2]
            highest = max(likeness(original[:height, :width], frame, face) for face in self.faces)
            if highest > ALIKE or abs(original.shape[1] - width) > 1:
                self.wrong.append(f"{name}: a face was seen ({highest:.2f})")
                return


def watch(publish: Path, originals: Path, stop: Path, report: Path) -> None:
    """Look until `stop` exists; then write what was seen, and what was wrong."""
    watcher, last = Watcher(publish, originals), 0.0
    while True:
        ending = stop.exists()
        everything = ending or time.monotonic() - last > 1.0
        watcher.look(everything)
        if everything:
            last = time.monotonic()
        if ending:
            break
        time.sleep(0.01)
    report.write_text(json.dumps({"seen": len(watcher.seen), "wrong": watcher.wrong}))


def _pixels(data: bytes) -> RgbImage:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _frames(copy: Path, data: bytes) -> list[RgbImage]:
    copy.write_bytes(data)  # what appeared, whatever becomes of the file meanwhile
    try:
        raw = subprocess.run(
            [default_tools().ffmpeg, "-nostdin", "-v", "error", "-i", copy, "-f", "image2pipe", "-c:v", "ppm", "-"],
            capture_output=True,
            check=True,
        ).stdout
    finally:
        copy.unlink()
    frames = []
    stream = io.BytesIO(raw)
    while header := stream.readline():
        width, height = map(int, stream.readline().split())
        stream.readline()
        if header.strip() != b"P6":
            raise ValueError("no frames")
        frames.append(np.frombuffer(stream.read(width * height * 3), np.uint8).reshape(height, width, 3))
    if not frames:
        raise ValueError("no frames")
    return frames
