"""What may be in a published file, and nothing else: a strict reader of JPEG and PNG with an allow-list.

It knows the formats only as far as `media.encode` uses them (JPEG: ITU-T T.81 annex B, JFIF 1.0x, ICC.1 annex B.4;
PNG: W3C third edition) and accounts for every byte from the first to the last, so there is no place left where
metadata, a thumbnail, a second picture or a film could be. It shares no code with the decoder or the encoder.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from pipeline.domain.types import Check
from pipeline.reader.photo_colour import SRGB_PROFILE

_JFIF_HEADS = (b"JFIF\0\x01\x01", b"JFIF\0\x01\x02")
_ICC_SEGMENT = b"ICC_PROFILE\0\x01\x01" + SRGB_PROFILE
_NAMES = {
    0xE1: "EXIF or XMP",
    0xE2: "a second APP2 (MPF or another profile)",
    0xED: "IPTC",
    0xEE: "Adobe",
    0xFE: "comment",
}


class _Forbidden(Exception):
    """Something that must not be in a published file. The text says what and where."""


def scan_output(path: Path) -> list[Check]:
    """Look at every byte of a published file. One check per promise; a file that cannot be read fails them all."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return [Check("file_readable", False, f"{type(error).__name__} {error.errno}")]
    try:
        if data.startswith(b"\xff\xd8"):
            end, parts = _jpeg(data)
        elif data.startswith(b"\x89PNG\r\n\x1a\n"):
            end, parts = _png(data)
        else:
            return [Check("only_allowed_parts", False, "neither JPEG nor PNG")]
    except _Forbidden as error:
        return [Check("only_allowed_parts", False, str(error))]
    except (IndexError, struct.error, zlib.error) as error:
        return [Check("only_allowed_parts", False, f"cut off or malformed ({type(error).__name__})")]
    behind = len(data) - end
    return [
        Check("only_allowed_parts", True, parts),
        Check("nothing_behind_image", behind == 0, f"{behind} bytes behind the image"),
    ]


def _demand(condition: bool, what: str) -> None:
    if not condition:
        raise _Forbidden(what)


def _jpeg(data: bytes) -> tuple[int, str]:
    at = 2
    seen: list[int] = []
    while True:
        _demand(data[at] == 0xFF, f"no marker at byte {at}")
        marker = data[at + 1]
        length = struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + length]
        _demand(length >= 2 and len(body) == length - 2, f"segment {marker:02x} is cut off")
        _jpeg_segment(marker, body, seen)
        seen.append(marker)
        at += 2 + length
        if marker == 0xDA:
            break
    for needed, name in (
        (0xE0, "JFIF header"),
        (0xE2, "sRGB profile"),
        (0xDB, "quantisation"),
        (0xC0, "frame"),
        (0xC4, "Huffman"),
    ):
        _demand(needed in seen, f"no {name} in it")
    while True:
        at = data.find(b"\xff", at)
        _demand(0 <= at < len(data) - 1, "no end marker")
        following = data[at + 1]
        if following == 0xD9:
            return at + 2, f"{len(seen)} segments"
        _demand(following == 0 or 0xD0 <= following <= 0xD7, f"marker {following:02x} inside the picture at byte {at}")
        at += 2


def _jpeg_segment(marker: int, body: bytes, seen: list[int]) -> None:
    once = marker not in (0xDB, 0xC4)
    _demand(not once or marker not in seen, f"{_NAMES.get(marker, f'a second segment {marker:02x}')}")
    if marker == 0xE0:
        _demand(
            len(body) == 14 and body[:7] in _JFIF_HEADS and body[12:] == b"\0\0",
            "JFIF with a thumbnail or unknown APP0",
        )
        _demand(body[7:12] == b"\0\0\x01\0\x01", "JFIF with a resolution")
        _demand(not seen, "JFIF not first")
    elif marker == 0xE2:
        _demand(body == _ICC_SEGMENT, "a colour profile that is not ours, or MPF")
    elif marker == 0xDB:
        _demand(len(body) % 65 == 0 and all(body[i] < 4 for i in range(0, len(body), 65)), "odd quantisation table")
    elif marker == 0xC4:
        rest = body
        while rest:
            _demand(len(rest) >= 17 and rest[0] & 0xEC == 0, "odd Huffman table")
            size = 17 + sum(rest[1:17])
            _demand(size <= len(rest) and size <= 17 + 256, "odd Huffman table")
            rest = rest[size:]
    elif marker == 0xC0:
        _demand(len(body) == 15 and body[0] == 8 and body[5] == 3, "not 8 bit with three colours")
        _demand(all(body[7 + 3 * i] == 0x11 for i in range(3)), "colours are subsampled")
    elif marker == 0xDD:
        _demand(len(body) == 2, "odd restart interval")
    elif marker == 0xDA:
        _demand(len(body) == 10 and body[0] == 3 and body[7:] == b"\0\x3f\0", "odd scan")
    else:
        raise _Forbidden(f"{_NAMES.get(marker, 'unknown')} segment {marker:02x}")


def _png(data: bytes) -> tuple[int, str]:
    at, inflate, got, wanted = 8, zlib.decompressobj(), 0, 0
    seen: list[bytes] = []
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        _demand(len(body) == length, "cut off")
        _demand(
            zlib.crc32(body, zlib.crc32(name)) == struct.unpack_from(">I", data, at + 8 + length)[0], "wrong checksum"
        )
        at += 12 + length
        shown = name.decode("ascii", "replace")
        _demand(name in (b"IHDR", b"sRGB", b"IDAT", b"IEND"), f"chunk {shown}")
        _demand((name == b"IHDR") == (not seen), "header not first")
        _demand(name == b"IDAT" or name not in seen, f"a second chunk {shown}")
        if name == b"IHDR":
            width, height, *rest = struct.unpack(">IIBBBBB", body)
            _demand(rest == [8, 2, 0, 0, 0] and width > 0 and height > 0, "not 8 bit RGB without interlace")
            wanted = height * (1 + 3 * width)
        elif name == b"sRGB":
            _demand(body == b"\0" and b"IDAT" not in seen, "odd sRGB chunk")
        elif name == b"IDAT":
            while body:
                _demand(not inflate.eof, "bytes behind the picture's data")
                got += len(inflate.decompress(body, 1 << 20))
                _demand(got <= wanted, "more data than the picture needs")
                body = inflate.unconsumed_tail or inflate.unused_data
        else:
            _demand(length == 0 and b"sRGB" in seen, "odd end, or no sRGB chunk")
            # A last call fetches what zlib still holds; then the stream must be exactly as long as the picture.
            got += len(inflate.flush())
            _demand(inflate.eof and got == wanted and not inflate.unused_data, "not exactly one picture's data")
            return at, f"{len(seen) + 1} chunks"
        seen.append(name)
