"""From any Pillow mode to upright-agnostic 8-bit sRGB pixels, always the same way.

Every rule is fixed, so that the same file gives the same pixels on every run: 16 bit and float are scaled by their
full range, CMYK and Lab are converted, transparency is laid on white (what was hidden under it is gone), and a colour
profile is converted to sRGB (IEC 61966-2-1) when it differs visibly from it. Colours that a file names by numbers
(nclx) are converted where it has no profile.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pipeline.domain.types import RgbImage
from pipeline.reader import photo_nclx
from pipeline.reader.photo_nclx import Nclx

_STRIP = 1024
"""Rows moved at a time: a whole 100-megapixel photo would need its pixels twice more in memory."""

_FULL_SCALES = (255, 1023, 4095, 16383, 32767, 65535, 2**31 - 1)


def _s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _build_srgb() -> bytes:
    """An sRGB display profile of ICC.1:2010 (version 4.3), built here so that it is always the same bytes.

    Primaries are those of IEC 61966-2-1 adapted to D50 with the Bradford matrix; no date, no device, no creator.
    """

    def text(value: str) -> bytes:
        return (
            b"mluc\0\0\0\0"
            + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(value) * 2, 28)
            + value.encode("utf-16-be")
        )

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(_s15, values))

    curve = (
        b"para\0\0\0\0"
        + struct.pack(">HH", 3, 0)
        + b"".join(map(_s15, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    )
    adaptation = b"sf32\0\0\0\0" + b"".join(
        map(_s15, (1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168))
    )
    tags = [
        (b"desc", text("sRGB")),
        (b"cprt", text("CC0")),
        (b"wtpt", xyz(0.96420, 1.0, 0.82491)),
        (b"chad", adaptation),
        (b"rXYZ", xyz(0.43607, 0.22249, 0.01392)),
        (b"gXYZ", xyz(0.38515, 0.71687, 0.09708)),
        (b"bXYZ", xyz(0.14307, 0.06061, 0.71410)),
        (b"rTRC", curve),
        (b"gTRC", curve),
        (b"bTRC", curve),
    ]
    table, body, places = b"", b"", {}
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags:
        if content not in places:
            places[content] = start + len(body)
            body += content + b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + _s15(0.9642) + _s15(1.0) + _s15(0.82491)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


SRGB_PROFILE: bytes = _build_srgb()
"""The only colour profile that ever leaves, byte for byte."""


def to_srgb(image: Image.Image, colours: Nclx | None = None) -> tuple[RgbImage, tuple[str, ...]]:
    """The pixels of a loaded Pillow image as (height, width, 3) uint8 sRGB, not yet turned upright, and remarks.

    `colours`: what the file names by numbers; a profile in the image goes before it.
    """
    notes: list[str] = []
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _eight_bits(image, notes)
        profile = None  # a profile of 16-bit grey says nothing about the scaled values
    alpha: Image.Image | None = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        notes.append("transparency laid on white")
        image = image.convert("RGB")
    if isinstance(profile, bytes) and profile:
        image = _from_profile(image, profile, notes)
    if image.mode == "CMYK":
        notes.append("CMYK converted")
    elif image.mode == "LAB":
        image = _transform(image, ImageCms.createProfile("LAB"))
        notes.append("Lab converted")
    if image.mode != "RGB":
        image = image.convert("RGB")
    if colours is not None and not colours.is_srgb and not profile:
        image = Image.fromarray(photo_nclx.to_srgb(np.asarray(image), colours))
        notes.append(f"colours {colours.name} converted to sRGB")
    return _pixels(image, alpha), tuple(notes)


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    values: NDArray[Any] = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 1:
            high = 1.0
        elif low >= 0 and high <= 255:
            high = 255.0
        low = min(low, 0.0) if high in (1.0, 255.0) else low
        notes.append("floating point reduced to 8 bit")
    else:
        # Sensors put 10, 12 or 14 bits into 16: taking the top byte would make such a photo black, and a face in it
        # invisible to the detector but not to whoever brightens the picture.
        low, high = min(0.0, float(values.min())), float(values.max())
        high = float(next((scale for scale in _FULL_SCALES if high <= scale), 2**32 - 1))
        notes.append("16 bit reduced to 8" if high <= 65535 else "32 bit reduced to 8")
    scaled = (values.astype(np.float32) - low) * (255.0 / max(high - low, 1e-12))
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _transform(image: Image.Image, profile: Any) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    moved = ImageCms.profileToProfile(
        image, profile, target, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
    )
    if moved is None:
        raise ImageCms.PyCMSError("no image came back")
    return moved


def _from_profile(image: Image.Image, raw: bytes, notes: list[str]) -> Image.Image:
    """Convert from the embedded profile. One that is broken, or of another kind of pixels, changes nothing."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(raw))
        space = str(profile.profile.xcolor_space).strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}.get(space)
        name = re.sub(r"[^ -~]", "", profile.profile.profile_description or "")[:40] or "without a name"
        if mode is None or (mode in ("CMYK", "LAB") and image.mode != mode) or (mode == "RGB" and image.mode == "CMYK"):
            notes.append(f"colour profile is for {space or 'unknown'} pixels: ignored")
            return image
        source = image if image.mode == mode else image.convert(mode)
        if mode == "RGB" and _is_srgb(profile):
            return source
        moved = _transform(source, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError) as error:
        notes.append(f"colour profile is broken ({type(error).__name__}): pixels kept as they are")
        return image
    notes.append(f"colour profile {name} converted to sRGB")
    return moved


def _is_srgb(profile: Any) -> bool:
    """Whether a profile moves no colour by more than 2 of 255: tried on a grid, whatever its name says."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(9, 81, 3)
    moved = np.asarray(_transform(Image.fromarray(grid), profile))
    return int(np.abs(moved.astype(np.int16) - grid.astype(np.int16)).max()) <= 2


def _pixels(image: Image.Image, alpha: Image.Image | None) -> RgbImage:
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _STRIP):
        area = (0, top, image.width, min(top + _STRIP, image.height))
        strip = np.asarray(image.crop(area))
        if alpha is not None:
            weight = np.asarray(alpha.crop(area)).astype(np.uint16)[..., None]
            strip = ((strip * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)
        pixels[top : area[3]] = strip
    return pixels
