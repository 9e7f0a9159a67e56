"""Small films made by ffmpeg for the tests, and what their frames must look like."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import FilmFacts, FilmLimits, Frame
from pipeline.reader.film.ffmpeg import Tools, default_tools
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.probe import probe

WIDTH, HEIGHT, RATE, FLASH = 160, 120, 25, 10
LIMITS = FilmLimits(seconds=60)
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
SCENE = (
    f"color=red:s={WIDTH}x{HEIGHT}:r={RATE},drawbox=80:0:80:60:lime:fill,drawbox=0:60:80:60:blue:fill,"
    "drawbox=80:60:80:60:white:fill,drawbox=64:48:32:24:black:fill,"
    f"drawbox=64:48:32:24:white:fill:enable='gte(n,{FLASH})'"
)
"""Red and green above, blue and white below; a black place in the middle turns white at frame 10."""

UPRIGHT = (RED, GREEN, BLUE, WHITE)


@cache
def tools() -> Tools:
    return default_tools()


def ffmpeg(*arguments: str | Path) -> None:
    command = [tools().ffmpeg, "-nostdin", "-v", "error", "-y", *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make(path: Path, *options: str, seconds: float = 1.0, sound: bool = True) -> Path:
    """A film of the scene; `options` name codecs and everything else of the output."""
    tone = ["-f", "lavfi", "-i", f"sine=440:r=48000:d={seconds}"] if sound else []
    ffmpeg("-f", "lavfi", "-i", f"{SCENE},trim=duration={seconds}", *tone, *options, path)
    return path


def look(path: Path, limits: FilmLimits = LIMITS) -> tuple[FilmFacts, list[Frame]]:
    """What the film is, and all of its frames."""
    facts = probe(path, limits, tools())
    return facts, [frame for _, frame in read_frames(path, facts, tools())]


def corners(frame: Frame, facts: FilmFacts) -> list[NDArray[np.float64]]:
    """RGB in the middle of the four corners, row by row, as a television would show them."""
    width, height = facts.width, facts.height
    u = frame[height : height * 5 // 4].reshape(height // 2, width // 2)
    v = frame[height * 5 // 4 :].reshape(height // 2, width // 2)
    found = []
    for y, x in ((1, 1), (1, 7), (7, 1), (7, 7)):
        top, left = height * y // 8, width * x // 8
        spot = [float(p[top // s, left // s]) for p, s in ((frame, 1), (u, 2), (v, 2))]
        found.append(rgb_of(*spot, matrix=facts.matrix))
    return found


def rgb_of(y: float, u: float, v: float, matrix: str) -> NDArray[np.float64]:
    """ITU-R BT.601 and BT.709, limited range, written out."""
    kr, kb = (0.299, 0.114) if matrix == "smpte170m" else (0.2126, 0.0722)
    light, blue, red = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    r, b = light + 2 * (1 - kr) * red, light + 2 * (1 - kb) * blue
    return np.array([r, (light - kr * r - kb * b) / (1 - kr - kb), b]) * 255


def assert_scene(facts: FilmFacts, frames: list[Frame], order: tuple[tuple[int, int, int], ...] = UPRIGHT) -> None:
    """The four colours stand where they should, and the middle turns white at its moment."""
    for got, wanted in zip(corners(frames[len(frames) // 2], facts), order, strict=True):
        assert np.abs(got - wanted).max() < 45, (got, wanted)
    middle = [int(f[facts.height // 2, facts.width // 2]) for f in frames]
    flash = next(n for n, light in enumerate(middle) if light > 128)
    assert abs(flash / facts.rate - FLASH / RATE) <= 1 / facts.rate, flash
