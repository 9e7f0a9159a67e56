"""What C libraries say on stderr while they decode: for some damage that is the only trace.

libjpeg and libtiff go on after errors in the picture and fill the rest with guesses. Pillow keeps libjpeg quiet, so a
JPEG is read once more, small and grey, by OpenCV's libjpeg, which does not. Used in the child process only: file
descriptor 2 of the whole process is moved aside meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import sys
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from pipeline.reader.media_errors import CheckUnavailable, damaged

_STRAY = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_TOLERATED = 16
"""Some cameras leave a few bytes between the picture and its end marker; more is a scan that lost its step."""


@contextlib.contextmanager
def overheard() -> Iterator[list[str]]:
    """Collect the lines written to file descriptor 2 inside the block; the list is complete after it."""
    lines: list[str] = []
    sys.stderr.flush()
    reader, writer = os.pipe()
    # A library that complains without end must not fill the pipe and wait for a reader: what is too much is lost.
    os.set_blocking(writer, False)
    kept = os.dup(2)
    try:
        os.dup2(writer, 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(writer)
            with open(os.dup(reader), "rb") as heard:  # noqa: PTH123 - a descriptor
                lines += [line for line in heard.read().decode("ascii", "replace").splitlines() if line.strip()]
    finally:
        os.close(kept)
        os.close(reader)


def second_opinion(data: bytes) -> list[str]:
    """Remarks about a JPEG (its bytes up to the end marker). Raises `DamagedFile` for what libjpeg had to guess.

    Only bytes that begin with the JPEG signature come here, so no other decoder of OpenCV can be reached.
    """
    _prove()
    complaint, decoded = _complaint(data)
    stray = _STRAY.fullmatch(complaint)
    if stray and int(stray[1]) <= _TOLERATED:
        return [f"{int(stray[1])} stray bytes before the end of the image"]
    if complaint or not decoded:
        raise damaged(f"libjpeg: {complaint[:120] or 'not decodable'}")
    return []


def _complaint(data: bytes) -> tuple[str, bool]:
    """libjpeg's first warning, and whether it decodes the picture at all."""
    small = None
    with overheard() as lines, contextlib.suppress(cv2.error):
        flags = cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION
        small = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return next((line.strip() for line in lines if "JPEG" in line or "Premature" in line), ""), small is not None


@functools.cache
def _prove() -> None:
    """Prove once per process, on a JPEG cut in half, that the second opinion notices anything at all."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)).save(buffer, "JPEG")
    whole = buffer.getvalue()
    if _complaint(whole) != ("", True) or not _complaint(whole[: len(whole) // 2] + b"\xff\xd9")[0]:
        raise CheckUnavailable(
            "This installation cannot tell damaged JPEG files from good ones, so it takes none. Install "
            "opencv-python-headless from its official wheel.",
            "OpenCV's JPEG decoder reports no warnings",
        )
