"""How the whole picture of a film moves from frame to frame: similarities on points. Pure.

A point x + iy of the upright frame before lies at `turn` * point + `shift` in the frame after: `turn` holds scale and
rotation, `shift` is in pixels. Boxes stay upright: their middle moves, their sides grow with the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Box


@dataclass(frozen=True, slots=True)
class Similarity:
    """One motion of the picture: scale, rotation and shift."""

    turn: complex = 1 + 0j
    shift: complex = 0j

    @property
    def scale(self) -> float:
        """How much larger things are after it."""
        return abs(self.turn)

    def moved(self, box: Box) -> Box:
        """Where a box lies after it, still upright."""
        x, y = box.center
        middle = self.turn * complex(x, y) + self.shift
        wide, high = self.scale * box.width / 2, self.scale * box.height / 2
        return Box(middle.real - wide, middle.imag - high, middle.real + wide, middle.imag + high)

    def then(self, after: Similarity) -> Similarity:
        """This motion, and another after it."""
        return Similarity(after.turn * self.turn, after.turn * self.shift + after.shift)

    @property
    def back(self) -> Similarity:
        """The way back."""
        return Similarity(1 / self.turn, -self.shift / self.turn)


STILL = Similarity()


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotion:
    """The motion of the picture into each frame from the one before it.

    `steps` is float32 (frames, 4): real and imaginary part of the turn, then of the shift. A row of NaN says that
    nobody can tell: at a cut, and where nothing of the picture before is found again. The first row stands still.
    """

    steps: NDArray[np.float32]

    @classmethod
    def of(cls, steps: list[Similarity | None]) -> CameraMotion:
        """The motion of these steps, one for each frame; None where nobody can tell."""
        rows = [(np.nan,) * 4 if s is None else (s.turn.real, s.turn.imag, s.shift.real, s.shift.imag) for s in steps]
        return cls(np.array(rows, np.float32).reshape(-1, 4))

    @property
    def known(self) -> NDArray[np.bool_]:
        """For each frame whether the motion into it is known, (frames,)."""
        return np.asarray(np.isfinite(self.steps).all(axis=1))

    def step(self, frame: int) -> Similarity | None:
        """The motion into a frame; None where nobody can tell."""
        if not 0 <= frame < len(self.steps) or not np.isfinite(self.steps[frame]).all():
            return None
        a, b, x, y = (float(v) for v in self.steps[frame])
        return Similarity(complex(a, b), complex(x, y))

    def between(self, start: int, stop: int) -> Similarity:
        """The motion from one frame to another, which may be an earlier one; unknown steps count as standing still."""
        whole = STILL
        for frame in range(min(start, stop) + 1, max(start, stop) + 1):
            whole = whole.then(self.step(frame) or STILL)
        return whole if start <= stop else whole.back
