"""What may be in a published film, and nothing else: a strict reader of MP4 and M4A with an allow-list.

It knows the format (ISO/IEC 14496-12, -14 and -15; H.264 for the units of a sample) only as far as a plain film needs
it and accounts for every byte: each box and each field of the index has one allowed form, and the data is made of the
samples of the one picture track and the one sound track, without a gap before, between or behind them. It shares no
code with the encoder.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import Check
from pipeline.reader.film.mp4_boxes import Forbidden, Reader, demand

_MAX_INDEX = 256 << 20
_IDENTITY = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_BRANDS = {b"isom\0\0\x02\0isomiso2avc1mp41": True, b"M4A \0\0\x02\0M4A isomiso2": False}
"""The two first boxes there are, and whether the file then has a picture."""

_EMPTY_META = bytes.fromhex(
    "000000000000002168646c7200000000000000006d6469726170706c00000000000000000000000008696c7374"
)
"""A list of tags without a tag."""

_HANDLERS = {
    True: b"\0" * 8 + b"vide" + b"\0" * 12 + b"VideoHandler\0",
    False: b"\0" * 8 + b"soun" + b"\0" * 12 + b"SoundHandler\0",
}
_OWN_DATA = bytes.fromhex("0000001c6472656600000000000000010000000c75726c2000000001")
"""The data of the track is in this file, and in no other."""

_COMPRESSORS = (b"\x0cLavc libx264".ljust(32, b"\0"), b"\0" * 32)
_AAC_DELAY = 1024
_AAC_ROLL = bytes.fromhex("01000000726f6c6c0000000200000001ffff")
_SLICE, _KEY_SLICE, _SEQUENCE, _PICTURE = 1, 5, 7, 8  # H.264 table 7-1


@dataclass(frozen=True, slots=True)
class _Track:
    picture: bool
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]


def scan_film(path: Path) -> list[Check]:
    """Look at every byte of a published film or recording. A file that cannot be read fails every promise."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            tracks, data, end = _file(file.fileno(), size)
            names = " and ".join("picture" if t.picture else "sound" for t in tracks)
            parts = Check("only_allowed_parts", True, f"{names}, {sum(len(t.sizes) for t in tracks)} samples")
            return [
                parts,
                Check("nothing_behind_film", end == size, f"{size - end} bytes behind the film"),
                _attempt("nothing_between_samples", lambda: _tiling(tracks, data, end)),
                _attempt("only_picture_units", lambda: _units(file.fileno(), tracks)),
            ]
    except OSError as error:
        return [Check("file_readable", False, f"{type(error).__name__} {error.errno}")]
    except Forbidden as error:
        return [Check("only_allowed_parts", False, str(error))]
    except (IndexError, struct.error, ValueError, OverflowError) as error:
        return [Check("only_allowed_parts", False, f"cut off or malformed ({type(error).__name__})")]


def _attempt(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except Forbidden as error:
        return Check(name, False, str(error))


def _file(fd: int, size: int) -> tuple[list[_Track], int, int]:
    """The tracks, where the data of the samples begins, and where the last box ends."""
    at, seen, index, data = 0, [], b"", -1
    while data < 0:
        head = os.pread(fd, 16, at)
        demand(len(head) >= 8, "no data in it")
        length, name = struct.unpack_from(">I4s", head)
        header = 8
        if length == 1 and name == b"mdat":
            length, header = struct.unpack_from(">Q", head, 8)[0], 16
        demand(length >= header and at + length <= size, f"box {name!r} is cut off or has no end")
        seen.append(name)
        if name == b"mdat":
            data = at + header
        else:
            demand(length <= _MAX_INDEX, f"box {name!r} is too large")
            body = os.pread(fd, length - 8, at + 8)
            if name == b"ftyp":
                demand(body in _BRANDS, "an unusual file type")
                picture = _BRANDS[body]
            elif name == b"moov":
                index = body
            else:
                demand(name == b"free" and not body, f"box {name!r} with {len(body)} bytes")
        at += length
    demand(seen in ([b"ftyp", b"moov", b"free", b"mdat"], [b"ftyp", b"moov", b"mdat"]), f"boxes {seen}")
    return _movie(Reader(index, "moov"), picture), data, at


def _movie(moov: Reader, picture: bool) -> list[_Track]:
    boxes = moov.boxes()
    names = [n for n, _ in boxes]
    tracks = names.count("trak")
    demand(names in (["mvhd"] + ["trak"] * tracks + ["udta"], ["mvhd"] + ["trak"] * tracks), f"boxes {names} in moov")
    demand(tracks in ((1, 2) if picture else (1,)), f"{tracks} tracks")
    head = Reader(boxes[0][1], "mvhd")
    head.exactly(b"\0" * 12)  # version, flags, and no date
    scale, duration = head.number(4), head.number(4)
    head.exactly(b"\0\x01\0\0\x01\0" + b"\0" * 10)
    head.exactly(_IDENTITY)
    head.exactly(b"\0" * 24 + struct.pack(">I", tracks + 1))
    head.end()
    demand(scale > 0, "no time scale")
    found = [
        _track(Reader(body, "trak"), number, picture and number == 1, scale, duration)
        for number, body in enumerate((b for n, b in boxes if n == "trak"), 1)
    ]
    for body in (b for n, b in boxes if n == "udta"):
        tags = Reader(body, "udta").named("meta")["meta"]
        tags.exactly(_EMPTY_META)
        tags.end()
    return found


def _track(trak: Reader, number: int, picture: bool, movie_scale: int, movie_duration: int) -> _Track:
    parts = trak.named("tkhd", "edts", "mdia")
    head = parts["tkhd"]
    head.exactly(b"\0\0\0\x03" + b"\0" * 8 + struct.pack(">I", number) + b"\0" * 4)
    duration = head.number(4)
    demand(duration <= movie_duration, "a track is longer than the film")
    head.exactly(b"\0" * 10 + (b"\0\0" if picture else b"\0\x01"), b"\0" * 12)
    head.exactly(b"\0\0\0\0" if picture else b"\x01\0\0\0")
    head.exactly(_IDENTITY)
    size = head.number(4), head.number(4)
    head.end()
    edit = parts["edts"].named("elst")["elst"]
    edit.exactly(struct.pack(">II", 0, 1))
    demand(abs(edit.number(4) - duration) <= 1, "an edit of another length")  # one of the two is rounded up
    delay = edit.number(4)
    edit.exactly(struct.pack(">I", 1 << 16))
    edit.end()

    media = parts["mdia"].named("mdhd", "hdlr", "minf")
    clock = media["mdhd"]
    clock.exactly(b"\0" * 12)
    scale, length = clock.number(4), clock.number(4)
    clock.exactly(b"\x55\xc4\0\0")  # no language, "und"
    clock.end()
    demand(scale > 0, "no time scale")
    media["hdlr"].exactly(_HANDLERS[picture])
    media["hdlr"].end()
    kind = "vmhd" if picture else "smhd"
    inner = media["minf"].named(kind, "dinf", "stbl")
    inner[kind].exactly(b"\0\0\0\x01" + b"\0" * 8 if picture else b"\0" * 8)
    inner[kind].end()
    inner["dinf"].exactly(_OWN_DATA)
    inner["dinf"].end()
    if picture:
        tables = inner["stbl"].named("stsd", "stts", "[stss]", "[ctts]", "stsc", "stsz", "[stco]", "[co64]")
    else:
        tables = inner["stbl"].named("stsd", "stts", "stsc", "stsz", "[stco]", "[co64]", "sgpd", "sbgp")
    _description(tables["stsd"], picture, size)
    starts, sizes = _places(tables)
    first, last, span = _times(tables, len(sizes), picture)
    demand(delay == (first if picture else _AAC_DELAY), "the list of edits hides a part")
    # What is shown is all there is: no sample lies behind the end of the only edit.
    demand(length == span, "its duration is not that of its samples")
    behind = span - (0 if picture else delay) - duration * scale / movie_scale
    demand(abs(behind) <= max(last, scale / movie_scale), "samples behind the end of the film")
    if not picture:
        tables["sgpd"].exactly(_AAC_ROLL)
        tables["sgpd"].end()
        tables["sbgp"].exactly(struct.pack(">I4sIII", 0, b"roll", 1, len(sizes), 1))
        tables["sbgp"].end()
    return _Track(picture, starts, sizes)


def _description(stsd: Reader, picture: bool, size: tuple[int, int]) -> None:
    stsd.exactly(b"\0\0\0\0\0\0\0\x01")
    form = "avc1" if picture else "mp4a"
    entry = stsd.named(form)[form]
    entry.exactly(b"\0" * 6 + b"\0\x01")
    if picture:
        entry.exactly(b"\0" * 16)
        width, height = entry.number(2), entry.number(2)
        demand(size == (width << 16, height << 16), "two sizes")
        entry.exactly(struct.pack(">IIIH", 0x480000, 0x480000, 0, 1))
        entry.exactly(*_COMPRESSORS)
        entry.exactly(b"\0\x18\xff\xff")
        inner = entry.named("avcC", "[pasp]", "[colr]", "[pasp]", "[btrt]")
        _parameter_sets(inner["avcC"])
        if "colr" in inner:
            inner["colr"].exactly(*(b"nclx" + struct.pack(">HHHB", c, c, c, 0) for c in (1, 6)))
            inner["colr"].end()
        if "pasp" in inner:
            inner["pasp"].exactly(struct.pack(">II", 1, 1))
            inner["pasp"].end()
    else:
        demand(size == (0, 0), "sound with a size")
        entry.exactly(b"\0" * 8)
        demand(entry.number(2) in (1, 2), "more than two channels")
        entry.exactly(b"\0\x10\0\0\0\0")
        entry.number(4)  # samples per second
        inner = entry.named("esds", "[btrt]")
        _sound_settings(inner["esds"])
    if "btrt" in inner:
        inner["btrt"].take(12)  # three figures: buffer, highest and average rate of bits
        inner["btrt"].end()


def _parameter_sets(avcc: Reader) -> None:
    """One sequence and one picture parameter set, and the four bytes that the High profiles add."""
    avcc.exactly(b"\x01")
    profile = avcc.number(1)
    avcc.take(2)
    for count, kind in ((b"\xff\xe1", _SEQUENCE), (b"\x01", _PICTURE)):
        avcc.exactly(count)
        unit = avcc.take(avcc.number(2))
        demand(1 < len(unit) <= 64 and unit[0] == 0x60 | kind, "an odd parameter set")
    if profile in (100, 110, 122, 144):
        avcc.exactly(b"\xfd\xf8\xf8\0")
    avcc.end()


def _sound_settings(esds: Reader) -> None:
    """ISO/IEC 14496-1: one elementary stream, AAC, with settings of at most five bytes."""
    esds.exactly(b"\0" * 4)
    stream = _descriptor(esds, 3)
    stream.take(2)
    stream.exactly(b"\0")
    decoder = _descriptor(stream, 4)
    decoder.exactly(b"\x40\x15")
    decoder.take(11)
    settings = _descriptor(decoder, 5)
    demand(settings.left in (2, 5), "odd settings of the sound")
    demand(settings.number(2) >> 11 == 2, "not AAC-LC")
    if settings.left:
        settings.exactly(b"\x56\xe5\0")
    decoder.end()
    last = _descriptor(stream, 6)
    last.exactly(b"\x02")
    for reader in (last, stream, esds):
        reader.end()


def _descriptor(reader: Reader, tag: int) -> Reader:
    reader.exactly(bytes([tag]))
    size = 0
    for _ in range(4):
        byte = reader.number(1)
        size = size << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return Reader(reader.take(size), f"descriptor {tag}")


def _places(tables: dict[str, Reader]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each sample begins in the file, and how many bytes it has."""
    sizes_box, runs_box = tables["stsz"], tables["stsc"]
    for box in (sizes_box, runs_box):
        box.exactly(b"\0" * 4)
    one_size = sizes_box.number(4)
    if one_size:
        count = sizes_box.number(4)
        demand(count <= _MAX_INDEX // 8, "too many samples")
        sizes = np.full(count, one_size, np.int64)
        sizes_box.end()
    else:
        sizes = sizes_box.table(1)[:, 0]
    demand(("stco" in tables) != ("co64" in tables), "no or two lists of places")
    wide = "co64" in tables
    places = tables["co64" if wide else "stco"]
    places.exactly(b"\0" * 4)
    chunks = places.table(1, 8 if wide else 4)[:, 0]
    runs = runs_box.table(3)
    demand(len(runs) > 0 and len(chunks) > 0 and len(sizes) > 0, "no samples")
    firsts = np.append(runs[:, 0], len(chunks) + 1)
    lengths = np.diff(firsts)
    demand(firsts[0] == 1 and bool((lengths > 0).all()) and bool((runs[:, 2] == 1).all()), "odd runs of samples")
    per_chunk = np.repeat(runs[:, 1], lengths)
    demand(int(per_chunk.min()) > 0 and int(per_chunk.sum()) == len(sizes), "samples without a place")
    before = np.cumsum(sizes) - sizes
    firsts_of_chunk = np.cumsum(per_chunk) - per_chunk
    starts = before - np.repeat(before[firsts_of_chunk], per_chunk) + np.repeat(chunks, per_chunk)
    return starts, sizes


def _times(tables: dict[str, Reader], samples: int, picture: bool) -> tuple[int, int, int]:
    """The delay of the first sample, the longest step, and the sum of all steps, in units of the track."""
    steps_box = tables["stts"]
    steps_box.exactly(b"\0" * 4)
    steps = steps_box.table(2)
    demand(int(steps[:, 0].sum()) == samples and bool((steps[:, 1] > 0).all()), "samples without a time")
    if picture:
        demand(len(steps) == 1, "the rate of the frames changes")
    else:
        demand(bool((steps[:-1, 1] == 1024).all()) and int(steps[-1, 1]) <= 1024, "odd frames of sound")
    first = 0
    if "ctts" in tables:
        box = tables["ctts"]
        box.exactly(b"\0" * 4)
        delays = box.table(2)
        demand(int(delays[:, 0].sum()) == samples, "samples without a delay")
        shown = np.cumsum(np.full(samples, steps[0, 1])) + np.repeat(delays[:, 1], delays[:, 0])
        first = int(delays[0, 1])
        shown.sort()
        demand(bool((np.diff(shown) == steps[0, 1]).all()), "frames that are not shown, or shown together")
    if "stss" in tables:
        tables["stss"].exactly(b"\0" * 4)
        keys = tables["stss"].table(1)[:, 0]
        demand(len(keys) > 0 and keys[0] == 1 and bool((np.diff(keys) > 0).all()) and keys[-1] <= samples, "odd keys")
    return first, int(steps[:, 1].max()), int((steps[:, 0] * steps[:, 1]).sum())


def _tiling(tracks: list[_Track], data: int, end: int) -> str:
    """Every byte of the data belongs to exactly one sample."""
    starts = np.concatenate([t.starts for t in tracks])
    sizes = np.concatenate([t.sizes for t in tracks])
    order = np.argsort(starts, kind="stable")
    starts, sizes = starts[order], sizes[order]
    demand(bool((sizes > 0).all()), "an empty sample")
    ends = starts + sizes
    demand(int(starts[0]) == data and int(ends[-1]) == end, "data before the first or behind the last sample")
    gaps = np.flatnonzero(starts[1:] != ends[:-1])
    demand(len(gaps) == 0, f"a gap or an overlap at byte {int(ends[gaps[0]]) if len(gaps) else 0}")
    return f"{end - data} bytes of samples"


def _units(fd: int, tracks: list[_Track]) -> str:
    """Every sample of the picture is made of slices only: no messages, no filler, nothing private."""
    count = 0
    for track in (t for t in tracks if t.picture):
        for start, size in zip(track.starts.tolist(), track.sizes.tolist(), strict=True):
            at, stop = start, start + size
            while at < stop:
                head = os.pread(fd, 5, at)
                demand(len(head) == 5, f"an odd sample at byte {start}")
                length = int.from_bytes(head[:4], "big")
                demand(length > 1 and at + 4 + length <= stop, f"an odd unit at byte {at}")
                kind = head[4] & 0x9F
                demand(kind in (_SLICE, _KEY_SLICE), f"a unit of type {kind} at byte {at}")
                at += 4 + length
                count += 1
    return f"{count} slices"
