"""Sound: a real voice is found and silenced, everything else plays on, and each check can say no."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.film import FilmFacts, Stretch
from pipeline.domain.intervals import within
from pipeline.domain.types import Check
from pipeline.reader.film import operations
from pipeline.reader.film.encode import FilmWriter
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.output_scan_mp4 import scan_film
from pipeline.reader.film.pcm import read_sound
from pipeline.reader.film.probe import probe
from pipeline.reader.film.sound import check_sound, find_speech, write_muted, write_recording
from pipeline.reader.media_errors import DamagedFilm, MediaError
from tests.support.films import LIMITS, ffmpeg, make, tools

RATE = 16000
SWELLING = "sine=440:r=48000,tremolo=f=2:d=0.9"


def voice(path: Path) -> NDArray[np.float64]:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def music(seconds: float) -> NDArray[np.float64]:
    """A chord that swells twice a second: no voice, and its moments can be told apart."""
    t = np.arange(int(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) + 0.5 * np.sin(4 * np.pi * f * t) for f in (440.0, 554.4, 659.3))
    return np.asarray(0.02 * chord * (1 - 0.45 * (1 + np.cos(4 * np.pi * t)) * (1 - 0.5 * np.cos(t))))


def save(path: Path, *channels: NDArray[np.float64]) -> Path:
    data = np.rint(np.clip(np.stack(channels, axis=1), -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(data.tobytes())
    return path


def speech_in(path: Path) -> tuple[Stretch, ...]:
    return find_speech(path, probe(path, LIMITS, tools()), tools())


def samples(path: Path, facts: FilmFacts | None = None, rate: int = 48000) -> NDArray[np.int16]:
    facts = facts or probe(path, LIMITS, tools())
    return np.concatenate(list(read_sound(path, facts, tools(), rate, facts.sound_channels)))


def checked(path: Path, target: Path, muted: Sequence[Stretch], facts: FilmFacts | None = None) -> dict[str, Check]:
    facts, written = facts or probe(path, LIMITS, tools()), probe(target, LIMITS, tools())
    return {c.name: c for c in check_sound(path, target, facts, written, muted, tools())}


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if not check.passed]


@pytest.fixture(scope="module")
def talk(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music for 12.5 s, with the voice over it from 4 s to 8.5 s."""
    sound = music(12.5)
    sound[4 * RATE : int(8.5 * RATE)] += voice(speech)[: int(4.5 * RATE)]
    return save(tmp_path_factory.mktemp("talk") / "talk.wav", sound)


# --- where somebody speaks ------------------------------------------------------------------------------------


def test_the_voice_is_found_and_the_music_is_not(talk: Path, speech: Path) -> None:
    found = speech_in(talk)
    loud = voice(speech)[: int(4.5 * RATE)]
    moments = 4 + np.flatnonzero(np.abs(loud) > 0.05) / RATE  # where the voice is certainly there
    assert len(moments) > 1000
    assert all(any(s.start <= m < s.end for s in found) for m in moments)
    assert found[0].start > 3 and found[-1].end < 9.5


@pytest.mark.parametrize("decibel", [-20, -50])
def test_a_quiet_voice_is_found_all_the_same(speech: Path, tmp_path: Path, decibel: int) -> None:
    whole = voice(speech)
    found = speech_in(save(tmp_path / "quiet.wav", whole * 10 ** (decibel / 20)))
    moments = np.flatnonzero(np.abs(whole) > 0.1) / RATE
    assert np.mean([any(s.start <= m < s.end for s in found) for m in moments[::50]]) == 1.0


@pytest.mark.parametrize("other", ["silent", "opposite", "loud noise"])
def test_a_voice_on_one_channel_is_found(speech: Path, tmp_path: Path, other: str) -> None:
    right = voice(speech)[: 4 * RATE]
    noise = np.random.default_rng(3).normal(0, 0.2, len(right))
    left = {"silent": 0 * right, "opposite": -right, "loud noise": noise}[other]
    moments = np.flatnonzero(np.abs(right) > 0.1)[::50] / RATE
    found = speech_in(save(tmp_path / "two.wav", left, right))
    assert all(any(s.start <= m < s.end for s in found) for m in moments)


def test_noise_tones_and_music_are_no_speech(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 4 * RATE)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)
    for sound in (noise, tone, music(4), 0 * tone):
        found = speech_in(save(tmp_path / "other.wav", sound))
        assert sum(s.end - s.start for s in found) < 1.0


def test_a_film_without_sound_has_no_speech(tmp_path: Path) -> None:
    assert speech_in(make(tmp_path / "f.mp4", "-c:v", "libx264", sound=False)) == ()


# --- writing --------------------------------------------------------------------------------------------------


def test_muted_stretches_are_exactly_silent_and_the_rest_is_untouched(talk: Path) -> None:
    facts = probe(talk, LIMITS, tools())
    sink = io.BytesIO()
    write_muted(talk, facts, tools(), [Stretch(2.0, 3.0), Stretch(5.1, 5.2)], sink)
    got, was = np.frombuffer(sink.getvalue(), "<i2"), samples(talk)[:, 0]
    assert len(got) == len(was)
    at = np.arange(len(got)) / 48000
    silent = ((at >= 2.0) & (at < 3.0)) | ((at >= 5.1) & (at < 5.2))
    near = ((at >= 1.99) & (at < 3.01)) | ((at >= 5.09) & (at < 5.21))
    assert not got[silent].any()
    assert np.array_equal(got[~near], was[~near])
    assert np.abs(np.diff(got.astype(int))).max() <= np.abs(np.diff(was.astype(int))).max() + 32  # no click


def test_muted_to_the_end_is_muted_beyond_what_the_container_says(talk: Path) -> None:
    facts = probe(talk, LIMITS, tools())
    short = replace(facts, duration=facts.duration - 1, sound_end=facts.sound_end - 1)
    for muted in ([Stretch(0.0, short.duration)], [Stretch(0.0, 3.0), Stretch(2.0, short.duration)]):
        sink = io.BytesIO()
        write_muted(talk, short, tools(), muted, sink)
        assert len(sink.getvalue()) == 2 * len(samples(talk)) and not any(sink.getvalue())


def test_a_recording_loses_its_voice_and_nothing_else(talk: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.m4a"
    muted = speech_in(talk)
    write_recording(talk, probe(talk, LIMITS, tools()), tools(), muted, target)
    checks = checked(talk, target, muted)
    assert set(checks) == {"sound_muted", "sound_length", "sound_kept", "sound_in_step"} and not failed(checks)
    assert "0 places" not in checks["sound_in_step"].detail
    assert [c.name for c in scan_film(target) if not c.passed] == []
    left = speech_in(target)
    assert not any(s.start < 8.0 and s.end > 4.5 for s in left)  # listening again finds no voice there
    assert within([Stretch(4.5, 8.0)], muted)


@pytest.mark.parametrize(
    "options",
    [
        ["-c:a", "libmp3lame", "a.mp3"],
        ["-c:a", "aac", "a.m4a"],
        ["-c:a", "libopus", "a.ogg"],
        ["-c:a", "flac", "a.flac"],
        ["-c:a", "pcm_s16le", "-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0", "a.wav"],
    ],
)
def test_every_kind_of_recording(options: list[str], speech: Path, tmp_path: Path) -> None:
    source, target = tmp_path / options[-1], tmp_path / "out.m4a"
    ffmpeg("-t", "3", "-i", speech, "-metadata", "title=Kim Kind", *options[:-1], source)
    facts = probe(source, LIMITS, tools())
    muted = speech_in(source)
    assert within([Stretch(0.5, 2.0)], muted)
    write_recording(source, facts, tools(), muted, target)
    assert not failed(checked(source, target, muted, facts))
    assert all(c.passed for c in scan_film(target))
    assert b"Kim" not in target.read_bytes()


def test_the_sound_of_a_film_stays_in_step_when_it_begins_late(tmp_path: Path) -> None:
    source, target = tmp_path / "late.mp4", tmp_path / "out.mp4"
    picture = "color=red:s=64x48:r=25:d=4"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        picture,
        "-itsoffset",
        "1.3",
        "-f",
        "lavfi",
        "-i",
        f"{SWELLING},atrim=duration=2.5",
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
        source,
    )
    facts = probe(source, LIMITS, tools())
    loud = np.abs(samples(source, facts)[:, 0].astype(int)) > 2000
    assert abs(np.argmax(loud) / 48000 - 1.3) < 0.1
    muted = [Stretch(2.0, 2.5)]
    with FilmWriter(target, facts, tools(), lambda sink: write_muted(source, facts, tools(), muted, sink)) as film:
        for _, frame in read_frames(source, facts, tools()):
            film.write(frame)
    checks = checked(source, target, muted)
    assert not failed(checks) and "1 places" in checks["sound_in_step"].detail


# --- the checks can say no ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "muted", "broken"),
    [
        ({}, [Stretch(4.0, 8.5)], ["sound_muted"]),
        ({"af": "volume=0:enable='between(t,1,3)'"}, [], ["sound_kept"]),
        ({"af": "adelay=120"}, [], ["sound_length", "sound_in_step"]),
        ({"af": "atrim=start=0.08,asetpts=PTS-STARTPTS,apad=pad_dur=0.08"}, [], ["sound_in_step"]),
        ({"t": "9"}, [], ["sound_length"]),
    ],
)
def test_a_wrong_result_is_noticed(
    talk: Path, tmp_path: Path, change: dict[str, Any], muted: list[Stretch], broken: list[str]
) -> None:
    target = tmp_path / "out.m4a"
    ffmpeg("-i", talk, *(x for k, v in change.items() for x in (f"-{k}", v)), "-c:a", "aac", target)
    assert set(broken) <= set(failed(checked(talk, target, muted)))


def test_sound_that_is_gone_is_noticed(talk: Path, tmp_path: Path) -> None:
    target = make(tmp_path / "out.mp4", "-c:v", "libx264", sound=False)
    assert failed(checked(talk, target, [])) == ["sound_there"]


def test_sound_that_cannot_be_read_to_its_end_is_damaged(talk: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.flac"
    ffmpeg("-i", talk, "-c:a", "flac", source)
    facts = probe(source, LIMITS, tools())
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20000] = bytes(20000)
    source.write_bytes(data)
    target = tmp_path / "out.m4a"
    with pytest.raises(DamagedFilm):
        find_speech(source, facts, tools())
    with pytest.raises(MediaError):
        write_recording(source, facts, tools(), [], target)
    assert not target.exists()
    found = probe(talk, LIMITS, tools())
    for promised in (5.0, 30.0):  # more sound than was promised, and less
        with pytest.raises(DamagedFilm, match="damaged"):
            samples(talk, replace(found, duration=promised, sound_end=promised))


# --- real films -----------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(("name", "share"), [("friends/in_video.mp4", 0.6), ("video/short_hamilton_clip.mp4", 0.9)])
def test_real_films_are_full_of_talk(shared_data: Path, name: str, share: float) -> None:
    path = shared_data / name
    facts = probe(path, LIMITS, tools())
    found = find_speech(path, facts, tools())
    assert sum(s.end - s.start for s in found) > share * facts.duration


def test_whoever_waits_hears_of_every_second_that_is_listened_to(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of sound takes minutes to listen to; whoever hears nothing for two ends the reader."""
    monkeypatch.setattr(operations, "_TELL_SECONDS", 0.0)
    told: list[tuple[str, int, int]] = []
    options = {"film_threads": 1, "film_seconds": 60, "film_pixels": 1 << 20, "film_rate": 60}
    reader = operations.FilmOperations((), lambda *_: [], options, lambda *step: told.append(step))
    request = {"path": str(talk), "facts": reader.facts({"path": str(talk)})}
    reader.speech(request)
    reader.recording({**request, "muted": [[1.0, 2.0]], "target": str(tmp_path / "out.m4a")})
    for step, seconds in (("listen", 12), ("render", 12), ("check", 25)):
        done = [d for s, d, _ in told if s == step]
        assert len(set(done)) >= 12, step
        assert done == sorted(done) and done[-1] >= seconds, step
