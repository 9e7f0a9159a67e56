"""In real photos and films something else is put under the covers, and nothing of the result changes (bench.covers)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.covers import WHAT, Tally, exchange_film, exchange_photo
from models.engines.base import Detector
from models.engines.registry import load_detectors
from pipeline.domain.film import FilmLimits
from pipeline.reader.film.ffmpeg import default_tools
from pipeline.reader.film.probe import probe
from pipeline.redaction.styles import STYLES


@pytest.fixture(scope="module")
def detectors(weights: Path) -> tuple[Detector, ...]:
    return load_detectors(("centerface", "yunet"), weights, 1)


def all_alike(tally: Tally) -> bool:
    return tally.exchanges > 0 and not tally.different and not tally.vain and set(tally.by_style) == set(STYLES)


def test_of_a_real_photo(detectors: tuple[Detector, ...], samples: Path) -> None:
    tally, image = Tally(), np.asarray(Image.open(samples / "t1.jpg").convert("RGB"))
    exchange_photo(image, "t1.jpg", len(STYLES) * len(WHAT), detectors, np.random.default_rng(1), tally)
    assert all_alike(tally)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["groups/1.jpg", "groups/city.jpg", "groups/stock-teen-1.jpg", "boxed/2008_004176.jpg"]
)
def test_of_photos_with_many_faces_and_with_large_ones(
    name: str, detectors: tuple[Detector, ...], shared_data: Path
) -> None:
    tally, image = Tally(), np.asarray(Image.open(shared_data / name).convert("RGB"))
    exchange_photo(image, name, len(WHAT) * 2, detectors, np.random.default_rng(1), tally)
    assert all_alike(tally)


@pytest.mark.shared
def test_of_every_frame_of_a_film(detectors: tuple[Detector, ...], shared_data: Path) -> None:
    tally = Tally()
    path = shared_data / "video" / "short_hamilton_clip.mp4"
    facts = probe(path, FilmLimits(), default_tools())
    exchange_film(path, facts, facts.expected_frames // 3, detectors, np.random.default_rng(1), tally)
    assert all_alike(tally)
