"""What is written: the same frames, sound in step, nothing else in the file, and no file at all after an error."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from pipeline.domain.film import FilmFacts
from pipeline.reader.film.encode import FilmWriter
from pipeline.reader.film.output_scan_mp4 import scan_film
from pipeline.reader.media_errors import DamagedFilm, WriteFailed
from tests.support.films import LIMITS, ffmpeg, look, tools

FACTS = FilmFacts("mov", 160, 120, Fraction(25), 2.0, True, upright=(160, 120))
BEEPS = (0.4, 1.2, 1.64)
"""Seconds at which there is a flash and a beep."""


def frame_of(number: int, facts: FilmFacts = FACTS) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A moving pattern, and all white while it beeps."""
    rows, columns = np.mgrid[0 : facts.height * 3 // 2, 0 : facts.width]
    frame = ((rows * 2 + columns + number * 4) % 160 + 40).astype(np.uint8)
    frame[facts.height :] = 128
    if any(0 <= number - round(b * facts.rate) < 3 for b in BEEPS):
        frame[: facts.height] = 235
    return frame


def beeps(facts: FilmFacts = FACTS, seconds: float = 2.0) -> Callable[[BinaryIO], None]:
    """Silence with a tone of 3 frames at each flash."""

    def play(sink: BinaryIO) -> None:
        times = np.arange(round(seconds * facts.sound_rate)) / facts.sound_rate
        loud = np.zeros(len(times))
        for at in BEEPS:
            loud[(times >= at) & (times < at + 0.12)] = 12000
        wave = (loud * np.sin(2 * np.pi * 1000 * times)).astype("<i2")
        sink.write(np.repeat(wave, facts.sound_channels).tobytes())

    return play


def write(
    path: Path, facts: FilmFacts = FACTS, frames: int = 50, sound: Callable[[BinaryIO], None] | None = None
) -> None:
    with FilmWriter(path, facts, tools(), sound) as writer:
        for number in range(frames):
            writer.write(frame_of(number, facts))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write(path, sound=beeps())
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "sound.m4a"
    facts = replace(FACTS, width=0, height=0)
    with FilmWriter(path, facts, tools(), beeps()):
        pass
    return path


def samples(path: Path) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    command = [
        tools().ffmpeg,
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:a:0",
        "-ac",
        "1",
        "-ar",
        "48000",
        "-f",
        "s16le",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<i2")


def test_frames_come_back_as_they_were(film: Path) -> None:
    facts, frames = look(film)
    assert (facts.width, facts.height, facts.rate, len(frames)) == (160, 120, 25, 50)
    assert abs(facts.duration - 2) <= 1 / 25
    wrong = [np.mean((a.astype(float) - frame_of(n)) ** 2) for n, a in enumerate(frames)]
    assert 10 * np.log10(255**2 / np.mean(wrong)) > 32


def test_flash_and_beep_are_in_step(film: Path) -> None:
    frames = look(film)[1]
    white = np.array([f[:120].mean() > 220 for f in frames])
    flashes = np.flatnonzero(white & ~np.roll(white, 1)) / 25
    loud = np.abs(samples(film).astype(float)) > 2000
    starts = [float(np.flatnonzero(loud[round((b - 0.2) * 48000) :])[0]) / 48000 + b - 0.2 for b in BEEPS]
    assert flashes == pytest.approx(BEEPS, abs=0.021)
    assert starts == pytest.approx(flashes, abs=0.021)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(289, 12), Fraction(10), Fraction(60)])
@pytest.mark.parametrize("sound", [True, False])
def test_every_rate_with_and_without_sound_passes_the_scan(rate: Fraction, sound: bool, tmp_path: Path) -> None:
    facts = replace(FACTS, rate=rate, sound_channels=1, matrix="smpte170m")
    write(tmp_path / "a.mp4", facts, 30, beeps(facts, 30 / float(rate)) if sound else None)
    assert [c for c in scan_film(tmp_path / "a.mp4") if not c.passed] == []
    found, frames = look(tmp_path / "a.mp4")
    assert len(frames) == 30 and found.sound == sound and found.matrix == "smpte170m"
    assert abs(found.video_end - 30 / float(rate)) <= 1 / float(rate)


@pytest.mark.parametrize("size", [(2, 2), (4000, 2), (162, 118)])
def test_unusual_sizes_are_written(size: tuple[int, int], tmp_path: Path) -> None:
    facts = replace(FACTS, width=size[0], height=size[1], upright=size)
    write(tmp_path / "a.mp4", facts, 5)
    assert [c for c in scan_film(tmp_path / "a.mp4") if not c.passed] == []
    assert len(look(tmp_path / "a.mp4")[1]) == 5


def test_nothing_is_told_about_where_it_comes_from(film: Path) -> None:
    command = [
        tools().ffprobe,
        "-v",
        "error",
        "-show_format",
        "-show_streams",
        "-show_chapters",
        "-of",
        "json",
        str(film),
    ]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert set(told["format"].get("tags", {})) <= {"major_brand", "minor_version", "compatible_brands"}
    assert told["chapters"] == [] and [s["codec_type"] for s in told["streams"]] == ["video", "audio"]
    for stream in told["streams"]:
        assert set(stream["tags"]) <= {"language", "handler_name", "encoder"} and stream["tags"]["language"] == "und"
        assert "creation_time" not in stream["tags"]
    data = film.read_bytes()
    assert b"x264 - core" not in data and b"Lavf" not in data
    assert film.stat().st_mode & 0o777 == 0o640


def test_same_input_gives_the_same_bytes(film: Path, tmp_path: Path) -> None:
    """Nothing of the clock or of this machine goes into the file."""
    write(tmp_path / "again.mp4", sound=beeps())
    assert (tmp_path / "again.mp4").read_bytes() == film.read_bytes()


def test_recording_is_written_alone(recording: Path) -> None:
    assert [c for c in scan_film(recording) if not c.passed] == []
    assert abs(len(samples(recording)) / 48000 - 2) < 0.03


def test_error_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(RuntimeError, match="ours"), FilmWriter(path, FACTS, tools(), beeps()) as writer:
        writer.write(frame_of(0))
        raise RuntimeError("ours")
    assert not path.exists()
    with pytest.raises(ValueError, match="160"), FilmWriter(path, FACTS, tools()) as writer:
        writer.write(frame_of(0)[:, :80])
    assert not path.exists()
    with pytest.raises(WriteFailed), FilmWriter(path, FACTS, tools()):
        pass  # no frames
    assert not path.exists()


def test_error_of_the_sound_is_the_error_of_the_film(tmp_path: Path) -> None:
    def broken(sink: BinaryIO) -> None:
        sink.write(bytes(4000))
        raise DamagedFilm("The sound ends early.", "here")

    with pytest.raises(DamagedFilm, match="ends early"):
        write(tmp_path / "a.mp4", sound=broken)
    assert not (tmp_path / "a.mp4").exists()


def test_full_disk_and_dead_encoder_are_said(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed), FilmWriter(tmp_path / "no" / "a.mp4", FACTS, tools()):
        pass
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(1).integers(16, 235, (180, 160), np.uint8)
    with pytest.raises(WriteFailed) as caught, FilmWriter(path, FACTS, tools(), max_bytes=100_000) as writer:
        for _ in range(200):
            writer.write(noise := np.roll(noise * 3, 1))
    assert "larger than" in caught.value.detail and not path.exists()
    with pytest.raises(WriteFailed), FilmWriter(path, FACTS, tools()) as writer:
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            os.kill(int(pid), 9)
        for number in range(50):
            writer.write(frame_of(number))
    assert not path.exists()


def test_link_at_the_place_of_the_result_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"keep")
    (tmp_path / "a.mp4").symlink_to(tmp_path / "target")
    with pytest.raises(WriteFailed):
        write(tmp_path / "a.mp4", frames=2)
    assert (tmp_path / "target").read_bytes() == b"keep"


# --- what the scan must find --------------------------------------------------------------------------------------


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def failed(data: bytes, tmp_path: Path) -> list[str]:
    (tmp_path / "t.mp4").write_bytes(data)
    return [c.name for c in scan_film(tmp_path / "t.mp4") if not c.passed]


def patched(data: bytes, near: bytes, offset: int, value: bytes) -> bytes:
    """The bytes at an offset from the name of a box, changed; they were others before."""
    at = data.index(near) + offset
    assert data[at : at + len(value)] != value
    return data[:at] + value + data[at + len(value) :]


def test_untouched_film_passes(film: Path, tmp_path: Path) -> None:
    assert failed(film.read_bytes(), tmp_path) == []


@pytest.mark.parametrize("extra", [b"\0", b"Anna", box(b"free", b""), box(b"uuid", b"Anna" * 9), box(b"mdat", b"x")])
def test_bytes_behind_the_film_are_found(extra: bytes, film: Path, tmp_path: Path) -> None:
    assert "nothing_behind_film" in failed(film.read_bytes() + extra, tmp_path)


@pytest.mark.parametrize(
    ("near", "offset", "value"),
    [
        (b"mvhd", 8, b"\0\0\0\1"),  # a date
        (b"mdhd", 8, b"\0\0\0\1"),
        (b"mdhd", 20, b"\x15\xc7"),  # a language
        (b"mvhd", 92, b"\1"),
        (b"tkhd", 36, b"\0\1"),  # a layer
        (b"tkhd", 44, b"\0\0\0\0"),  # another turn
        (b"elst", 16, b"\0\0\0\1"),  # another place to begin
        (b"elst", 8, b"\0\0\0\2"),
        (b"VideoHandler", 0, b"Anna"),
        (b"Lavc libx264", 0, b"Anna"),
        (b"url ", 4, b"\0\0\0\0"),  # the data is in another file
        (b"avc1\0\0\0\0\0\0", 4, b"Anna"),
        (b"free", -4, b"\0\0\0\x09"),
        (b"ilst", 0, b"Anna"),
        (b"stsz", 16, b"\0\0\0\1"),  # a sample that is smaller than it was
        (b"stco", 12, b"\0\0\0\1"),
        (b"stsd", 7, b"\2"),
        (b"isom", 0, b"qt  "),
    ],
)
def test_changed_index_is_found(near: bytes, offset: int, value: bytes, film: Path, tmp_path: Path) -> None:
    assert failed(patched(film.read_bytes(), near, offset, value), tmp_path)


@pytest.mark.parametrize("kind", [6, 9, 12, 14, 24, 30])
def test_messages_between_the_frames_are_found(kind: int, film: Path, tmp_path: Path) -> None:
    """The first slice becomes something else: a message, filler, a unit that no player shows."""
    data = film.read_bytes()
    assert failed(patched(data, b"mdat", 8, bytes([data[data.index(b"mdat") + 8] & 0x60 | kind])), tmp_path) == [
        "only_picture_units"
    ]


def test_hidden_bytes_between_the_samples_are_found(film: Path, tmp_path: Path) -> None:
    data = film.read_bytes()
    at = data.index(b"mdat")
    grown = struct.unpack_from(">I", data, at - 4)[0] + 4
    end_hidden = data[: at - 4] + struct.pack(">I", grown) + data[at:] + b"Anna"
    assert failed(end_hidden, tmp_path) == ["nothing_between_samples"]


def test_what_players_accept_is_still_refused(film: Path, tmp_path: Path) -> None:
    """Files that any player shows: with tags, with a second picture track, fragmented, with its index at the end."""
    ways: dict[str, list[str]] = {
        "tags": ["-map", "0", "-metadata", "title=Anna", "-movflags", "+faststart"],
        "two": ["-map", "0:v", "-map", "0:v", "-map", "0:a", "-movflags", "+faststart"],
        "pieces": ["-map", "0", "-movflags", "+frag_keyframe+empty_moov"],
        "late": ["-map", "0"],
        "messages": [
            "-map",
            "0",
            "-movflags",
            "+faststart",
            "-bsf:v",
            "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+Anna",
        ],
    }
    for name, options in ways.items():
        ffmpeg("-i", film, *options, "-c", "copy", "-fflags", "+bitexact", tmp_path / f"{name}.mp4")
        assert not all(c.passed for c in scan_film(tmp_path / f"{name}.mp4")), name
    ffmpeg("-i", film, "-c", "copy", "-f", "matroska", tmp_path / "other.mp4")
    assert not scan_film(tmp_path / "other.mp4")[0].passed
    assert not scan_film(tmp_path / "gone.mp4")[0].passed


def test_every_cut_is_found(film: Path, tmp_path: Path) -> None:
    data = film.read_bytes()
    for length in (0, 7, 31, 100, 1000, len(data) // 2, len(data) - 1):
        assert failed(data[:length], tmp_path), length


@pytest.mark.parametrize("seed", range(8))
def test_random_changes_of_the_index_never_crash_the_scan(seed: int, film: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(film.read_bytes())
    end = data.index(b"mdat")
    for place in random.integers(0, end, 5):
        data[place] = random.integers(0, 256)
    for check in [*map(str, failed(bytes(data), tmp_path))]:
        assert check


def test_limits_of_the_reader_hold_for_our_own_films(film: Path) -> None:
    assert look(film, replace(LIMITS, seconds=3))[0].notes == ()
