"""Every file of the collection of nasty media ends in a clean photo or in a reason, quickly and in little memory."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.reader import photo_codec
from pipeline.reader.media_errors import MediaError

pytestmark = pytest.mark.shared

FATES = {
    "formats/16bit.MM.cropped.tif": "16 bit reduced to 8",
    "formats/mode_16bit.png": "animated: first of 3 frames only",
    "formats/frame_size.mpo": "colour profile Display P3 converted to sRGB",
    "formats/sugarshack.mpo": "further pictures",
    "formats/tiff_strip_cmyk_jpeg.tif": "CMYK converted",
    "formats/xmp_tags_orientation.png": "colour profile ColorMatch RGB converted to sRGB",
    "formats/icc-after-SOF.jpg": "colour profile is broken",
    "heif/RGB_12__29x100.heif": "12 bit reduced to 8",
    "heif/zPug_3.heic": "first of 3 pictures only",
    "metadata/dirty.gif": "animated: first of 8 frames only",
    "motion/sample_MP.heic": "film of a motion photo",
    "formats/truncated_jpeg.jpg": "damaged",
    "formats/truncated_image.png": "damaged",
    "formats/broken_data_stream.png": "damaged",
    "formats/crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif": "damaged",
    "formats/oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": "damaged",
    "motion/pixel-motion-photo-shortened.jpg": "damaged",
    "heif/empty.heic": "damaged",
    "formats/16bit.cropped.jp2": "unsupported_format",
    "formats/badrle.bmp": "unsupported_format",
    "formats/timeout-1ee28a249896e05b83840ae8140622de8e648ba9.psd": "unsupported_format",
    "metadata/dirty.mp4": "film_not_supported",
    "metadata/dirty.avi": "film_not_supported",
    "metadata/dirty.wmv": "film_not_supported",
    "metadata/dirty.mp3": "sound_not_supported",
    "metadata/dirty.ogg": "sound_not_supported",
}
"""For some files what must come of them: a remark, or the reason of the refusal."""


@pytest.fixture(scope="module")
def nasty(shared_data: Path) -> Path:
    return shared_data / "nasty"


def files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert found
    return found


def test_every_file_is_published_clean_or_refused_with_a_reason(nasty: Path, tmp_path: Path) -> None:
    wrong, published, refused, slowest = [], 0, 0, 0.0
    for path in files(nasty):
        begin = time.monotonic()
        try:
            photo = photo_codec.decode(path)
        except MediaError as error:
            refused += 1
            if error.reason not in ("damaged", "unsupported_format", "film_not_supported", "sound_not_supported"):
                wrong.append((path.name, error.reason))
        else:
            published += 1
            photo_codec.encode(photo.pixels, photo.output_format, tmp_path / "out")
            wrong += [(path.name, check) for check in photo_codec.scan_output(tmp_path / "out") if not check.passed]
            again = photo_codec.decode(tmp_path / "out").pixels
            # Saturated 1-pixel noise is what JPEG changes most; a displaced or missing picture differs far more.
            if again.shape != photo.pixels.shape or float(cv2.absdiff(again, photo.pixels).mean()) > 12:
                wrong.append((path.name, "published pixels differ"))
        slowest = max(slowest, time.monotonic() - begin)
    assert wrong == []
    assert slowest < 20
    assert published > 100 and refused > 80


@pytest.mark.parametrize("name", FATES)
def test_what_becomes_of_this_file(nasty: Path, name: str) -> None:
    try:
        photo = photo_codec.decode(nasty / name)
    except MediaError as error:
        assert error.reason == FATES[name]
    else:
        assert any(FATES[name] in note for note in photo.notes)


def test_memory_is_bounded_for_all_of_them(nasty: Path) -> None:
    """In a process that may hold 1.5 GB and use 60 s: it comes to the end, whatever the files claim."""
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom pipeline.reader import photo_codec\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "reasons = set()\n"
        "for path in sys.stdin.read().splitlines():\n"
        "    try:\n        photo_codec.decode(Path(path))\n"
        "    except photo_codec.MediaError as error:\n        reasons.add(error.reason)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, *reasons)\n"
    )
    names = "\n".join(map(str, files(nasty)))
    run = subprocess.run([sys.executable, "-c", program], input=names, capture_output=True, text=True, check=True)
    megabytes, *reasons = run.stdout.split()
    assert int(megabytes) < 1024
    assert "too_large" not in reasons


def upright(path: Path) -> np.ndarray:
    return cv2.resize(photo_codec.decode(path).pixels, (24, 36), interpolation=cv2.INTER_AREA).astype(int)


def test_one_scene_in_all_orientations_comes_out_the_same(nasty: Path) -> None:
    pictures = {path.name: upright(path) for path in files(nasty / "orientation")}
    assert len(pictures) == 9
    first = pictures["Portrait_1.jpg"]
    for name, small in pictures.items():
        # The scenes differ in the number painted on them, so a few cells may; a turned one differs everywhere.
        assert np.abs(small - first).mean() < 4, name
        assert np.abs(small[::-1] - first).mean() > 15 and np.abs(small[:, ::-1] - first).mean() > 15


@pytest.mark.parametrize(
    ("plain", "others"),
    [
        (
            "hopper_orientation_2.jpg",
            ["hopper_orientation_3.jpg", "hopper_orientation_6.jpg", "hopper_orientation_8.jpg"],
        ),
        ("hopper_orientation_2.webp", [f"hopper_orientation_{i}.webp" for i in (3, 4, 5, 6, 8)]),
        ("g4_orientation_1.tif", [f"g4_orientation_{i}.tif" for i in (2, 3, 4, 5, 7)]),
    ],
)
def test_orientation_in_other_formats(nasty: Path, plain: str, others: list[str]) -> None:
    first = photo_codec.decode(nasty / "formats" / plain).pixels
    for name in others:
        other = photo_codec.decode(nasty / "formats" / name).pixels
        assert other.shape == first.shape
        assert np.abs(other.astype(int) - first).mean() < 8, name


def test_rotation_and_mirror_of_avif_are_applied_once(nasty: Path) -> None:
    """The four pictures have the words top, bottom, left and right in them: sky above, grass below."""
    for path in sorted((nasty / "formats").glob("rot*mir*.avif")):
        pixels = photo_codec.decode(path).pixels.astype(int)
        assert pixels.shape == (427, 640, 3), path.name
        sky, grass = pixels[10:60].mean(axis=(0, 1)), pixels[-60:-10].mean(axis=(0, 1))
        assert sky[2] > grass[2] + 40, path.name


def words(paths: Sequence[Path]) -> dict[Path, set[bytes]]:
    """What the metadata of files says: every value that a metadata reader finds, or every readable string in them."""
    if not shutil.which("exiftool"):
        return {path: set(re.findall(rb"[A-Za-z][ -~]{11,}", path.read_bytes())) for path in paths}
    run = subprocess.run(["exiftool", "-j", "-a", "-u", "-G0", *paths], capture_output=True, check=False)
    groups = ("EXIF", "XMP", "IPTC", "MakerNotes", "PNG", "Photoshop", "ICC_Profile", "RIFF", "GIF")
    found = {}
    for path, said in zip(paths, json.loads(run.stdout), strict=True):
        assert Path(said.pop("SourceFile")) == path
        values = {str(value) for key, value in said.items() if key.split(":")[0] in groups}
        found[path] = {v.encode() for v in values if len(v) >= 8 and not re.fullmatch(r"[\d .:x-]+", v)}
    return found


def test_nothing_that_metadata_says_is_in_the_published_bytes(nasty: Path, tmp_path: Path) -> None:
    looked_at, canaries = 0, 0
    marks = (b"Exif\0\0", b"http://ns.adobe.com", b"<x:xmpmeta", b"Photoshop 3.0", b"8BIM", b"MPF\0", b"GPS", b"ftyp")
    for path, said in words([f for n in ("metadata", "motion", "formats") for f in files(nasty / n)]).items():
        try:
            photo = photo_codec.decode(path)
        except MediaError:
            continue
        photo_codec.encode(photo.pixels, photo.output_format, tmp_path / "out")
        content = (tmp_path / "out").read_bytes()
        looked_at, canaries = looked_at + 1, canaries + len(said)
        assert not [word for word in said if word in content], path.name
        assert not [mark for mark in marks if mark in content and len(mark) > 4], path.name
        assert content.count(b"\xff\xd8\xff") == (photo.output_format == "JPEG")
    assert looked_at > 80 and canaries > 500


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_scan_refuses_files_saved_again_without_care(nasty: Path, tmp_path: Path, suffix: str) -> None:
    from PIL import Image

    for path in files(nasty / "metadata"):
        try:
            photo_codec.decode(path)
        except MediaError:
            continue
        with Image.open(path) as image:
            kept = {k: v for k, v in image.info.items() if v and k in ("exif", "icc_profile", "comment", "xmp")}
            image.convert("RGB").save(tmp_path / f"naive.{suffix}", **kept)
        assert [c for c in photo_codec.scan_output(tmp_path / f"naive.{suffix}") if not c.passed], path.name
