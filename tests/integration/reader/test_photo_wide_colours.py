"""Photos in the colours of their maker: HEIC and AVIF that name Display P3, PQ or HLG instead of holding a profile."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.reader.photo_codec import decode
from pipeline.reader.photo_colour import SRGB_PROFILE, to_srgb
from pipeline.reader.photo_nclx import Nclx

PATCHES = range(50, 600, 100)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["Q1_p3_nclx.heic", "Q1_pq_10bit.heic"])
def test_a_phones_colours_come_out_as_they_were_meant(name: str, shared_data: Path) -> None:
    wanted = np.asarray(Image.open(shared_data / "failing/Q1_expected_srgb_ref.png").convert("RGB")).astype(int)
    photo = decode(shared_data / "failing" / name)
    for x in PATCHES:
        assert np.abs(photo.pixels[100, x].astype(int) - wanted[100, x]).max() <= 8
    assert any("converted to sRGB" in note for note in photo.notes)


def avif(path: Path, primaries: int) -> Path:
    """An AVIF of one colour that names these primaries (the encoder itself writes those of sRGB)."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (171, 123, 103)).save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    data = bytearray(buffer.getvalue())
    at = data.index(b"colrnclx") + 8
    data[at : at + 2] = primaries.to_bytes(2, "big")
    path.write_bytes(data)
    return path


def test_an_avif_is_converted_too(tmp_path: Path) -> None:
    plain = decode(avif(tmp_path / "plain.avif", 1))
    wide = decode(avif(tmp_path / "wide.avif", 12))
    assert np.abs(plain.pixels[20, 20].astype(int) - (171, 123, 103)).max() <= 2 and not plain.notes
    assert np.abs(wide.pixels[20, 20].astype(int) - (180, 120, 100)).max() <= 4
    assert "colours Display P3 converted to sRGB" in wide.notes


def test_a_profile_goes_before_the_numbers() -> None:
    image = Image.new("RGB", (8, 8), (171, 123, 103))
    image.info["icc_profile"] = SRGB_PROFILE
    pixels, _ = to_srgb(image, Nclx(12, 13))
    assert tuple(pixels[0, 0]) == (171, 123, 103)
