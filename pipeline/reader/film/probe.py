"""What a film is, before anything of it is decoded: ffprobe's description, judged by an allow-list.

Nothing of the description is believed further than it is checked: the demuxer is ours (pipeline.reader.film.demuxers),
codecs are on a list, sizes and durations are limited, and every packet of the picture is walked once, which finds
films that are cut off and tells when each frame is shown.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import FilmFacts, FilmLimits
from pipeline.domain.types import JsonObject
from pipeline.reader.film import demuxers as families
from pipeline.reader.film.command_lines import file_options, option_list
from pipeline.reader.film.ffmpeg import Tools, lines_of, output_of
from pipeline.reader.film.rates import constant_rate, variable_rate
from pipeline.reader.media_errors import (
    TooManyPixels,
    UnreadableFile,
    UnsupportedFormat,
    damaged_film,
    film_too_long,
)

VIDEO_CODECS = (
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "av1",
    "mpeg4",
    "mpeg1video",
    "mpeg2video",
    "msmpeg4v2",
    "msmpeg4v3",
    "wmv1",
    "wmv2",
    "wmv3",
    "vc1",
    "mjpeg",
    "h263",
    "h263p",
    "flv1",
    "theora",
    "dvvideo",
    "prores",
)
SOUND_CODECS = (
    "aac",
    "mp3",
    "mp2",
    "ac3",
    "eac3",
    "opus",
    "vorbis",
    "flac",
    "alac",
    "amr_nb",
    "amr_wb",
    "wmav1",
    "wmav2",
    "wmapro",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "pcm_s24be",
    "pcm_s32le",
    "pcm_s32be",
    "pcm_f32le",
    "pcm_f32be",
    "pcm_u8",
    "pcm_s8",
    "pcm_alaw",
    "pcm_mulaw",
    "adpcm_ima_wav",
    "adpcm_ms",
    "adpcm_ima_qt",
)

MAX_SIDE = 16_000
"""H.264 as we write it has no more than 16384 pixels on a side."""

_CUT_OFF_SECONDS = 0.5  # a track may end this much, or 1 %, before the duration its container claims
_CUT_OFF_PART = 0.01
_NO_CLAIM = frozenset({"mp3", "aac", "amr", "mpeg", "mpegts"})
"""Formats without an index: their duration is only guessed from their size."""

_MAX_PACKETS_PER_SECOND = 1000  # of all tracks together
_WALK_SECONDS = 900.0
_SD = (1024, 576)  # pictures up to this size with no colour matrix named are taken as standard definition
_WIDE_CURVES = {"smpte2084", "arib-std-b67", "bt2020-10", "bt2020-12"}
_SD_MATRICES = {"smpte170m", "bt470bg", "fcc"}


def probe(path: Path, limits: FilmLimits, tools: Tools) -> FilmFacts:
    """Find out what a film or recording is. Opens no other file than `path`, and decodes nothing but headers.

    Raises `UnsupportedFormat`, `DamagedFilm`, `FilmTooLong`, `TooManyPixels`, `UnreadableFile`, `ToolUnavailable`.
    """
    family = family_of_file(path)
    if family in families.ANIMATIONS:
        from pipeline.reader.film.animation import probe_animation  # noqa: PLC0415 - Pillow is for these alone

        return probe_animation(path, family, limits)
    description = _describe(path, family, limits, tools)
    notes: list[str] = []
    video, sound = _choose(description, notes)
    unreadable = any(_role(s) == "unreadable video" for s in description["streams"])
    if video is None and (sound is None or unreadable):  # a film whose picture is not read is no sound recording
        raise _unknown_codecs(description)
    begin = max(0.0, _number(description["format"].get("start_time")))
    claims = _claim(family, description)
    if claims > limits.seconds:
        raise film_too_long(claims, limits.seconds)
    chosen = [s for s in (video, sound) if s is not None]
    times, ends = _walk(path, family, chosen[0]["index"], limits, tools)
    ends = {index: end - begin for index, end in ends.items()}
    _demand_whole(claims, max(ends.values()))
    whole = 0.0
    for stream in chosen:
        held, own = ends.get(stream["index"], 0.0), _number(stream.get("duration"))
        late = max(0.0, _number(stream.get("start_time")) - begin)
        claimed = own + late if own > 0 and family not in _NO_CLAIM and family != "asf" else 0.0
        _demand_whole(claimed, held)
        whole = max(whole, held, claimed)
    if whole > limits.seconds:
        raise film_too_long(whole, limits.seconds)
    facts = FilmFacts(family, 0, 0, Fraction(0), whole, sound is not None, notes=tuple(notes))
    if video is not None:
        facts = _with_video(facts, video, times - begin, ends[video["index"]], limits)
    return _with_sound(facts, sound, ends) if sound is not None else facts


def _claim(family: str, description: JsonObject) -> float:
    """Seconds that the container says it lasts; 0 where it does not say."""
    if family in _NO_CLAIM:
        return 0.0
    if family == "asf":  # every track is given the duration of the file, and the file that of its latest track
        return max(_number(s.get("duration")) for s in description["streams"])
    return max(0.0, _number(description["format"].get("duration")))


def _demand_whole(claimed: float, held: float) -> None:
    if claimed - held > max(_CUT_OFF_SECONDS, _CUT_OFF_PART * claimed):
        raise damaged_film(f"claims {claimed:.2f} s and holds {held:.2f} s")


def family_of_file(path: Path) -> str:
    """The demuxer for this file. Raises `UnsupportedFormat`, `DamagedFilm` (empty) or `UnreadableFile`."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - flags
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableFile("This is not a plain file. Drop the film itself.", "not a regular file")
            head = file.read(4096)
    except OSError as error:
        raise UnreadableFile(
            "The file cannot be read. Check that it still exists and that Beeldwacht may read it.",
            f"{type(error).__name__} {error.errno}",
        ) from error
    if not head:
        raise damaged_film("0 bytes")
    family = families.family_of(head)
    if family is None:
        raise UnsupportedFormat(
            "This is not a film or recording in a format that can be checked (MP4, MOV, MKV, WebM, AVI, MPG, 3GP, WMV; "
            "MP3, WAV, M4A, OGG, FLAC), whatever its name says. Export it as MP4 and drop it again.",
            f"starts with {head[:12].hex(' ')}",
        )
    return family


def _ffprobe(family: str, limits: FilmLimits, tools: Tools) -> list[str]:
    return [tools.ffprobe, "-v", "error", "-max_pixels", str(limits.pixels), *option_list(file_options(family))]


def _describe(path: Path, family: str, limits: FilmLimits, tools: Tools) -> JsonObject:
    command = [*_ffprobe(family, limits, tools), "-show_format", "-show_streams", "-of", "json", f"file:{path}"]
    try:
        value: Any = json.loads(output_of(command, 4 << 20))
    except ValueError as error:
        raise damaged_film("its description makes no sense") from error
    if not isinstance(value, dict) or not value.get("streams"):
        raise damaged_film("no tracks")
    value.setdefault("format", {})
    return value


def _choose(description: JsonObject, notes: list[str]) -> tuple[JsonObject | None, JsonObject | None]:
    """The track of the picture and the track of the sound: those marked as default, else the first that can be read."""
    chosen: dict[str, JsonObject] = {}
    dropped: dict[str, int] = {}
    for stream in description["streams"]:
        kind = _role(stream)
        current = chosen.get(kind)
        if kind not in ("video", "audio"):
            dropped[kind] = dropped.get(kind, 0) + 1
        elif current is None:
            chosen[kind] = stream
        else:
            if stream["disposition"].get("default") and not current["disposition"].get("default"):
                chosen[kind] = stream
            dropped[f"further {kind}"] = dropped.get(f"further {kind}", 0) + 1
    notes += [f"dropped: {count} {name} track{'s'[: count > 1]}" for name, count in sorted(dropped.items())]
    if description.get("chapters"):
        notes.append("dropped: chapters")
    return chosen.get("video"), chosen.get("audio")


def _role(stream: JsonObject) -> str:
    """What a track is: "video" and "audio" can be kept, everything else is the name of what is dropped."""
    kind, codec = str(stream.get("codec_type", "data")), str(stream.get("codec_name", ""))
    disposition = stream.setdefault("disposition", {})
    if disposition.get("attached_pic") or disposition.get("timed_thumbnails") or disposition.get("still_image"):
        return "cover"
    if kind == "video":
        readable = codec in VIDEO_CODECS and _whole(stream.get("width")) > 0 and _whole(stream.get("height")) > 0
        return "video" if readable else "unreadable video"
    if kind == "audio":
        readable = codec in SOUND_CODECS and _whole(stream.get("channels")) > 0
        return "audio" if readable else "unreadable sound"
    return kind if kind in ("subtitle", "attachment") else "data"


def _unknown_codecs(description: JsonObject) -> UnsupportedFormat:
    names = sorted({str(s.get("codec_name") or s.get("codec_tag_string") or "?")[:20] for s in description["streams"]})
    return UnsupportedFormat(
        "The picture and sound of this film are stored in a way that cannot be read here. Export it as MP4 (H.264) and "
        "drop it again.",
        f"codecs: {', '.join(names[:8])}",
    )


def _walk(
    path: Path, family: str, index: int, limits: FilmLimits, tools: Tools
) -> tuple[NDArray[np.float64], dict[int, float]]:
    """When each packet of one track is shown (seconds, sorted; none if not told), and when every track ends."""
    command = [
        *_ffprobe(family, limits, tools),
        "-show_entries",
        "packet=stream_index,pts_time,dts_time,duration_time,flags",
        "-of",
        "compact=p=0",
        f"file:{path}",
    ]
    times, decoded = array("d"), array("d")
    ends, lags = dict[int, float](), dict[int, float]()
    left = int(limits.seconds * _MAX_PACKETS_PER_SECOND)
    for line in lines_of(command, _WALK_SECONDS):
        left -= 1
        if left < 0:
            raise film_too_long(max(ends.values(), default=0.0), limits.seconds)
        entry = dict(part.split("=", 1) for part in line.decode("ascii", "replace").strip().split("|") if "=" in part)
        if "D" in entry.get("flags", ""):  # outside of the list of edits, never shown
            continue
        track, read = _whole(entry.get("stream_index")), _number(entry.get("dts_time"), math.nan)
        shown = _number(entry.get("pts_time"), math.nan)
        if track == index:
            times.append(shown)
            decoded.append(read)
        if math.isnan(shown):  # MPEG and AVI do not tell it of every frame
            shown = read + lags.get(track, 0.0)
        elif not math.isnan(read):
            lags.setdefault(track, shown - read)
        if not math.isnan(shown):
            ends[track] = max(ends.get(track, 0.0), shown + max(0.0, _number(entry.get("duration_time"))))
    known = next((a for a in map(np.array, (times, decoded)) if len(a) and not np.isnan(a).any()), None)
    if index not in ends or (known is None and not times):
        raise damaged_film("no frames")
    return np.sort(known) if known is not None else np.zeros(0), ends


def _with_video(
    facts: FilmFacts, video: JsonObject, times: NDArray[np.float64], end: float, limits: FilmLimits
) -> FilmFacts:
    notes = list(facts.notes)
    upright = upright_size(video, notes)
    width, height = (n + n % 2 for n in upright)
    if upright != (width, height):
        notes.append("odd size made even")
    if width * height > limits.pixels or max(width, height) > MAX_SIDE:
        raise TooManyPixels(
            f"The film's picture is {width} x {height} pixels, more than the {limits.pixels / 1e6:g} million that are "
            "taken. Export it smaller and drop it again.",
            f"{width}x{height}",
        )
    real, average = _fraction(video.get("r_frame_rate")), _fraction(video.get("avg_frame_rate"))
    rate = constant_rate(real, average, limits.rate)
    if rate is None:
        rate = variable_rate(times, limits.rate)
        notes.append(f"variable frame rate, read at {float(rate):g} a second")
    curve = video.get("color_transfer")
    hdr = curve in _WIDE_CURVES or (curve == "bt709" and video.get("color_space") == "bt2020nc")
    if hdr:
        notes.append("wide range of colours reduced to standard")
    if video.get("field_order") in ("tt", "bb", "tb", "bt"):
        notes.append("interlaced, made progressive")
    matrix = "bt709" if hdr else _matrix(video, width, height)
    return replace(
        facts,
        width=width,
        height=height,
        rate=rate,
        hdr=hdr,
        matrix=matrix,
        notes=tuple(notes),
        video_codec=str(video["codec_name"]),
        video_stream=int(video["index"]),
        video_end=end,
        upright=upright,
        interlaced=video.get("field_order") in ("tt", "bb", "tb", "bt"),
    )


def _with_sound(facts: FilmFacts, sound: JsonObject, ends: dict[int, float]) -> FilmFacts:
    return replace(
        facts,
        sound_codec=str(sound["codec_name"]),
        sound_stream=int(sound["index"]),
        sound_channels=1 if _whole(sound.get("channels")) == 1 else 2,
        sound_end=ends.get(int(sound["index"]), 0.0),
    )


def upright_size(video: JsonObject, notes: list[str]) -> tuple[int, int]:
    """Width and height of the frames as they are to be seen: square pixels, turned upright."""
    width, height = _whole(video.get("width")), _whole(video.get("height"))
    shape = _fraction(str(video.get("sample_aspect_ratio", "1:1")).replace(":", "/"))
    if shape > 0 and shape != 1:
        if Fraction(1, 4) <= shape <= 4:
            width, height = (round(width * shape), height) if shape > 1 else (width, round(height / shape))
            notes.append("pixels made square")
        else:
            notes.append("the shape of its pixels makes no sense, taken as square")
    turned = next((_number(s.get("rotation")) for s in video.get("side_data_list", ()) if "rotation" in s), 0.0)
    if round(turned) % 180 == 90:
        width, height = height, width
    return max(1, width), max(1, height)


def _matrix(video: JsonObject, width: int, height: int) -> str:
    named = video.get("color_space", "unknown")
    if named in _SD_MATRICES:
        return "smpte170m"
    small = max(width, height) <= _SD[0] and min(width, height) <= _SD[1]
    return "smpte170m" if named in ("unknown", "reserved") and small else "bt709"


def _number(value: object, default: float = 0.0) -> float:
    with contextlib.suppress(TypeError, ValueError):
        number = float(str(value))
        if math.isfinite(number):
            return number
    return default


def _whole(value: object) -> int:
    return int(_number(value))


def _fraction(value: object) -> Fraction:
    with contextlib.suppress(ValueError, ZeroDivisionError):
        return Fraction(str(value))
    return Fraction(0)
