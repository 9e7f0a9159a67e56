"""What a file is, by its first bytes and never by its name: the signatures of the formats' own specifications."""

from __future__ import annotations

import struct
from enum import StrEnum

from pipeline.reader.media_errors import DamagedFile, UnsupportedFormat

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_NO_BRANDS = {b"jp2 ", b"jpx ", b"jpm ", b"jxl ", b"crx ", b"jpxb", b"svg "}
_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "}
_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"pnot"}


class Kind(StrEnum):
    """What a file is, by its content."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    HEIF = "heif"
    AVIF = "avif"
    GIF = "gif"
    FILM = "film"
    AUDIO = "audio"


_PHOTOS = (
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),  # BigTIFF
    (b"MM\0+", Kind.TIFF),
)
_FILMS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV, WMA
    b".RMF",
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
)


def sniff(head: bytes) -> Kind:
    """The kind of a file from its first bytes (4096 are enough). Raises `UnsupportedFormat`, also for no bytes."""
    kind = _sniff_photo(head) or _sniff_film(head)
    if kind is not None:
        return kind
    if not head:
        raise DamagedFile(
            "The file is empty: the copy was probably interrupted. Copy it again from the camera or phone.", "0 bytes"
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b")):
        raise UnsupportedFormat(
            "This is an archive or a document, and not a photo or film. Unpack it and drop the photos and films that "
            "are in it; photos in a document: save them as JPEG first.",
            f"starts with {head[:12].hex(' ')}",
        )
    raise UnsupportedFormat(
        "This is not a photo in a format that can be checked (JPEG, PNG, WebP, TIFF, HEIC, AVIF or GIF), whatever its "
        "name says. Export it as JPEG and drop it again.",
        f"starts with {head[:12].hex(' ')}",
    )


def _sniff_photo(head: bytes) -> Kind | None:
    for start, kind in _PHOTOS:
        if head.startswith(start):
            # Canon's raw files are TIFFs with "CR" at byte 8: their first page is only a preview.
            return None if kind is Kind.TIFF and head[8:10] == b"CR" else kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.WEBP
    if head[4:8] == b"ftyp":
        size = min(max(struct.unpack(">I", head[:4])[0], 16), 256)
        brands = {head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))}
        if brands & _AVIF_BRANDS:
            return Kind.AVIF
        if brands & _HEIF_BRANDS:
            return Kind.HEIF
    return None


def _sniff_film(head: bytes) -> Kind | None:
    # Playlists (ffconcat, m3u8) are text that names other files; they are deliberately not among these.
    if head[4:8] == b"ftyp":
        if head[8:12] in _NO_BRANDS:
            return None
        return Kind.AUDIO if head[8:12] in _AUDIO_BRANDS else Kind.FILM
    film = (
        head[4:8] in _QUICKTIME_ATOMS
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head.startswith(_FILMS)
        or (len(head) > 376 and head[0] == head[188] == head[376] == 0x47)
        or (len(head) > 388 and head[4] == head[196] == head[388] == 0x47)
        or (head.startswith(b"OggS") and b"theora" in head[:512])
    )
    if film:
        return Kind.FILM
    sound = (
        head.startswith((b"OggS", b"fLaC", b"ID3", b"#!AMR", b"MThd", b"FORM"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WAVE")
        or (len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08)
    )
    return Kind.AUDIO if sound else None
