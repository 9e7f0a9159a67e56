"""Whether a file looks finished, by what its own format says of its end: an upload may pause for minutes.

Only a few bytes are read, and none is believed further than that: what does not look whole waits a little longer.
"""

from __future__ import annotations

import os
import struct
from itertools import islice

_TAIL = (1 << 16) + 22  # the longest comment of a ZIP, and what it stands in
_HEAD, _PAGE = 256, 4096
_MOST_BOXES = 20_000  # of a film in fragments; what has more is taken by size and time alone
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND"}
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_LISTS = {b"moov", b"meta"}  # what says where the pictures of a film (or of a HEIC, an AVIF) are
_STARTS = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def looks_whole(fd: int, size: int) -> bool:
    """Whether a file has the end that its format asks for; where the format has none: whether there is anything.

    JPEG and PNG: the end marker; MP4, MOV, HEIC and AVIF: every box to its end, and the one that lists the rest;
    Matroska and WebM: the segment to its end; AVI, WAV and WebP: as long as they say; ZIP: the central directory.
    """
    head = os.pread(fd, _HEAD, 0)
    if head[:8] in _ENDS or head[:3] in _ENDS:
        end = _ENDS.get(head[:8]) or _ENDS[head[:3]]
        return end in os.pread(fd, _TAIL, max(0, size - _TAIL))
    if size >= _PAGE and not any(os.pread(fd, _PAGE, size - _PAGE)):
        return False  # room that was set apart before the bytes came
    return _by_length(fd, size, head)


def _by_length(fd: int, size: int, head: bytes) -> bool:
    if head[4:8] in _STARTS:
        return _boxes(fd, size)
    if head[:4] == _EBML:
        return _segment(head, size)
    if head[:4] == b"RIFF" and len(head) > 12:
        return 12 <= int.from_bytes(head[4:8], "little") + 8 <= size
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return _directory(os.pread(fd, _TAIL, max(0, size - _TAIL)), size)
    return size > 0


def _boxes(fd: int, size: int) -> bool:
    """ISO/IEC 14496-12, 4.2: boxes of a length each, one behind the other."""
    at = 0
    kinds: set[bytes] = set()
    for _ in islice(iter(int, 1), _MOST_BOXES):
        if at == size:
            break
        header = os.pread(fd, 16, at)
        if len(header) < 8:
            return False
        length, kind = struct.unpack(">I4s", header[:8])
        if not (kind.isascii() and kind.isalnum()) and kinds & _LISTS:
            break  # something else behind the film, as some phones add it
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:])[0]
        elif length == 0:
            length = size - at if kind != b"\0\0\0\0" else 0  # to the end of the file
        if length < 8 or at + length > size:
            return False
        kinds.add(kind)
        at += length
    return bool(kinds & _LISTS)


def _segment(head: bytes, size: int) -> bool:
    """RFC 8794 and RFC 9559: the EBML header, then one segment; its length is unknown until it is finished."""
    found = _vint(head, 4)
    if found is None:
        return False
    at = found[1] + (found[0] or 0)
    if head[at : at + 4] != _SEGMENT:
        return len(head) == _HEAD  # a longer header than is looked at: by size and time alone
    found = _vint(head, at + 4)
    return found is not None and found[0] is not None and found[1] + found[0] <= size


def _vint(data: bytes, at: int) -> tuple[int | None, int] | None:
    """A length of EBML (None: unknown) and where it ends; None where there is none."""
    if at >= len(data) or not data[at]:
        return None
    width = 9 - data[at].bit_length()
    bits = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    if at + width > len(data):
        return None
    return None if bits == (1 << 7 * width) - 1 else bits, at + width


def _directory(tail: bytes, size: int) -> bool:
    """APPNOTE.TXT 4.3.16: the record at the end, with its comment to the last byte, and the directory before it."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return False
    length, offset, comment = (int(n) for n in struct.unpack("<IIH", tail[at + 12 : at + 22]))
    place = size - len(tail) + at
    return at + 22 + comment <= len(tail) and (offset == 0xFFFFFFFF or offset + length <= place)
