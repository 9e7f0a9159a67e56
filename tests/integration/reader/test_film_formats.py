"""Every kind of film that staff may drop is read upright, in the right colours, complete and in its own time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.domain.film import FilmLimits
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.probe import probe
from pipeline.reader.media_errors import FilmTooLong, TooManyPixels, UnsupportedFormat
from tests.support.films import (
    BLUE,
    GREEN,
    HEIGHT,
    LIMITS,
    RED,
    SCENE,
    WHITE,
    WIDTH,
    assert_scene,
    corners,
    ffmpeg,
    look,
    make,
    tools,
)

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1")
QUICK = ("-deadline", "realtime", "-cpu-used", "8")
PHONE = ("-ar", "8000", "-ac", "1", "-c:a", "libopencore_amrnb")
FORMATS = {
    "h264.mp4": (*H264, "-c:a", "aac"),
    "h264.mov": (*H264, "-c:a", "pcm_s16le"),
    "h264.m4v": (*H264, "-c:a", "aac", "-f", "mp4"),
    "h264.mkv": (*H264, "-c:a", "libopus"),
    "h264.ts": (*H264, "-c:a", "aac"),
    "h264.m2ts": (*H264, "-c:a", "ac3", "-mpegts_m2ts_mode", "1"),
    "h264.avi": (*H264, "-c:a", "libmp3lame"),
    "h264.flv": (*H264, "-c:a", "aac"),
    "h264.3gp": (*H264, *PHONE),
    "h263.3gp": ("-s", "176x144", "-aspect", "4:3", "-c:v", "h263", *PHONE),
    "hevc10.mp4": (*HEVC, "-x265-params", "log-level=error", "-c:a", "aac"),
    "vp8.webm": ("-c:v", "libvpx", *QUICK, "-c:a", "libvorbis"),
    "vp9.webm": ("-c:v", "libvpx-vp9", *QUICK, "-c:a", "libopus"),
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "11", "-c:a", "aac"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-c:a", "libmp3lame"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2"),
    "mpeg1.mpg": ("-c:v", "mpeg1video", "-q:v", "3", "-c:a", "mp2"),
    "wmv2.wmv": ("-c:v", "wmv2", "-q:v", "3", "-c:a", "wmav2"),
    "theora.ogv": ("-c:v", "libtheora", "-q:v", "8", "-c:a", "libvorbis"),
    "prores.mov": ("-c:v", "prores", "-c:a", "pcm_s16le"),
    "full-range.mp4": (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-vf",
        "scale=out_range=full",
        "-pix_fmt",
        "yuvj420p",
    ),
    "rgb.mkv": ("-c:v", "libx264rgb", "-preset", "ultrafast", "-c:a", "libopus"),
    "silent.mp4": (*H264, "-an"),
}
SOUNDS = {
    "sound.mp3": (),
    "sound.wav": (),
    "sound.m4a": (),
    "sound.ogg": ("-c:a", "libvorbis"),
    "sound.flac": (),
    "sound.aac": (),
    "sound.opus": (),
    "sound.wma": ("-f", "asf"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_format_is_read(name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, *FORMATS[name])
    facts, frames = look(path)
    assert facts.sound == (name != "silent.mp4")
    assert abs(facts.width - WIDTH) <= 32 and abs(facts.height - HEIGHT) <= 24  # H.263 knows few sizes
    assert abs(facts.width * 3 - facts.height * 4) <= 8
    assert facts.rate == 25
    assert abs(len(frames) - 25) <= 1
    assert abs(facts.duration - 1) < 0.1
    assert_scene(facts, frames)


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_recognised(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    ffmpeg("-f", "lavfi", "-i", "sine=440:r=48000:d=1", *SOUNDS[name], path)
    facts = probe(path, LIMITS, tools())
    assert (facts.width, facts.sound, facts.sound_channels) == (0, True, 1)
    assert abs(facts.duration - 1) < 0.1


@pytest.mark.parametrize(
    ("turned", "size", "order"),
    [
        (("-display_rotation", "90"), (HEIGHT, WIDTH), (GREEN, WHITE, RED, BLUE)),
        (("-display_rotation", "180"), (WIDTH, HEIGHT), (WHITE, BLUE, GREEN, RED)),
        (("-display_rotation", "270"), (HEIGHT, WIDTH), (BLUE, RED, WHITE, GREEN)),
        (("-display_hflip",), (WIDTH, HEIGHT), (GREEN, RED, WHITE, BLUE)),
    ],
)
def test_rotation_of_the_container_is_applied(
    turned: tuple[str, ...], size: tuple[int, int], order: tuple[tuple[int, int, int], ...], tmp_path: Path
) -> None:
    stored = make(tmp_path / "stored.mp4", *H264)
    ffmpeg(*turned, "-i", stored, "-c", "copy", tmp_path / "turned.mp4")
    facts, frames = look(tmp_path / "turned.mp4")
    assert (facts.width, facts.height) == size
    assert_scene(facts, frames, order)


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
def test_high_dynamic_range_becomes_standard(curve: str, tmp_path: Path) -> None:
    """Made from the standard scene at the usual white of 203 cd/m2: it must look as before."""
    marks = f"log-level=error:colorprim=bt2020:transfer={curve}:colormatrix=bt2020nc"
    wide = (
        "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709,zscale=t=linear:npl=203,"
        f"format=gbrpf32le,zscale=p=bt2020:t={curve}:m=bt2020nc:npl=203:r=limited,format=yuv420p10le"
    )
    path = make(tmp_path / "hdr.mp4", "-vf", wide, *HEVC, "-x265-params", marks)
    facts, frames = look(path)
    assert facts.hdr and facts.matrix == "bt709"
    for got, wanted in zip(corners(frames[5], facts), (RED, GREEN, BLUE, WHITE), strict=True):
        assert np.abs(got - wanted).max() < 80, (got, wanted)
        assert int(np.argmax(got)) == int(np.argmax(wanted)) or wanted == WHITE


@pytest.mark.parametrize("size", ["320x240", "1280x720"])
@pytest.mark.parametrize("named", ["unknown", "bt709", "smpte170m"])
def test_ordinary_colours_are_not_touched(size: str, named: str, tmp_path: Path) -> None:
    """A film of standard range comes through bit by bit, whether it names its colour matrix or not."""
    picture = f"testsrc2=s={size}:r=25:d=0.08,format=yuv420p,setparams=colorspace={named}"
    ffmpeg("-f", "lavfi", "-i", picture, *H264, "-qp", "0", tmp_path / "a.mp4")
    ffmpeg("-i", tmp_path / "a.mp4", "-frames:v", "1", "-f", "rawvideo", tmp_path / "raw")
    facts, frames = look(tmp_path / "a.mp4")
    assert frames[0].tobytes() == (tmp_path / "raw").read_bytes()
    small = size == "320x240"
    assert facts.matrix == {"unknown": "smpte170m" if small else "bt709"}.get(named, named)


def test_odd_size_is_made_even_by_its_last_column_and_row(tmp_path: Path) -> None:
    path = make(tmp_path / "odd.mp4", "-vf", "format=yuv444p,crop=157:117:0:0:exact=1", "-c:v", "libx264", "-qp", "0")
    facts, frames = look(path)
    assert (facts.width, facts.height, facts.upright) == (158, 118, (157, 117))
    luma = frames[5][:118]
    assert (luma[:, 157] == luma[:, 156]).all() and (luma[117] == luma[116]).all()
    assert luma[117].min() > 16  # nothing black was added


def test_pixels_are_made_square(tmp_path: Path) -> None:
    path = make(tmp_path / "wide.mp4", "-vf", "setsar=3/2", *H264)
    facts, frames = look(path)
    assert (facts.width, facts.height) == (WIDTH * 3 // 2, HEIGHT)
    assert_scene(facts, frames)


def test_interlaced_is_made_progressive(tmp_path: Path) -> None:
    facts, frames = look(make(tmp_path / "i.mp4", "-vf", "setfield=tff", *H264, "-x264-params", "tff=1"))
    assert facts.interlaced and len(frames) == 25
    assert_scene(facts, frames)


def test_variable_rate_keeps_time_and_loses_no_frame(tmp_path: Path) -> None:
    """Every third frame of the first half, then all: 25 a second is the smallest rate that has room for each."""
    chosen = "select='gt(n,30)+not(mod(n,3))'"
    path = make(tmp_path / "v.mp4", "-vf", chosen, "-fps_mode", "vfr", *H264, seconds=2)
    facts, frames = look(path)
    assert facts.rate == 25 and len(frames) == 50
    middle = [int(f[60, 80]) for f in frames]
    assert next(n for n, light in enumerate(middle) if light > 128) == 12  # the first kept one from 10 on


def test_slow_motion_is_read_at_an_allowed_rate(tmp_path: Path) -> None:
    path = tmp_path / "slow.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=240:d=1", *H264, path)
    facts, frames = look(path)
    assert facts.rate == 60 and len(frames) == 60


def test_picture_that_begins_late_is_there_from_the_start(tmp_path: Path) -> None:
    """Some phones begin with sound: the frames then stand still, so that picture and sound stay together."""
    film, path = make(tmp_path / "a.mp4", *H264, sound=False), tmp_path / "late.mp4"
    ffmpeg("-itsoffset", "0.8", "-i", film, "-f", "lavfi", "-i", "sine=440:d=2", "-c:v", "copy", "-c:a", "aac", path)
    frames = look(path)[1]
    assert len(frames) == 45
    middle = [int(f[60, 80]) for f in frames]
    assert next(n for n, light in enumerate(middle) if light > 128) == 30


@pytest.mark.parametrize("name", ["many.mp4", "many.mkv"])
def test_further_tracks_are_dropped(name: str, tmp_path: Path) -> None:
    film = make(tmp_path / "one.mp4", *H264, "-c:a", "aac")
    (tmp_path / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nAnna lives here\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text(
        ";FFMETADATA1\ntitle=Anna\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=Anna\n", encoding="utf-8"
    )
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", tmp_path / "cover.jpg")
    inputs: list[str | Path] = []
    for extra in (film, film, tmp_path / "s.srt", tmp_path / "c.txt"):
        inputs += ["-i", extra]
    if name.endswith("mp4"):
        cover: list[str | Path] = ["-i", tmp_path / "cover.jpg"]
        options: list[str | Path] = ["-c:s", "mov_text", "-map", "4", "-disposition:v:2", "attached_pic"]
    else:
        cover, options = [], ["-c:s", "srt", "-attach", tmp_path / "cover.jpg", "-metadata:s:t", "mimetype=image/jpeg"]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-map_metadata", "3", "-map_chapters", "3", "-c", "copy"]
    ffmpeg(*inputs, *cover, *maps, *options, tmp_path / name)
    facts, frames = look(tmp_path / name)
    assert_scene(facts, frames)
    told = " ".join(facts.notes)
    for dropped in ("1 cover", "1 further audio", "1 further video", "1 subtitle"):
        assert f"dropped: {dropped} track" in told


def test_a_second_look_gives_the_same_frames(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", *H264)
    facts, frames = look(path)
    some = dict(read_frames(path, facts, tools(), only={3, 17}))
    assert sorted(some) == [3, 17]
    assert all((some[n] == frames[n]).all() for n in some)


def test_size_change_in_the_middle_keeps_the_first_size(tmp_path: Path) -> None:
    for name, size in (("a", "160x120"), ("b", "320x240")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=1", *H264, tmp_path / f"{name}.h264")
    (tmp_path / "ab.h264").write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    ffmpeg("-framerate", "25", "-i", tmp_path / "ab.h264", "-c", "copy", tmp_path / "ab.ts")
    facts, frames = look(tmp_path / "ab.ts")
    assert (facts.width, facts.height, len(frames)) == (160, 120, 50)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_animation_is_read_as_a_film(name: str, tmp_path: Path) -> None:
    codec = {"a.gif": (), "a.png": ("-f", "apng"), "a.webp": ("-c:v", "libwebp_anim", "-lossless", "1")}[name]
    scene = f"{SCENE},fps=5,format=rgba,crop=159:119:0:0:exact=1,trim=duration=1"
    ffmpeg("-f", "lavfi", "-i", scene, *codec, tmp_path / name)
    facts, frames = look(tmp_path / name)
    assert (facts.width, facts.height, facts.upright, facts.sound) == (160, 120, (159, 119), False)
    assert abs(facts.duration - 1) <= 0.2 and len(frames) == round(facts.duration * facts.rate)
    assert_scene(facts, frames)


def test_durations_and_see_through_parts_of_an_animation(tmp_path: Path) -> None:
    """Two pictures, the second drawn over the first and half of it see-through: 0.2 s and 0.6 s."""
    first = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    second = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    second.paste((0, 0, 255, 255), (20, 0, 40, 40))
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=[second], duration=[200, 600], blend=1, disposal=0)
    facts, frames = look(path)
    assert (facts.rate, facts.duration, len(frames)) == (5, 0.8, 4)
    assert np.abs(corners(frames[0], facts)[1] - RED).max() < 10
    assert np.abs(corners(frames[1], facts)[0] - RED).max() < 10
    assert np.abs(corners(frames[1], facts)[1] - BLUE).max() < 10


def test_picture_that_does_not_move_is_no_film(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.gif")
    with pytest.raises(UnsupportedFormat, match="does not move"):
        probe(tmp_path / "a.gif", LIMITS, tools())


def test_limits_say_what_is_wrong(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", *H264)
    with pytest.raises(FilmTooLong, match="Cut it into parts"):
        probe(path, FilmLimits(seconds=0.5), tools())
    with pytest.raises(TooManyPixels, match="smaller"):
        probe(path, FilmLimits(pixels=1000), tools())


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "size", "frames"),
    [
        ("video/sideways_movie.mov", (480, 640), 25),
        ("video/awesome_movie.mov", (640, 480), 147),
        ("video/file_with_data_streams.mp4", (480, 320), 309),
        ("video/short_hamilton_clip.mp4", (640, 360), 300),
        ("nasty/metadata/dirty.mp4", (560, 320), 166),
        ("nasty/metadata/dirty.avi", None, None),
        ("nasty/metadata/dirty.wmv", None, None),
    ],
)
def test_films_of_real_cameras(name: str, size: tuple[int, int] | None, frames: int | None, shared_data: Path) -> None:
    facts = probe(shared_data / name, LIMITS, tools())
    count = sum(1 for _ in read_frames(shared_data / name, facts, tools()))
    assert size is None or (facts.width, facts.height) == size
    assert count == (frames if frames is not None else pytest.approx(facts.expected_frames, abs=2))
