"""Pictures of people who do not exist: drawn, and good enough for the detectors to find every face.

For screenshots and other media that may be shown to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
_SCALE = 2  # drawn larger, then made smaller: soft edges


@dataclass(frozen=True, slots=True)
class Figure:
    """Somebody: the middle of the face, half its width (pixels), and the colours of skin, hair and shirt."""

    x: float
    y: float
    size: float
    skin: Colour
    hair: Colour
    shirt: Colour


def scene(figures: Sequence[Figure], size: tuple[int, int] = (1200, 800), seed: int = 0) -> Image.Image:
    """A lawn under a sky with these people on it, with light and noise as in a photo."""
    rng = np.random.default_rng(seed)
    width, height = size[0] * _SCALE, size[1] * _SCALE
    image = Image.new("RGB", (width, height), (168, 206, 226))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 0.57, width, height), fill=(122, 168, 92))
    for _ in range(7):
        x = float(rng.integers(0, width))
        draw.ellipse((x - 170, height * 0.38, x + 170, height * 0.62), fill=(70, 120, 70))
    for f in figures:
        x, y, r = f.x * _SCALE, f.y * _SCALE, f.size * _SCALE
        draw.rounded_rectangle((x - r * 1.7, y + r * 1.25, x + r * 1.7, y + r * 6), radius=int(r * 0.8), fill=f.shirt)
        _face(draw, x, y, r, f.skin, f.hair)
    image = image.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1.1))
    pixels = np.asarray(image).astype(np.float32)
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    for f in figures:  # light from the right, shade on the left of each face
        light = np.exp(-(((columns - f.x - f.size * 0.3) / (f.size * 0.9)) ** 2 + ((rows - f.y) / f.size) ** 2))
        shade = np.exp(-(((columns - f.x + f.size * 0.6) / (f.size * 0.5)) ** 2 + ((rows - f.y) / f.size) ** 2))
        pixels += (light - 0.35 * shade)[..., None] * 22
    pixels += rng.normal(0, 5, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _face(d: ImageDraw.ImageDraw, x: float, y: float, r: float, skin: Colour, hair: Colour) -> None:
    def oval(cx: float, cy: float, w: float, h: float, fill: Colour) -> None:
        d.ellipse((x + (cx - w) * r, y + (cy - h) * r, x + (cx + w) * r, y + (cy + h) * r), fill=fill)

    def darker(part: float) -> Colour:
        return tuple(int(c * part) for c in skin)  # type: ignore[return-value]

    oval(0, -0.27, 1.02, 1.18, hair)
    d.rectangle((x - r * 0.35, y + r * 0.8, x + r * 0.35, y + r * 1.5), fill=darker(0.82))
    oval(0, 0.02, 0.86, 1.13, skin)
    for side in (-1, 1):
        oval(side * 0.9, 0.02, 0.14, 0.22, darker(0.82))
        oval(side * 0.36, -0.15, 0.2, 0.11, (250, 250, 248))
        oval(side * 0.36, -0.15, 0.09, 0.1, (70, 50, 35))
        oval(side * 0.36, -0.15, 0.045, 0.05, (10, 10, 10))
        e = x + side * 0.36 * r
        d.arc(
            (e - r * 0.24, y - r * 0.51, e + r * 0.24, y - r * 0.09), 200, 340, fill=hair, width=max(2, int(r * 0.07))
        )
        d.arc(
            (e - r * 0.2, y - r * 0.27, e + r * 0.2, y - r * 0.03),
            180,
            360,
            fill=(60, 40, 35),
            width=max(1, int(r * 0.035)),
        )
    d.polygon([(x, y - r * 0.05), (x - r * 0.14, y + r * 0.33), (x + r * 0.14, y + r * 0.33)], fill=darker(0.93))
    oval(0, 0.32, 0.16, 0.08, darker(0.9))
    for side in (-1, 1):
        oval(side * 0.075, 0.335, 0.035, 0.035, darker(0.55))
    d.chord((x - r * 0.34, y + r * 0.42, x + r * 0.34, y + r * 0.82), 0, 180, fill=(170, 60, 65))
    d.chord((x - r * 0.28, y + r * 0.5, x + r * 0.28, y + r * 0.72), 0, 180, fill=(245, 240, 235))
    d.pieslice((x - r * 0.92, y - r * 1.35, x + r * 0.92, y + r * 0.1), 190, 350, fill=hair)
