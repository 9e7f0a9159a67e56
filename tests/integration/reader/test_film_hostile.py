"""Films that are broken, or made to harm, end with a reason, quickly, in little memory, and open nothing else."""

from __future__ import annotations

import itertools
import os
import signal
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.domain.film import FilmLimits
from pipeline.reader.film.demuxers import family_of
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.probe import probe
from pipeline.reader.media_errors import (
    DamagedFile,
    DamagedFilm,
    FilmTooLong,
    MediaError,
    ToolUnavailable,
    UnreadableFile,
    UnsupportedFormat,
)
from tests.support.films import LIMITS, ffmpeg, look, make, tools

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")
KINDS = {
    "a.mp4": (*H264, "-c:a", "aac", "-movflags", "+faststart"),
    "b.mp4": (*H264, "-c:a", "aac"),
    "a.mkv": (*H264, "-c:a", "libopus"),
    "a.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "a.ts": (*H264, "-c:a", "aac"),
    "a.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "a.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "a.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sound film of every kind."""
    folder = tmp_path_factory.mktemp("whole")
    noisy = ("-vf", "noise=alls=40:allf=t")  # so that most of the file is picture
    for name, options in KINDS.items():
        make(folder / name, *noisy, *options, seconds=3)
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_cut_off_film_is_damaged(name: str, whole: Path, tmp_path: Path) -> None:
    data = (whole / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 6 // 10 + 37])
    if name in (
        "a.ts",
        "a.mpg",
        "a.wmv",
        "a.avi",
    ):  # formats made to be cut: the last frame is broken, or all are whole
        try:
            assert len(look(tmp_path / name)[1]) < 70
        except DamagedFilm:
            return
    else:
        with pytest.raises(DamagedFilm, match="not copied completely"):
            look(tmp_path / name)


@pytest.mark.parametrize("name", KINDS)
def test_overwritten_middle_is_damaged(name: str, whole: Path, tmp_path: Path) -> None:
    """Or, where the format has nothing by which anyone could tell, the same wrong frames in both passes."""
    data = bytearray((whole / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(4).bytes(4000)
    (tmp_path / name).write_bytes(data)
    if name in ("a.webm", "a.wmv"):
        first, second = look(tmp_path / name)[1], look(tmp_path / name)[1]
        assert 70 <= len(first) == len(second) <= 76
        assert all((a == b).all() for a, b in zip(first, second, strict=True))
    else:
        with pytest.raises(DamagedFilm):
            look(tmp_path / name)


def test_wrong_index_is_damaged(whole: Path, tmp_path: Path) -> None:
    data = bytearray((whole / "a.mp4").read_bytes())
    at = data.find(b"stco")
    count = struct.unpack_from(">I", data, at + 8)[0]
    for place in range(at + 12, at + 12 + 4 * count, 4):
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + 777)
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(DamagedFilm):
        look(tmp_path / "a.mp4")


def test_recording_that_begins_in_the_middle_is_read(whole: Path, tmp_path: Path) -> None:
    """Cameras that split a recording do this: what comes before the first whole frame stands still."""
    data = (whole / "a.ts").read_bytes()
    (tmp_path / "a.ts").write_bytes(data[188 * (len(data) // 188 // 3) :])
    facts, frames = look(tmp_path / "a.ts")
    assert 25 < len(frames) < 75 and abs(len(frames) - facts.expected_frames) <= 14


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {other}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        '<asx version="3.0"><entry><ref href="{other}"/></entry></asx>',
        '<?xml version="1.0"?><MPD><Period><BaseURL>{other}</BaseURL></Period></MPD>',
        "RTSPtext\n{other}\n",
        "subfile,,start,0,end,0,,:{other}",
    ],
)
def test_playlists_in_disguise_are_refused(text: str, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text(text.format(other=whole / "a.mp4"), encoding="utf-8")
    with pytest.raises(UnsupportedFormat):
        probe(tmp_path / "a.mp4", LIMITS, tools())


def test_film_that_points_to_another_file_does_not_read_it(tmp_path: Path) -> None:
    """A MOV whose data reference names a second film, which holds what the index tells."""
    data = bytearray(make(tmp_path / "other.mov", *H264, sound=False).read_bytes())
    at = data.find(b"dref") + 16
    assert data[at : at + 4] in (b"url ", b"alis")
    size = struct.unpack_from(">I", data, at - 4)[0]
    reference = _alias(tmp_path / "other.mov")
    data[at - 4 : at - 4 + size] = reference
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):  # the boxes around it grow; moov is last
        box = data.find(name)
        struct.pack_into(">I", data, box - 4, struct.unpack_from(">I", data, box - 4)[0] + len(reference) - size)
    path = tmp_path / "pointing.mov"
    path.write_bytes(data)
    with pytest.raises(DamagedFilm):
        look(path)
    # The reference is good: ffmpeg follows it, and finds frames, where it is allowed to.
    ffmpeg(
        "-xerror", "-enable_drefs", "1", "-use_absolute_path", "1", "-f", "mov", "-i", path, tmp_path / "followed.mp4"
    )


def _alias(target: Path) -> bytes:
    """A QuickTime alias record with an absolute path, in the box of a data reference that is not in this file."""
    path, volume = os.fsencode(target), b"/"
    body = bytes(10) + bytes([len(volume)]) + volume.ljust(27, b"\0") + bytes(12)
    body += bytes([len(target.name)]) + os.fsencode(target.name).ljust(63, b"\0") + bytes(16)
    body += struct.pack(">hh", 1, 1) + bytes(16)
    for kind, text in ((2, path), (18, path)):
        body += struct.pack(">hH", kind, len(text)) + text + b"\0" * (len(text) % 2)
    body += struct.pack(">hH", -1, 0)
    return struct.pack(">I4sI", 12 + len(body), b"alis", 0) + body


def test_picture_of_256_million_pixels_is_never_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x64", "-frames:v", "1", "-c:v", "mjpeg", path)
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, 16000, 16000)
    struct.pack_into(">II", data, data.find(b"strf") + 12, 16000, 16000)
    path.write_bytes(data)
    began = time.monotonic()
    with pytest.raises(MediaError):
        look(path)
    assert time.monotonic() - began < 2  # decoding it takes longer


def test_picture_that_grows_later_is_stopped(tmp_path: Path) -> None:
    for name, size in (("a", "160x120:d=2"), ("b", "2400x2000:d=0.1")):
        ffmpeg("-f", "lavfi", "-i", f"color=red:s={size}:r=25", *H264, tmp_path / f"{name}.h264")
    (tmp_path / "ab.h264").write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    ffmpeg("-framerate", "25", "-i", tmp_path / "ab.h264", "-c", "copy", tmp_path / "ab.ts")
    with pytest.raises(MediaError):
        look(tmp_path / "ab.ts")


def test_film_that_claims_days_is_refused_at_once(whole: Path, tmp_path: Path) -> None:
    data = bytearray((whole / "a.mp4").read_bytes())
    at = data.find(b"stts")
    struct.pack_into(">I", data, at + 16, 0x7FFFFF00)  # each frame lasts days
    (tmp_path / "a.mp4").write_bytes(data)
    began = time.monotonic()
    with pytest.raises((FilmTooLong, DamagedFilm)):
        look(tmp_path / "a.mp4")
    assert time.monotonic() - began < 10


def test_more_frames_than_packets_promise_end_the_reading(whole: Path) -> None:
    """Whatever a demuxer may be brought to do: the frames that come are bounded by what was judged."""
    from dataclasses import replace

    facts = replace(probe(whole / "a.mp4", LIMITS, tools()), video_end=0.5)
    with pytest.raises(DamagedFilm, match="not copied") as caught:
        list(read_frames(whole / "a.mp4", facts, tools()))
    assert "more frames" in caught.value.detail


def test_stalled_ffmpeg_is_ended(tmp_path: Path) -> None:
    """A tool that stands still (here: the system stopped it) does not hold the child for ever."""
    path = tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=4", *H264, path)
    facts = probe(path, LIMITS, tools())
    frames = read_frames(path, facts, tools(), stall_seconds=0.5)
    next(frames)
    own = [p for p in _children(os.getpid()) if "ffmpeg" in str(Path(f"/proc/{p}/exe").readlink())]
    assert len(own) == 1
    os.kill(own[0], signal.SIGSTOP)
    with pytest.raises(DamagedFilm) as caught:
        list(frames)
    assert "no progress" in caught.value.detail
    assert own[0] not in _children(os.getpid())


def test_closing_the_frames_ends_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=4", *H264, path)
    frames = read_frames(path, probe(path, LIMITS, tools()), tools())
    assert [n for n, _ in itertools.islice(frames, 2)] == [0, 1]
    assert _children(os.getpid())
    frames.close()
    assert not _children(os.getpid())


def _children(pid: int) -> list[int]:
    return [int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]


def test_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(DamagedFile):
        probe(tmp_path / "empty.mp4", LIMITS, tools())
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(UnreadableFile):
        probe(tmp_path / "pipe.mp4", LIMITS, tools())
    with pytest.raises(UnreadableFile):
        probe(tmp_path / "gone.mp4", LIMITS, tools())


def test_missing_tool_is_not_blamed_on_the_film(whole: Path) -> None:
    from dataclasses import replace

    with pytest.raises(ToolUnavailable):
        probe(whole / "a.mp4", LIMITS, replace(tools(), ffprobe="/nowhere/ffprobe"))


def test_film_whose_picture_cannot_be_read_is_no_recording(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", "-c:v", "ffv1", "-c:a", "aac")
    with pytest.raises(UnsupportedFormat, match="Export it as MP4"):
        probe(path, FilmLimits(), tools())


def test_bytes_decide_the_family() -> None:
    assert family_of(b"\0\0\0\x20ftypisom") == "mov"
    assert family_of(b"\x1a\x45\xdf\xa3") == "matroska"
    assert family_of(b"\xff\xfb\x90\x64") == "mp3"
    assert family_of(b"\xff\xf1\x50\x80") == "aac"
    for nothing in (b"", b"#EXTM3U", b"ffconcat", b"<asx", b"\0\0\0\1\x67", b"\x7fELF", b"%PDF-1.7", b"MZ\x90\0"):
        assert family_of(nothing) is None
