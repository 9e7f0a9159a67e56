"""Reading the boxes of an MP4 (ISO/IEC 14496-12) so strictly that whatever is not asked for is an error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Forbidden(Exception):
    """Something that must not be in a published film. The text says what and where."""


def demand(condition: bool, what: str) -> None:
    """Raise `Forbidden` with these words unless the condition holds."""
    if not condition:
        raise Forbidden(what)


class Reader:
    """Bytes of one box, taken from the front; what is left over at its end is forbidden."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._at, self.name = data, 0, name

    def take(self, count: int) -> bytes:
        """So many bytes, whatever they are."""
        piece = self._data[self._at : self._at + count]
        demand(len(piece) == count, f"{self.name} is cut off")
        self._at += count
        return piece

    def number(self, count: int) -> int:
        """A whole number of so many bytes, the highest first."""
        return int.from_bytes(self.take(count), "big")

    def exactly(self, *allowed: bytes) -> None:
        """One of these, all of one length."""
        demand(self.take(len(allowed[0])) in allowed, f"{self.name} holds something unusual")

    def table(self, columns: int, width: int = 4) -> NDArray[np.int64]:
        """A count and then so many rows of whole numbers, to the end of the box; shape (count, columns)."""
        rows = self.number(4)
        values = np.frombuffer(self.take(rows * columns * width), f">u{width}").astype(np.int64)
        self.end()
        return values.reshape(rows, columns)

    def boxes(self) -> list[tuple[str, bytes]]:
        """The boxes that fill the rest."""
        found = []
        while self.left:
            size, name = self.number(4), self.take(4).decode("latin-1")
            demand(size >= 8, f"a box of {size} bytes in {self.name}")
            found.append((name, self.take(size - 8)))
        return found

    def named(self, *expected: str) -> dict[str, Reader]:
        """The boxes that fill the rest: these names in this order, those in brackets may be missing."""
        found = self.boxes()
        wanted, got = iter(expected), {}
        for name, body in found:
            hit = next((w for w in wanted if w.strip("[]") == name or not w.startswith("[")), None)
            demand(hit is not None and hit.strip("[]") == name, f"box {name!r} in {self.name}")
            got[name] = Reader(body, name)
        missing = next((w for w in wanted if not w.startswith("[")), None)
        demand(missing is None, f"no {missing} in {self.name}")
        return got

    @property
    def left(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Nothing may be left."""
        demand(self.left == 0, f"{self.left} bytes more than {self.name} has")
