"""Whether two readings of a film gave the same pictures.

What was found in one reading is covered in the next. A damaged film can decode to other pictures, or to others at other
times, without an error: decoders conceal damage, and their threads do not always agree on how.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from pipeline.domain.film import Frame

_EVERY = 8  # rows: decoders conceal damage in blocks of 16


class Fingerprint:
    """A running sum (CRC-32) over every eighth row of each frame of one reading."""

    def __init__(self) -> None:
        self.value = 0

    def over(self, frames: Iterable[tuple[int, Frame]]) -> Iterator[tuple[int, Frame]]:
        """The frames as they come, each added to the sum."""
        for number, frame in frames:
            self.value = zlib.crc32(frame[::_EVERY].tobytes(), self.value)
            yield number, frame
