"""Reading photos that people dropped, and writing the photos that go out. Runs in the child process only.

`decode` gives upright 8-bit sRGB pixels and nothing else of the file; `encode` writes pixels and nothing else. Both
raise only `MediaError`. Decoding sets Pillow's process-wide limits while it runs, so it is not for several threads.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageFile, UnidentifiedImageError

from pipeline.domain.types import Medium, RgbImage
from pipeline.reader.decoder_warnings import overheard, second_opinion
from pipeline.reader.file_signatures import Kind, sniff
from pipeline.reader.media_errors import (
    FilmNotSupported,
    MediaError,
    SoundNotSupported,
    TooLarge,
    TooManyPixels,
    UnreadableFile,
    UnsupportedFormat,
    WriteFailed,
    damaged,
    too_many_pixels,
)
from pipeline.reader.photo_colour import SRGB_PROFILE, to_srgb
from pipeline.reader.photo_containers import layout
from pipeline.reader.photo_nclx import UNSPECIFIED, Nclx, in_file
from pipeline.reader.photo_output_scan import scan_output

__all__ = ["Kind", "MediaError", "Photo", "decode", "encode", "identify", "scan_output", "small_jpeg"]

MAX_BYTES = 512 * 1024 * 1024
MAX_SIDE = 65_500
"""libjpeg's own limit for one side; a longer picture could be read but not published."""

_ORIENTATION = 274
_DNG_VERSION = 50706
_SUBFILE_TYPE = 254
_PLUGINS = {
    Kind.JPEG: ("JPEG", "MPO"),
    Kind.PNG: ("PNG",),
    Kind.WEBP: ("WEBP",),
    Kind.TIFF: ("TIFF",),
    Kind.HEIF: ("HEIF",),
    Kind.AVIF: ("AVIF",),
    Kind.GIF: ("GIF",),
}
_COUNTED = (Kind.TIFF, Kind.HEIF, Kind.AVIF)
"""Formats whose pictures Pillow counts; for the others the walk through the container has."""

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo.

    `pixels` are (height, width, 3) uint8, RGB, sRGB, upright and read-only. `format` names the source ("JPEG",
    "HEIF", ...), `output_format` is "PNG" for PNG and "JPEG" for everything else. `notes` are remarks for the log.
    """

    pixels: RgbImage
    format: str
    output_format: str
    notes: tuple[str, ...] = ()


def identify(path: Path) -> Kind:
    """What the file is by its content. Raises `UnsupportedFormat`, `DamagedFile` (empty) or `UnreadableFile`."""
    return sniff(_read(path, 4096))


def medium_of(path: Path, max_pixels: int = 100_000_000) -> Medium:
    """What kind of recording a file is: photo, film (also moving GIF, PNG and WebP) or sound. Raises `MediaError`."""
    kind = identify(path)
    if kind is Kind.AUDIO:
        return Medium.SOUND
    if kind is Kind.FILM:
        return Medium.FILM
    if kind in (Kind.GIF, Kind.PNG, Kind.WEBP):
        return Medium.FILM if layout(kind, _read(path, MAX_BYTES), max_pixels).pictures > 1 else Medium.PHOTO
    return Medium.PHOTO


def decode(path: Path, max_pixels: int = 100_000_000) -> Photo:
    """Read a photo, or say in a `MediaError` why not. Opens no other file than `path`."""
    kind: Kind | None = None
    try:
        data = _read(path, MAX_BYTES)
        kind = sniff(data[:4096])
        if kind is Kind.FILM:
            raise FilmNotSupported("This is a film, and a photo is needed here.")
        if kind is Kind.AUDIO:
            raise SoundNotSupported("This is a sound recording, and a photo is needed here.")
        return _decode(kind, data, max_pixels)
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(
            f"The photo has more than the {max_pixels / 1e6:g} million pixels that are taken. Make it smaller and drop "
            "it again.",
            str(error),
        ) from error
    except MemoryError as error:
        raise TooLarge(
            "The photo needs more memory than one photo may take. Make it smaller and drop it again."
        ) from error
    except UnidentifiedImageError as error:
        if kind is Kind.TIFF and _fractions(data):
            raise UnsupportedFormat(
                "This TIFF is stored in a way that cannot be read here, such as with fractions for its colours. Export "
                "it as JPEG, or as TIFF with 8 or 16 bit, and drop it again.",
                f"no decoder accepts it ({str(error)[:80]})",
            ) from error
        raise damaged("no decoder accepts it") from error
    except Exception as error:  # decoders fail in every way there is; each means: not this file
        raise damaged(f"{type(error).__name__}: {str(error)[:200]}") from error


def _fractions(data: bytes) -> bool:
    """Whether a TIFF that no decoder accepts says that its colours are floating point (TIFF 6.0, tag 339)."""
    order = "<" if data[:2] == b"II" else ">"
    return any(struct.pack(f"{order}HHI", 339, 3, samples) in data for samples in (1, 3, 4))


def _read(path: Path, limit: int) -> bytes:
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableFile("This is not a plain file. Drop the photo itself.", stat.filemode(found.st_mode))
            if limit == MAX_BYTES and found.st_size > MAX_BYTES:
                raise TooLarge(
                    f"The file is larger than {MAX_BYTES // 2**20} MiB. Make the photo smaller and drop it again.",
                    f"{found.st_size} bytes",
                )
            return file.read(limit)
    except OSError as error:
        raise UnreadableFile(
            "The file cannot be read. Check that it still exists and that Beeldwacht may read it.",
            f"{type(error).__name__} {error.errno}",
        ) from error


@contextlib.contextmanager
def _pillow_limits(max_pixels: int) -> Iterator[None]:
    """Pillow's switches as we need them, whatever another library set them to, and back afterwards."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = max_pixels, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _decode(kind: Kind, data: bytes, max_pixels: int) -> Photo:
    shape = layout(kind, data, max_pixels)
    notes = list(shape.notes)
    if kind in (Kind.JPEG, Kind.PNG, Kind.GIF, Kind.WEBP):
        data = data[: shape.end]
    with _pillow_limits(max_pixels), Image.open(io.BytesIO(data), formats=_PLUGINS[kind]) as image:
        _check_size(image.width, image.height, max_pixels)
        name = image.format or kind.upper()
        pictures = max(shape.pictures, getattr(image, "n_frames", 1) if kind in _COUNTED else 1)
        if kind is Kind.TIFF:
            _refuse_raw(image)
        if kind is Kind.JPEG:
            notes += second_opinion(data)
        _load(kind, image)
        _check_size(image.width, image.height, max_pixels)
        orientation = _orientation(image, notes)
        if int(image.info.get("bit_depth") or 8) > 8 and not image.mode.startswith("I;16"):
            notes.append(f"{image.info['bit_depth']} bit reduced to 8")
        if pictures > 1:
            moving = kind in (Kind.GIF, Kind.PNG, Kind.WEBP)
            notes.append(
                f"animated: first of {pictures} frames only" if moving else f"first of {pictures} pictures only"
            )
        pixels, remarks = to_srgb(image, _colours(kind, image, data))
    pixels = _upright(pixels, orientation)
    pixels.flags.writeable = False
    return Photo(pixels, name, "PNG" if kind is Kind.PNG else "JPEG", (*notes, *remarks))


def _load(kind: Kind, image: Image.Image) -> None:
    if kind is not Kind.TIFF:
        image.load()
        return
    # libtiff goes on after some errors and leaves guessed pixels; what it then says on stderr is the only trace.
    with overheard() as lines:
        image.load()
    if lines:
        raise damaged(f"libtiff: {lines[0][:120]}")


def _colours(kind: Kind, image: Image.Image, data: bytes) -> Nclx | None:
    """What the file names its colours: of HEIF by the decoder, of AVIF from the container."""
    told = image.info.get("nclx_profile")
    if isinstance(told, dict):
        return Nclx(
            int(told.get("color_primaries", UNSPECIFIED)), int(told.get("transfer_characteristics", UNSPECIFIED))
        )
    return in_file(data) if kind is Kind.AVIF else None


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise too_many_pixels(width, height, max_pixels)
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels(
            f"The photo is {max(width, height)} pixels long; no JPEG can be longer than {MAX_SIDE}. Cut it into parts.",
            f"{width}x{height}",
        )


def _refuse_raw(image: Image.Image) -> None:
    """Raw files of cameras are TIFFs whose first page is a small preview: publishing that would surprise everyone."""
    tags = getattr(image, "tag_v2", {})
    if _DNG_VERSION in tags or int(tags.get(_SUBFILE_TYPE, 0)) & 1:
        raise UnsupportedFormat(
            "This is a camera's raw file. Export it as JPEG and drop it again.",
            "TIFF with DNGVersion or a preview first",
        )


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """The orientation 1 to 8 that is still to be applied (HEIF: already applied by its decoder, which leaves 1)."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception as error:  # noqa: BLE001 - a broken EXIF block says nothing about the pixels
        notes.append(f"EXIF is broken ({type(error).__name__}): taken as upright")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: RgbImage, orientation: int) -> RgbImage:
    """EXIF 2.32, tag 0x0112: which row and column the stored first row and column are."""
    turned = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }.get(orientation, lambda a: a)(pixels)
    return np.ascontiguousarray(turned)


# --- writing --------------------------------------------------------------------------------------------------


def encode(pixels: RgbImage, output_format: str, path: Path) -> None:
    """Write pixels ((height, width, 3) uint8, sRGB) as "JPEG" (quality 90, 4:4:4) or "PNG", fsynced.

    The file holds the pixels and a fixed sRGB profile (PNG: the sRGB chunk). An existing file at `path` is replaced;
    after an error there is none. Raises `WriteFailed`.
    """
    try:
        content = _encoded(pixels, output_format)
    except Exception as error:  # whatever the encoder says, nothing may be published
        raise WriteFailed(
            "The checked photo could not be put into a file. Report this with the log.",
            f"{type(error).__name__}: {error}",
        ) from error
    made = False
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o640), "wb", buffering=0) as file:  # noqa: PTH123 - flags
            made = True
            os.fchmod(file.fileno(), 0o640)  # also when the file was there already
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    except OSError as error:
        if made:
            with contextlib.suppress(OSError):
                path.unlink()
        raise WriteFailed(
            "The checked photo could not be written. Check that the disk is not full and the folder may be written to.",
            f"{type(error).__name__} {error.errno}: {error.strerror}",
        ) from error


def small_jpeg(pixels: RgbImage, longest: int, box: Sequence[float] | None = None) -> bytes:
    """A JPEG for a screen, at most `longest` pixels on its longer side; `box` limits it to a part of the picture."""
    height, width = pixels.shape[:2]
    image = Image.frombuffer("RGB", (width, height), np.ascontiguousarray(pixels), "raw", "RGB", 0, 1)
    if box is not None:
        left, top, right, bottom = (round(v) for v in box)
        image = image.crop((max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)))
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _encoded(pixels: RgbImage, output_format: str) -> bytes:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}")
    buffer = io.BytesIO()
    height, width = pixels.shape[:2]
    # A new image from raw bytes: nothing that Pillow remembers of a source can come along.
    image = Image.frombuffer("RGB", (width, height), np.ascontiguousarray(pixels), "raw", "RGB", 0, 1)
    if output_format == "JPEG":
        image.save(buffer, "JPEG", quality=90, subsampling=0, icc_profile=SRGB_PROFILE)
    elif output_format == "PNG":
        from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

        chunks = PngInfo()
        chunks.add(b"sRGB", b"\0")
        image.save(buffer, "PNG", compress_level=4, pnginfo=chunks)
    else:
        raise ValueError(f"output format {output_format}")
    return buffer.getvalue()
