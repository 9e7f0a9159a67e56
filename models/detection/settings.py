"""How hard to look for faces: which engine, at which scale, from which score on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ZoomPass:
    """A look of one engine at a photo of up to so many megapixels, enlarged, or `turned` on its sides and its head.

    What it finds counts up to `largest` pixels in the photo: larger faces are seen better as they are. `suspicion`:
    only where a scout suspects something with that score or more, outside of faces that are sure (None: everywhere).
    `extra` is added to the engine's threshold; in photos that are `huge`, `extra_huge`.
    """

    engine: str
    factor: float = 1.0
    turned: bool = False
    megapixels: float = math.inf
    largest: float = 64.0
    suspicion: float | None = None
    extra: float = 0.1
    extra_huge: float = 0.0


@dataclass(frozen=True, slots=True)
class LowPass:
    """Looks at copies of a photo without its fine patterns: reduced to a half, a quarter ..., and blurred.

    `engines` look at every photo, through Gaussians of `sigmas` pixels of the copy. Where the photo is patterned, or
    they see somebody there whom nobody saw before, all engines look through `more_sigmas` besides, and at copies
    without bright and without dark lines. What one look sees alone counts from `alone` on, what two looks of one engine
    agree on from `extra` above its threshold on: blurred folds and shadows reach less.
    """

    engines: tuple[str, ...] = ("yunet",)
    sigmas: tuple[float, ...] = (1.5, 3.0)
    more_sigmas: tuple[float, ...] = (2.0, 4.0)
    alone: float = 0.8
    extra: float = 0.1


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """How hard to look. The defaults are measured: see bench/detection.py and bench/RESULTS.md.

    `thresholds`: the score from which on a detection counts, per engine; `threshold` for engines not named.
    `tiles`: largest side of what a detector sees at once, per engine; `tile` for engines not named. `overlap` is what
    neighbours share, `enlarged_overlap` the same where the photo is enlarged for the sake of small faces.
    `sparse`: engines that see every other level of the pyramid, because they find faces of a wide range of sizes; of
    photos above `huge` megapixels they see the half size first: half of the time, and nothing lost (RESULTS.md).
    `coarse`: megapixels up to which a level is seen whole where only surroundings are asked for.
    `closer`: closer looks, in this order. `sure`: the score from which on a face needs none.
    `coarse_extra`: added to the threshold at half size and less for what is smaller than `coarse_side` pixels there: a
    real face of that size is seen better at the next larger scale, what is not are mostly two faces taken for one.
    `turned`: engines that also look at the photo turned by 90, 180 and 270 degrees, reduced to `turned_side`, where
    `turned_threshold` applies.
    `leaning`: where a scout suspects something with that score or more, all engines look at the place turned by
    multiples of 45 degrees; who is found there by two of them is a face (None: nowhere).
    `low_pass`: looks at copies without fine patterns (None: none).
    """

    thresholds: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"centerface": 0.35, "yunet": 0.6})
    )
    threshold: float = 0.5
    tiles: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"yunet": 1536}))
    tile: int = 1024
    overlap: int = 160
    enlarged_overlap: int = 128
    sparse: tuple[str, ...] = ("centerface",)
    huge: float = 6.0
    coarse: float = 1.0
    smallest_side: int = 240
    closer: tuple[ZoomPass, ...] = (
        ZoomPass("centerface", 2.0, megapixels=0.3),
        ZoomPass("yunet", 2.0, suspicion=0.01),
        ZoomPass("yunet", 3.0, largest=24.0, suspicion=0.02, extra=0.15),
        ZoomPass("centerface", 2.0, largest=32.0, suspicion=0.02),
        ZoomPass("yunet", turned=True, largest=96.0, suspicion=0.02, extra=0.2, extra_huge=0.15),
    )
    sure: float = 0.8
    coarse_side: int = 40
    coarse_extra: float = 0.2
    turned: tuple[str, ...] = ("yunet",)
    turned_side: int = 800
    turned_threshold: float = 0.8
    leaning: float | None = 0.2
    low_pass: LowPass | None = LowPass()

    def threshold_of(self, engine: str) -> float:
        """The score from which on a detection of this engine counts."""
        return self.thresholds.get(engine, self.threshold)


CHECK_SCALE = 0.75
"""Part of its size at which what was written is looked at: no level of its pyramid is one that the first look saw."""

CHECK = DetectSettings(closer=(), turned=(), leaning=None, low_pass=LowPass(sigmas=(2.5,), more_sigmas=(1.5, 3.5)))
"""How what was written is looked at: see `pipeline.reader.main`."""
