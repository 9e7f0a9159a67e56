"""Secret marks in every place of every format, through the real service: nothing of them is in what is published.

tests/integration/reader/test_photo_carriers.py does the same for each carrier of a photo alone. Here tools that others
wrote put the marks in (exiftool, ffmpeg, Pillow), and tools that others wrote look for them (exiftool, ffprobe, mat2).
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.integration.reader.test_photo_carriers import CARRIERS, SECRET, every_byte, film, segment
from tests.support.films import ffmpeg, tools
from tests.support.school import School

pytestmark = pytest.mark.attack

WORD = SECRET.decode()
PHOTOS = ("jpg", "png", "gif", "webp", "tif", "heic", "avif")
FILMS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx", "avi": "mpeg4"}
SOUNDS = {"mp3": "libmp3lame", "m4a": "aac", "ogg": "libvorbis", "flac": "flac", "wav": "pcm_s16le"}
EXIFTOOL_TAGS = (
    "Artist",
    "ImageDescription",
    "UserComment",
    "XMP:Creator",
    "XMP:Subject",
    "XMP-dc:Description",
    "IPTC:Caption-Abstract",
    "IPTC:By-line",
    "Comment",
    "GPSAreaInformation",
    "XMP:Location",
    "PNG:Author",
)
MAGENTA = (250, 0, 250)  # the other picture: thumbnails, covers, second tracks
ALLOWED_TAGS = {"major_brand", "minor_version", "compatible_brands", "language", "handler_name", "vendor_id", "encoder"}
WRITTEN = {
    "isom",
    "iso2",
    "isomiso2avc1mp41",
    "512",
    "und",
    "VideoHandler",
    "SoundHandler",
    "[0][0][0][0]",
    "M4A ",
    "M4A isomiso2",
    "isomiso2mp41",
    "Lavc libx264",
}
"""What the MP4 writer puts into these tags, whatever came in."""


def photos(folder: Path, portrait: Path, other: Path) -> None:
    image = Image.open(portrait).convert("RGB").resize((480, 600))
    for extension in PHOTOS:
        image.save(folder / f"photo-{extension}.{extension}", {"heic": "HEIF", "avif": "AVIF"}.get(extension))
    if shutil.which("exiftool"):
        tags = [f"-{tag}={WORD}" for tag in EXIFTOOL_TAGS]
        tags += ["-GPSLatitude=52.1", "-GPSLatitudeRef=N", f"-ThumbnailImage<={other}", f"-PhotoshopThumbnail<={other}"]
        files = [str(p) for p in folder.glob("photo-*")]
        subprocess.run(["exiftool", "-q", "-m", "-overwrite_original", *tags, *files], check=False, timeout=60)
    for path in folder.glob("photo-*"):  # behind the end, and where the format has a free place of its own
        data = path.read_bytes()
        if path.suffix == ".jpg":
            data = data[:2] + segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x40jumbjumdc2pa" + SECRET) + data[2:]
        if path.suffix in (".heic", ".avif"):
            data += struct.pack(">I4s", 8 + len(SECRET), b"free") + SECRET
        path.write_bytes(data + SECRET + other.read_bytes())
    for name in ("mpo", "jpeg exif thumbnail", "jpeg mpf", "jpeg trailing film", "apng", "heif thumbnail"):
        (folder / f"{name.replace(' ', '-')}.bin").write_bytes(CARRIERS[name]())
    (folder / "refused.bmp").write_bytes(b"BM" + SECRET)


def films(folder: Path, work: Path, other: Path) -> None:
    chapters, words = work / "chapters.txt", work / "words.srt"
    chapters.write_text(f";FFMETADATA1\ntitle={WORD}\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle={WORD}\n")
    words.write_text(f"1\n00:00:00,000 --> 00:00:00,500\n{WORD}\n")
    marks = [
        x
        for tag in ("title", "artist", "comment", "location", "description", "copyright", "make")
        for x in ("-metadata", f"{tag}={WORD}")
    ]
    for extension, codec in FILMS.items():
        path, more = folder / f"film-{extension}.{extension}", ["-map", "0:v", "-map", "1:a"]
        inputs = [
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=160x120:r=10:d=1",
            "-f",
            "lavfi",
            "-i",
            "sine=d=1",
            "-f",
            "lavfi",
            "-i",
            "color=magenta:s=160x120:r=10:d=1",
            "-i",
            chapters,
            "-i",
            words,
        ]
        if extension != "webm":
            more += ["-map", "2:v", "-map", "1:a"]
        if extension != "avi":
            more += ["-map", "4:s", "-c:s", {"mkv": "srt", "webm": "webvtt"}.get(extension, "mov_text")]
        if extension == "mkv":
            more += ["-attach", words, "-metadata:s:t", "mimetype=text/plain"]
        if codec == "libx264":
            more += ["-bsf:v", f"h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+{WORD}"]
        ffmpeg(
            *inputs,
            *more,
            "-map_metadata",
            "3",
            "-map_chapters",
            "3",
            *marks,
            "-metadata:s:v",
            f"title={WORD}",
            "-metadata:s:a",
            f"handler_name={WORD}",
            "-c:v",
            codec,
            path,
        )
        if extension in ("mp4", "mov"):
            extra = b"".join(
                struct.pack(">I4s", 8 + len(SECRET) * 2, kind) + SECRET * 2 for kind in (b"free", b"udta", b"uuid")
            )
            path.write_bytes(path.read_bytes() + extra)


def sounds(folder: Path, other: Path) -> None:
    for extension, codec in SOUNDS.items():
        path, cover = folder / f"sound-{extension}.{extension}", extension in ("mp3", "m4a", "flac")
        inputs = ["-f", "lavfi", "-i", "sine=d=2", *(["-i", other, "-map", "0", "-map", "1"] if cover else [])]
        options = ["-c:v", "copy", "-disposition:v", "attached_pic"] if cover else []
        marks = [x for tag in ("title", "artist", "comment", "lyrics", "album") for x in ("-metadata", f"{tag}={WORD}")]
        ffmpeg(*inputs, *options, *marks, "-c:a", codec, path)
        if extension == "wav":
            data = path.read_bytes() + b"iXML" + struct.pack("<I", len(SECRET)) + SECRET
            path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


@pytest.mark.slow
def test_no_mark_survives_in_anything_published(tmp_path: Path, weights: Path, samples: Path) -> None:
    school = School(tmp_path / "s", matching=False)
    school.register([{"person_id": "P1", "name": "Zoë Brandsma", "group": "1A"}], {})
    event, other = school.inbox / "verjaardag zoe", tmp_path / "other.jpg"
    event.mkdir()
    (event / "event.toml").write_text('groups = ["1A"]\n')  # everybody there may be heard: recordings come out whole
    Image.new("RGB", (64, 48), MAGENTA).save(other, comment=SECRET)
    photos(event, samples / "biden.jpg", other)
    films(event, tmp_path, other)
    sounds(event, other)
    (event / "ZOË in de klas.jpg").write_bytes((samples / "obama2.jpg").read_bytes())
    carried = [p.name for p in event.iterdir() if any(SECRET in part for part in every_byte(p.read_bytes()))]
    assert len(carried) >= 20  # the marks are really there before
    result = json.loads(school.run("process", "--json", ok=False).stdout)
    states = {i["name"]: (i["state"], i["reasons"]) for i in result["items"]}
    assert states.pop("refused.bmp")[0] == "rejected"
    assert {n: s for n, s in states.items() if s[0] != "published"} == {}
    names = school.published()
    assert len(names) == 2 * len(states)
    assert not [n for n in names if re.search("zo[eë]|brandsma", n, re.I)]
    assert {n.split("/")[1] for n in names} == {"event-1"}
    assert [e for e in school.log() if e["kind"] == "item.decided" and e["body"].get("names_in_path") == ["P1"]]
    assert "its own holds a name of P1" in school.run("log").stdout
    once = {(school.publish / n).read_bytes(): n for n in names}  # both channels get the same bytes here
    wrong = {n: found for n in once.values() if (found := marks_in(school.publish / n))}
    assert wrong == {}


def marks_in(path: Path) -> list[str]:
    """What is in a published file beside the picture and the sound."""
    data, found = path.read_bytes(), list[str]()
    forms = {SECRET, WORD.encode("utf-16-le"), WORD.encode("utf-16-be"), base64.b64encode(SECRET)[:16]}
    found += [f"bytes {s!r}" for part in every_byte(data) for s in forms if s in part]
    if path.suffix in (".jpg", ".png"):
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        if ((pixels[..., 0] > 230) & (pixels[..., 1] < 30) & (pixels[..., 2] > 230)).mean() > 0.5:
            found.append("the other picture")
    else:
        found += _by_ffprobe(path)
    if shutil.which("exiftool"):
        found += _by_exiftool(path)
    if shutil.which("mat2"):
        found += _by_mat2(path)
    return found


def _by_ffprobe(path: Path) -> list[str]:
    command = [tools().ffprobe, "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json", path]
    said: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    kinds = [s["codec_type"] for s in said["streams"]]
    found = [f"streams {kinds}"] if sorted(set(kinds)) != sorted(kinds) or set(kinds) - {"audio", "video"} else []
    found += ["chapters"] if said["chapters"] else []
    for part in (said["format"], *said["streams"]):
        tags = part.get("tags", {})
        found += [f"tag {k}={v}" for k, v in tags.items() if k not in ALLOWED_TAGS or v not in WRITTEN]
    return found


def _by_exiftool(path: Path) -> list[str]:
    command = ["exiftool", "-j", "-a", "-u", "-ee", "-G0", str(path)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)[0]
    allowed = {"SourceFile", "File", "ExifTool", "Composite", "JFIF", "PNG", "ICC_Profile", "QuickTime"}
    groups = {key.split(":")[0] for key in said}
    # It shows the time 0 of an MP4 as a date of zeros.
    dated = [
        k
        for k, v in said.items()
        if "Date" in k and not k.startswith("File:") and "0000:00:00" not in str(v) and not k.startswith("ICC_Profile:")
    ]
    return [f"exiftool {g}" for g in groups - allowed] + [f"exiftool {k}" for k in dated]


def _by_mat2(path: Path) -> list[str]:
    done = subprocess.run(["mat2", "--show", str(path)], capture_output=True, text=True, check=False, timeout=60)
    lines = [line.strip() for line in done.stdout.splitlines() if ":" in line and "metadata for" not in line.lower()]
    return [f"mat2 {line}" for line in lines if WORD in line or "zo" in line.lower().split(":")[-1].split()]


@pytest.mark.skipif(shutil.which("mat2") is None, reason="mat2, an independent reader, is not installed")
def test_the_readers_find_the_marks_before(tmp_path: Path) -> None:
    """What the test above looks with does see what it looks for."""
    path = tmp_path / "a.jpg"
    path.write_bytes(CARRIERS["jpeg exif"]())
    assert _by_mat2(path) and _by_exiftool(path)
    (tmp_path / "b.mp4").write_bytes(film())
    assert marks_in_bytes(tmp_path / "b.mp4")


def marks_in_bytes(path: Path) -> bool:
    return any(SECRET in part for part in every_byte(path.read_bytes()))
