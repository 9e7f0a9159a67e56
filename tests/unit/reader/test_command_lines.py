"""The command lines of ffmpeg hold, file by file, the options that they were measured with."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.domain.film import FilmFacts
from pipeline.reader.film import encode, frames, pcm, stills
from pipeline.reader.film.encode import FilmWriter
from pipeline.reader.film.ffmpeg import Tools

TOOLS = Tools("/bin/ffmpeg", "/bin/ffprobe", 3)
FACTS = FilmFacts(
    "mov", 640, 360, Fraction(25), 2.0, True, video_stream=0, sound_stream=1, video_end=2.0, upright=(640, 360)
)
OWN = ["/bin/ffmpeg", "-nostdin", "-hide_banner", "-v", "error"]
FILE = ["-f", "mov", "-protocol_whitelist", "file", "-enable_drefs", "0", "-use_absolute_path", "0"]
PIXELS = str(2 * 640 * 360 + 1_000_000)


ALONE = {"-nostdin", "-hide_banner", "-xerror", "-y", "-an", "-sn", "-dn", "-vn"}


def grouped(command: list[str]) -> list[list[tuple[str, ...]]]:
    """The options of each file of a command line, sorted: their order within one file means nothing."""
    files: list[list[tuple[str, ...]]] = []
    now: list[tuple[str, ...]] = []
    words = iter(command[1:])
    for word in words:
        named = word.startswith("-") and word != "-"
        now.append((word,) if word in ALONE or not named else (word, next(words)))
        if word == "-i" or not named:
            files, now = [*files, sorted(now)], []
    return sorted(files)


@pytest.mark.parametrize("sound", [True, False])
def test_frames_are_read_as_before(sound: bool) -> None:
    facts = FACTS if sound else replace(FACTS, sound_stream=-1)
    chain = ",".join(frames.filters(facts))
    before = [
        *OWN, "-xerror", "-filter_threads", "3", "-threads", "3", "-max_pixels", PIXELS, *FILE, "-i", "file:/in/a",
        "-map", "0:0", "-an", "-sn", "-dn", "-vf", chain, "-r", "25", "-fps_mode", "cfr", "-c:v", "rawvideo",
        "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    before += ["-map", "0:1", "-c:a", "copy", "-f", "null", "-"] if sound else []
    now = frames._command(Path("/in/a"), facts, TOOLS)
    assert grouped(now) == grouped(before)
    assert now[: len(OWN)] == OWN


def test_sound_is_read_as_before() -> None:
    before = [
        *OWN, "-xerror", "-threads", "1", *FILE, "-i", "file:/in/a", "-map", "0:1", "-vn", "-sn", "-dn",
        "-af", pcm._IN_STEP, "-ac", "2", "-ar", "48000", "-c:a", "pcm_s16le", "-f", "s16le", "pipe:1",
        "-map", "0:0", "-c:v", "copy", "-f", "null", "-",
    ]  # fmt: skip
    now = pcm._command(Path("/in/a"), FACTS, TOOLS, 48000, 2)
    assert grouped(now) == grouped(before)


def test_a_still_is_read_as_before() -> None:
    chain = ",".join(f for f in frames.filters(FACTS) if not f.startswith("fps="))
    before = [
        *OWN, "-filter_threads", "1", "-threads", "1", "-max_pixels", PIXELS, *FILE, "-ss", "2.500",
        "-i", "file:/in/a", "-map", "0:0", "-an", "-sn", "-dn", "-frames:v", "1", "-vf", chain,
        "-c:v", "rawvideo", "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    assert grouped(stills._command(Path("/in/a"), FACTS, 2.5, TOOLS)) == grouped(before)


def test_a_film_is_written_as_before(tmp_path: Path) -> None:
    writer = FilmWriter(tmp_path / "o", FACTS, TOOLS, None)
    matrix = FACTS.matrix
    before = [
        *OWN, "-xerror", "-y", "-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", "640x360",
        "-framerate", "25", "-protocol_whitelist", "pipe", "-i", "pipe:0", "-f", "s16le", "-sample_rate",
        str(FACTS.sound_rate), "-ch_layout", "stereo", "-protocol_whitelist", "pipe", "-i", "pipe:7",
        "-map", "0:v:0", "-c:v", "libx264", "-preset", "veryfast", "-crf", str(writer._crf), "-threads", "3",
        "-x264-params", encode.X264, "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-vf",
        f"setparams=range=limited:colorspace={matrix}:color_primaries={matrix}:color_trc={matrix}",
        "-bsf:v", encode._ONLY_PICTURE, "-flags:v", "+bitexact", "-map", "1:a:0", "-c:a", "aac", "-b:a", "128k",
        "-flags:a", "+bitexact", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact",
        "-movflags", "+faststart", "-f", "mp4", f"file:{tmp_path / 'o'}",
    ]  # fmt: skip
    assert grouped(writer._command(7)) == grouped(before)
