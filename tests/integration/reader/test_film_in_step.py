"""Picture and sound of a film that was read and written again: in step, and as long as before."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from pipeline.reader.film.encode import FilmWriter
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.output_scan_mp4 import scan_film
from pipeline.reader.film.pcm import read_sound
from pipeline.reader.film.probe import probe
from tests.support.films import FLASH, LIMITS, RATE, SCENE, ffmpeg, look, tools

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
BEEP = f"aevalsrc='if(gte(t,{FLASH / RATE}),0.5*sin(6283*t),0)':s=48000:d=2"
CASES = {
    "a.mp4": (*H264, "-c:a", "aac"),
    "b-frames.mov": ("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    "a.mkv": (*H264, "-c:a", "libopus"),
    "a.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis"),
    "a.avi": ("-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"),
    "a.mpg": ("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"),
    "a.ts": ("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    "a.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "a.flv": (*H264, "-c:a", "aac"),
}


@pytest.mark.parametrize(
    ("name", "late"),
    [(name, "") for name in CASES]
    + [(name, late) for name in ("a.mp4", "a.mkv", "a.ts", "a.wmv") for late in ("picture", "sound")],
)
def test_flash_and_beep_stay_together(name: str, late: str, tmp_path: Path) -> None:
    """Also where one of the two begins 0.6 s after the other: then both moments differ by that, before and after."""
    offset = ["-itsoffset", "0.6"]
    picture = [*(offset if late == "picture" else []), "-f", "lavfi", "-i", f"{SCENE},trim=duration=2"]
    sound = [*(offset if late == "sound" else []), "-f", "lavfi", "-i", BEEP]
    path, out = tmp_path / name, tmp_path / "out.mp4"
    ffmpeg(*picture, *sound, *CASES[name], path)
    facts = probe(path, LIMITS, tools())

    def play(sink: BinaryIO) -> None:
        for piece in read_sound(path, facts, tools(), facts.sound_rate, facts.sound_channels):
            sink.write(piece.astype("<i2").tobytes())

    with FilmWriter(out, facts, tools(), play) as writer:
        for _, frame in read_frames(path, facts, tools()):
            writer.write(frame)
    assert all(c.passed for c in scan_film(out))
    written, frames = look(out)
    flash = next(n for n, f in enumerate(frames) if f[facts.height // 2, facts.width // 2] > 128) / facts.rate
    heard = np.concatenate(list(read_sound(out, written, tools(), 48000, 1)))[:, 0]
    beep = float(np.flatnonzero(np.abs(heard.astype(int)) > 3000)[0]) / 48000
    apart = {"": 0.0, "picture": 0.6, "sound": -0.6}[late]
    assert float(flash) - beep == pytest.approx(apart, abs=0.04)
    assert abs(written.duration - facts.duration) <= 1 / facts.rate + 0.025  # one frame of picture or of sound
