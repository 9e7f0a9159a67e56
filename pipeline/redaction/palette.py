"""How colours are written in a photo and in a frame of a film. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import RgbImage

_RED_BLUE = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}
"""What red and blue weigh in brightness (ITU-R BT.709 and BT.601)."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one kind of picture. `matrix` is that of a film (pipeline.domain.film.FilmFacts), "" for a photo."""

    matrix: str = ""

    @property
    def neutral(self) -> NDArray[np.float32]:
        """The grey that says nothing, (3,)."""
        return np.array((126, 128, 128) if self.matrix else (128, 128, 128), np.float32)

    def of(self, image: RgbImage) -> NDArray[np.uint8]:
        """An RGB image as it is written here, (height, width, 3): RGB, or brightness, blue, red in limited range."""
        if not self.matrix:
            return image
        red, blue = _RED_BLUE.get(self.matrix, _RED_BLUE["smpte170m"])
        r, g, b = (image[..., k].astype(np.float32) for k in range(3))
        bright = red * r + (1 - red - blue) * g + blue * b
        planes = (
            16 + bright * 219 / 255,
            128 + (b - bright) / (1 - blue) * 112 / 255,
            128 + (r - bright) / (1 - red) * 112 / 255,
        )
        return np.asarray(np.rint(np.clip(np.stack(planes, axis=2), 16, 240)), np.uint8)
