"""Moving pictures that Pillow reads (GIF, APNG, animated WebP), as films without sound. Runs in the child only.

Pillow puts each frame together (what stays of the one before, what is transparent); transparent places become white, as
on a page. Each frame is shown for as long as it says, once through, at a constant rate.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from pipeline.domain.film import FilmFacts, FilmLimits, Frame
from pipeline.reader.film.rates import STANDARD
from pipeline.reader.media_errors import MediaError, TooManyPixels, UnsupportedFormat, damaged_film, film_too_long

_PLUGINS = {"gif": "GIF", "png": "PNG", "webp": "WEBP"}
_MAX_PICTURES = 20_000
_RATE = Fraction(25)
_SHORTEST = 11  # milliseconds; browsers show what is shorter, and what says nothing, for a tenth of a second
_UNSAID = 100


def probe_animation(path: Path, family: str, limits: FilmLimits) -> FilmFacts:
    """What an animation is; every one of its pictures is put together once for that.

    Raises `UnsupportedFormat` for one that does not move, `DamagedFilm`, `FilmTooLong` and `TooManyPixels`.
    """
    with _opened(path, family) as image:
        width, height = image.size
        if width * height > limits.pixels:
            raise TooManyPixels(
                f"The animation's picture is {width} x {height} pixels, more than the {limits.pixels / 1e6:g} million "
                "that are taken. Export it smaller and drop it again.",
                f"{width}x{height}",
            )
        if not getattr(image, "is_animated", False):
            raise UnsupportedFormat("This is a picture that does not move. Drop it as a photo.", "one frame")
        shown: list[int] = []
        first, promised = _first(image), getattr(image, "n_frames", 1)
        for number in range(first, _MAX_PICTURES + 1):
            try:
                image.seek(number)
            except EOFError:
                break
            shown.append(_milliseconds(image))
            if number == _MAX_PICTURES or sum(shown) > limits.seconds * 1000:
                raise film_too_long(sum(shown) / 1000, limits.seconds)
    if first + len(shown) < promised:
        raise damaged_film(f"{len(shown)} of {promised - first} pictures")
    duration, upright = sum(shown) / 1000, (width, height)
    small = max(upright) <= 1024 and min(upright) <= 576
    return FilmFacts(
        family,
        width + width % 2,
        height + height % 2,
        _rate(shown, limits.rate),
        duration,
        False,
        video_codec=family,
        video_stream=0,
        video_end=duration,
        upright=upright,
        matrix="smpte170m" if small else "bt709",
        notes=(f"an animation of {len(shown)} pictures, played once",),
    )


def read_animation(path: Path, facts: FilmFacts, only: Collection[int] | None) -> Iterator[tuple[int, Frame]]:
    """Its frames at the constant rate; as `pipeline.reader.film.frames.read_frames`."""
    total = max(1, round(facts.video_end * facts.rate))
    last = total - 1 if only is None else min(total - 1, max(only, default=-1))
    number, until = 0, 0
    with _opened(path, facts.family) as image:
        picture = _first(image)
        while number <= last:
            try:
                image.seek(picture)
            except EOFError as error:
                raise damaged_film(f"{picture} pictures end before {float(facts.video_end):g} s") from error
            until += _milliseconds(image)
            picture += 1
            # A picture is in the frames whose moment comes before its end; one too short for any is not shown.
            stop = min(last + 1, max(number, -(-until * facts.rate // 1000)))
            frame = None
            for shown in range(number, stop):
                if only is None or shown in only:
                    if frame is None:
                        frame = _i420(image, facts)
                    yield shown, frame
            number = stop


def _rate(shown: list[int], highest: int) -> Fraction:
    """A standard rate at which every picture lasts a whole number of frames, or else 25."""
    allowed = [r for r in STANDARD if r <= highest]
    exact = (r for r in allowed if all((ms * r) % 1000 == 0 for ms in set(shown)))
    return next(exact, min(_RATE, Fraction(highest)))


def _first(image: Image.Image) -> int:
    """The first picture that moves: an APNG may have one before it, for programs that show only one."""
    return 1 if image.info.get("default_image") else 0


def _milliseconds(image: Image.Image) -> int:
    image.load()  # WebP tells only then
    said = image.info.get("duration", 0)
    value = round(said) if isinstance(said, (int, float)) and said == said else 0  # noqa: PLR0124 - NaN
    return value if value >= _SHORTEST else _UNSAID


def _i420(image: Image.Image, facts: FilmFacts) -> Frame:
    if image.size != facts.upright:
        raise damaged_film(f"a picture of {image.size} in an animation of {facts.upright}")
    if image.mode[0] in "IF":
        raise UnsupportedFormat("An animation in 16 bit grey is not read. Export it as MP4.", f"mode {image.mode}")
    drawn = image.convert("RGBA")
    page = Image.new("RGBA", drawn.size, (255, 255, 255, 255))
    page.alpha_composite(drawn)
    rgb = np.asarray(page)[:, :, :3]
    right, bottom = facts.width - facts.upright[0], facts.height - facts.upright[1]
    rgb = np.pad(rgb, ((0, bottom), (0, right), (0, 0)), mode="edge")
    frame: Frame = _to_i420(rgb, facts.matrix)
    frame.flags.writeable = False
    return frame


def _to_i420(rgb: Frame, matrix: str) -> Frame:
    """Limited range (ITU-R BT.601 or BT.709), each colour sample the mean of four pixels."""
    red, blue = (0.299, 0.114) if matrix == "smpte170m" else (0.2126, 0.0722)
    colours = np.array(
        [
            [red * 219, (1 - red - blue) * 219, blue * 219],
            [-red / (1 - blue) * 112, -(1 - red - blue) / (1 - blue) * 112, 112],
            [112, -(1 - red - blue) / (1 - red) * 112, -blue / (1 - red) * 112],
        ],
        np.float32,
    )
    yuv = cv2.transform(rgb.astype(np.float32), colours / np.float32(255))
    height, width = rgb.shape[:2]
    half = cv2.resize(yuv[:, :, 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    frame = np.empty((height * 3 // 2, width), np.uint8)
    frame[:height] = np.clip(np.rint(yuv[:, :, 0]) + 16, 16, 235)
    planes = np.clip(np.rint(half) + 128, 16, 240).astype(np.uint8)
    frame[height:] = np.moveaxis(planes, 2, 0).reshape(-1, width)
    return frame


@contextlib.contextmanager
def _opened(path: Path, family: str) -> Iterator[Image.Image]:
    """The file in Pillow, which must not guess; whatever it throws means that the file is damaged."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[_PLUGINS[family]]) as image:
                yield image
    except (MediaError, MemoryError, GeneratorExit):
        raise
    except UnidentifiedImageError as error:
        raise damaged_film("no decoder accepts it") from error
    except Exception as error:  # decoders fail in every way there is; each means: not this file
        raise damaged_film(f"{type(error).__name__}: {str(error)[:200]}") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
