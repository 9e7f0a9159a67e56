"""Which demuxer may read a film: decided here by the file's first bytes, and forced, so that ffmpeg never guesses.

Only formats that hold their own data are among them. Playlists and lists of parts (m3u8, ffconcat, ASX, DASH), which
name other files, are text and have no entry; neither have bare streams without times (MPEG video alone, H.264 alone).
"""

from __future__ import annotations

_STARTS = (
    (b"\x1a\x45\xdf\xa3", "matroska"),  # Matroska, WebM
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),  # WMV, WMA
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"#!AMR", "amr"),
    (b"ID3", "mp3"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x89PNG\r\n\x1a\n", "png"),
)
_MOV_ATOMS = {b"ftyp", b"moov", b"mdat", b"wide", b"pnot", b"free", b"skip"}
_RIFF = {b"AVI ": "avi", b"WAVE": "wav", b"WEBP": "webp"}
_AIFF = {b"AIFF", b"AIFC"}

ANIMATIONS = frozenset({"gif", "png", "webp"})
"""Families that Pillow reads, not ffmpeg."""


def family_of(head: bytes) -> str | None:
    """The demuxer for a file that starts with these bytes (4096 are enough), or None for one that is not read."""
    for start, family in _STARTS:
        if head.startswith(start):
            return _behind_id3(head) if family == "mp3" else family
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM":
        return "aiff" if head[8:12] in _AIFF else None
    if head[4:8] in _MOV_ATOMS:
        return "mov"
    return _by_rhythm(head)


def _by_rhythm(head: bytes) -> str | None:
    """Formats without a signature: packets that start with the same byte, or frames that start with the same bits."""
    # M2TS of camcorders has four bytes of time before each packet.
    for first, step in ((0, 188), (4, 192)):
        if len(head) > first + 2 * step and all(head[first + step * i] == 0x47 for i in range(3)):
            return "mpegts"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        if head[1] & 0xF6 == 0xF0:
            return "aac"
        return "mp3" if head[1] & 0x06 else None
    return None


def _behind_id3(head: bytes) -> str:
    """An ID3 tag stands before MP3, and before AAC of some programs."""
    if len(head) < 10:
        return "mp3"
    size = 10 + sum((head[6 + i] & 0x7F) << (21 - 7 * i) for i in range(4))
    return "aac" if size + 1 < len(head) and head[size] == 0xFF and head[size + 1] & 0xF6 == 0xF0 else "mp3"
