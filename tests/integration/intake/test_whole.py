"""What is still being written has no end yet: real files of each kind, cut anywhere, and whole."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from pipeline.intake.whole import looks_whole
from tests.support.films import make

SOUND = ("-c:a", "aac")
H264 = ("-c:v", "mpeg4", *SOUND)


def whole(path: Path, size: int | None = None) -> bool:
    """Whether a file of so many of its bytes looks whole."""
    data = path.read_bytes()
    part = path.with_name("part")
    part.write_bytes(data[:size])
    fd = os.open(part, os.O_RDONLY)
    try:
        return looks_whole(fd, part.stat().st_size)
    finally:
        os.close(fd)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    found = {
        "index at the end": make(folder / "a.mp4", *H264),
        "index first": make(folder / "b.mp4", *H264, "-movflags", "+faststart"),
        "in fragments": make(folder / "c.mp4", *H264, "-movflags", "frag_keyframe+empty_moov"),
        "QuickTime": make(folder / "d.mov", *H264),
        "Matroska": make(folder / "e.mkv", *H264),
        "WebM": make(folder / "f.webm", "-c:v", "libvpx", "-c:a", "libopus"),
        "AVI": make(folder / "g.avi", *H264),
    }
    pillow_heif.register_heif_opener()
    picture = Image.effect_noise((200, 160), 60).convert("RGB")
    for name in ("HEIC", "AVIF", "WebP", "JPEG", "PNG"):
        found[name] = folder / f"photo.{name.lower()}"
        picture.save(found[name], format={"HEIC": "HEIF"}.get(name, name))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("a.jpg", os.urandom(5000))
        z.writestr("b.jpg", os.urandom(5000))
        z.comment = b"made by a portal"
    found["ZIP"] = folder / "a.zip"
    found["ZIP"].write_bytes(buffer.getvalue())
    return found


KINDS = (
    *("index at the end", "index first", "in fragments", "QuickTime", "Matroska", "WebM", "AVI"),
    *("HEIC", "AVIF", "WebP", "JPEG", "PNG", "ZIP"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_whole_with_its_last_byte_and_not_before(files: dict[str, Path], kind: str) -> None:
    path = files[kind]
    size = path.stat().st_size
    assert whole(path)
    if kind == "in fragments":  # each fragment is an end
        cuts = [size // 3 + 1, size - 1]
    else:
        cuts = [1, 40, size // 3, size // 2, size * 9 // 10, size - (13 if kind == "PNG" else 2)]
    assert [n for n in cuts if whole(path, n) and n > 12] == []


def test_room_that_was_set_apart_first_is_not_whole(files: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("index at the end", "index first", "Matroska", "ZIP"):
        data = files[kind].read_bytes()
        path = tmp_path / "reserved"
        path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
        assert not whole(path), kind


def test_what_a_phone_adds_behind_a_film_does_no_harm(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "added.mp4"
    path.write_bytes(files["index first"].read_bytes() + b"\0\0\0\x01\x02\x03\x04\x05 added")
    assert whole(path)


def test_nothing_and_what_has_no_end_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    assert not whole(path)
    path.write_bytes(b"GIF89a")
    assert whole(path)
