"""The containers of photos: where the main image ends, and whether it is complete.

Written from the formats' own specifications: JPEG ITU-T T.81 annex B, PNG (W3C, third edition), GIF89a, WebP
(RFC 9649), ISO base media ISO/IEC 14496-12 (HEIF ISO/IEC 23008-12, AVIF). Nothing here decodes pixels, so that a
cut-off file or a bomb is refused before a decoder sees it. Works on the bytes of the whole file; errors are
`MediaError`s, and an IndexError or struct.error of a lying header is turned into one by the caller.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from pipeline.reader.file_signatures import Kind
from pipeline.reader.media_errors import UnsupportedFormat, damaged, too_many_pixels

MAX_SCANS = 100
"""A progressive JPEG has about ten scans; hundreds of them only serve to keep a decoder busy."""
MAX_WORK = 2_500_000_000
"""Scans times pixels: 25 scans of the largest photo. Every scan goes over all pixels, however few bytes it has."""

_HOLE = 512
"""Zero bytes at the end of a compressed picture from which on they are a hole and not padding (which is a few)."""

_ENTROPY_END = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
_BOX_NAME = re.compile(rb"[\x20-\x7e]{4}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the main image ends (offset of the first byte behind it), pictures in the file, and remarks."""

    end: int
    pictures: int = 1
    notes: tuple[str, ...] = ()


def layout(kind: Kind, data: bytes, max_pixels: int) -> Layout:
    """Walk the container of a photo. Raises `DamagedFile`, `UnsupportedFormat` or `TooManyPixels`."""
    try:
        if kind is Kind.JPEG:
            found = _Jpeg(data, max_pixels).walk()
        elif kind is Kind.PNG:
            found = _png(data, max_pixels)
        elif kind is Kind.GIF:
            found = _gif(data)
        elif kind is Kind.WEBP:
            found = _webp(data)
        elif kind in (Kind.HEIF, Kind.AVIF):
            found = _boxes(data)
        else:
            return Layout(len(data))  # TIFF has no end: its directories may lie anywhere
    except (IndexError, ValueError, struct.error, zlib.error) as error:
        raise damaged(f"{kind} container: {type(error).__name__}: {error}") from error
    if kind in (Kind.WEBP, Kind.HEIF, Kind.AVIF) and data[found.end - _HOLE : found.end] == bytes(_HOLE):
        # Some copiers set the size first and fill in the bytes later; decoders paint what is missing as they like.
        raise damaged(f"{kind}: ends in zeros, not completely copied")
    rest = data[found.end :]
    if not rest.strip(b"\0"):
        return found
    return Layout(
        found.end, found.pictures, (*found.notes, f"{len(rest)} bytes behind the image dropped{_guess(rest)}")
    )


def _guess(rest: bytes) -> str:
    head = rest[:65536]
    if b"ftyp" in head or b"MotionPhoto" in head:
        return " (film of a motion photo)"
    if b"\xff\xd8\xff" in head:
        return " (further pictures)"
    return ""


class _Jpeg:
    """One walk through a JPEG's segments, up to its end marker."""

    def __init__(self, data: bytes, max_pixels: int) -> None:
        self.data = data
        self.max_pixels = max_pixels
        self.scans = 0
        self.progressive = False
        self.pixels = 0
        self.missing: dict[int, list[int]] = {}
        """Per colour, for each of the 64 coefficients, how many low bits no scan has brought yet."""

    def walk(self) -> Layout:
        """Segment by segment. Bytes between segments are passed over, as libjpeg does (and says: see complaints)."""
        data, at, notes = self.data, 2, list[str]()
        while True:
            start = data.find(b"\xff", at)
            if start < 0:
                raise damaged("JPEG: no end marker")
            while data[start] == 0xFF:
                start += 1
            marker, at = data[start], start + 1
            if marker == 0xD9:
                return self._end(at, notes)
            if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD7:
                continue
            if marker == 0xD8:
                raise damaged("JPEG: a second picture begins inside the first")
            length = struct.unpack_from(">H", data, at)[0]
            if length < 2 or at + length > len(data):
                raise damaged(f"JPEG: segment {marker:02x} is cut off")
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                self._frame(marker, data[at + 2 : at + length])
            if marker == 0xEB and b"c2pa" in data[at : at + 256]:
                notes.append("C2PA manifest removed")
            at += length
            if marker == 0xDA:
                at = self._scan(data[at - length + 2 : at], at)

    def _frame(self, marker: int, body: bytes) -> None:
        if self.missing or body[0] != 8 or marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
            raise UnsupportedFormat(
                "This is a rare kind of JPEG (12 bits, lossless or with several frames) that cannot be read. Export it "
                "as an ordinary JPEG and drop it again.",
                f"SOF{marker - 0xC0}, {body[0]} bits, second frame: {bool(self.missing)}",
            )
        self.progressive = marker in (0xC2, 0xCA)
        height, width = struct.unpack_from(">HH", body, 1)
        self.pixels = width * height
        if self.pixels > self.max_pixels:
            raise too_many_pixels(width, height, self.max_pixels)
        self.missing = {body[6 + 3 * i]: [99] * 64 for i in range(body[5])}

    def _scan(self, header: bytes, at: int) -> int:
        self.scans += 1
        if self.scans > MAX_SCANS or self.scans * self.pixels > MAX_WORK:
            raise damaged(f"JPEG: {self.scans} scans of {self.pixels} pixels")
        colours = header[1 : 1 + 2 * header[0] : 2]
        first, last, bits = header[1 + 2 * header[0] : 4 + 2 * header[0]]
        for colour in colours:
            if colour not in self.missing or (self.progressive and not first <= last <= 63):
                raise damaged("JPEG: a scan does not belong to the picture")
            for k in range(first, last + 1) if self.progressive else range(64):
                self.missing[colour][k] = bits & 15 if self.progressive else 0
        end = _ENTROPY_END.search(self.data, at)
        if end is None:
            raise damaged("JPEG: cut off in the picture, no end marker")
        return end.start()

    def _end(self, at: int, notes: list[str]) -> Layout:
        # A progressive picture without its last scans decodes without a murmur, only blurred.
        if not self.scans or any(any(bits) for bits in self.missing.values()):
            raise damaged("JPEG: ends before its last scan")
        return Layout(at, notes=tuple(notes))


def _png_bytes(header: bytes) -> int:
    """How many bytes the rows of this picture take, filter bytes included (with Adam7 when interlaced)."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if not channels or depth not in (1, 2, 4, 8, 16) or interlace > 1 or not width or not height:
        raise damaged("PNG: impossible header")
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for x, y, dx, dy in passes:
        columns, rows = -(-(width - x) // dx) if width > x else 0, -(-(height - y) // dy) if height > y else 0
        if columns > 0:
            total += rows * (1 + (columns * channels * depth + 7) // 8)
    return total


def _png(data: bytes, max_pixels: int) -> Layout:
    at, pictures, still, wanted, got = 8, 0, 0, -1, 0
    inflate = zlib.decompressobj()
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        crc = struct.unpack_from(">I", data, at + 8 + length)[0]
        if zlib.crc32(body, zlib.crc32(name)) != crc:
            raise damaged("PNG: a checksum is wrong")
        at += 12 + length
        if wanted < 0:
            if name != b"IHDR" or length != 13:
                raise damaged("PNG: does not begin with its header")
            width, height = struct.unpack_from(">II", body)
            if width * height > max_pixels:
                raise too_many_pixels(width, height, max_pixels)
            wanted = _png_bytes(body)
        elif name == b"fcTL":
            pictures += 1
        elif name == b"IDAT":
            if not pictures:
                still = 1  # a picture beside the animation, for readers that know none
            while body and not inflate.eof and got <= wanted:
                got += len(inflate.decompress(body, 1 << 20))
                body = inflate.unconsumed_tail
        elif name == b"IEND":
            if got < wanted:
                raise damaged(f"PNG: {got} of {wanted} bytes of picture")
            return Layout(at, pictures + still)


def _gif_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


def _gif(data: bytes) -> Layout:
    at, pictures = 13, 0
    if data[10] & 0x80:
        at += 3 << ((data[10] & 7) + 1)
    while True:
        block = data[at]
        if block == 0x3B:
            if not pictures:
                raise damaged("GIF: no picture in it")
            return Layout(at + 1, pictures)
        if block == 0x21:
            at = _gif_blocks(data, at + 2)
        elif block == 0x2C:
            pictures += 1
            flags = data[at + 9]
            at = _gif_blocks(data, at + 11 + ((3 << ((flags & 7) + 1)) if flags & 0x80 else 0))
        else:
            raise damaged(f"GIF: block {block:02x} does not exist")


def _webp(data: bytes) -> Layout:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise damaged(f"WebP: {len(data)} of {end} bytes")
    at, frames = 12, 0
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise damaged("WebP: a chunk is cut off")
        frames += name == b"ANMF"
        at += 8 + length + (length & 1)
    return Layout(end, max(1, frames))


def _boxes(data: bytes) -> Layout:
    at, seen = 0, set[bytes]()
    notes: list[str] = []
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size == 1:
            size = struct.unpack_from(">Q", data, at + 8)[0]
        elif size == 0:
            size = len(data) - at
        if size < 8 or not _BOX_NAME.fullmatch(name):
            break  # not a box: bytes behind the image
        if at + size > len(data):
            if {b"meta", b"mdat"} <= seen:
                break
            raise damaged(f"a box of {size} bytes is cut off")
        if name not in (b"ftyp", b"meta", b"mdat", b"free", b"skip", b"moov"):
            what = " (film of a motion photo)" if name == b"mpvd" else ""
            notes.append(f"{size} bytes beside the image dropped{what}")
        seen.add(name)
        at += size
    if b"meta" not in seen and b"moov" not in seen:
        raise damaged("no description of the picture (box meta)")
    return Layout(at, notes=tuple(notes))
