"""Reading photos: by content, upright, in sRGB, always the same way; and nothing that needs a guess."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from pipeline.reader import photo_codec
from pipeline.reader.file_signatures import Kind
from pipeline.reader.media_errors import (
    DamagedFile,
    FilmNotSupported,
    MediaError,
    SoundNotSupported,
    TooManyPixels,
    UnreadableFile,
    UnsupportedFormat,
    WriteFailed,
)
from pipeline.reader.photo_colour import SRGB_PROFILE

pillow_heif.register_heif_opener()
LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}
LOSSY = {"JPEG": {"quality": 95}, "HEIF": {"quality": 95}, "AVIF": {"quality": 95}}


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """A picture whose four corners differ: red, green, blue, white; smooth, so that lossy formats keep it."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    corners = np.array([[255, 20, 20], [20, 255, 20], [20, 20, 255], [250, 250, 250]], float)
    weights = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], axis=-1)
    return Image.fromarray(np.rint(weights @ corners).astype(np.uint8))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def decode(folder: Path, content: bytes, name: str = "photo.bin", **options: int) -> photo_codec.Photo:
    path = folder / name
    path.write_bytes(content)
    return photo_codec.decode(path, **options)


def far(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


# --- what it is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*LOSSLESS, *LOSSY, "GIF", "MPO"])
def test_every_format_comes_out_as_the_same_picture(tmp_path: Path, form: str) -> None:
    image = scene()
    photo = decode(tmp_path, saved(image, form, **(LOSSLESS | LOSSY).get(form, {})), "name.txt")
    assert far(photo.pixels, np.asarray(image)) < (0.01 if form in LOSSLESS else 6)
    assert photo.output_format == ("PNG" if form == "PNG" else "JPEG")
    assert photo.pixels.dtype == np.uint8 and not photo.pixels.flags.writeable


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", FilmNotSupported),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", FilmNotSupported),
        (b"\0\0\0\x14ftyp3gp4\0\0\0\x003gp4", FilmNotSupported),
        (b"\0\0\x10\0moov" + bytes(40), FilmNotSupported),
        (b"\x1a\x45\xdf\xa3" + bytes(40), FilmNotSupported),
        (b"RIFF\x40\0\0\0AVI LIST", FilmNotSupported),
        (b"FLV\x01\x05" + bytes(40), FilmNotSupported),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(40), FilmNotSupported),
        (b"\0\0\x01\xba" + bytes(40), FilmNotSupported),
        ((b"\x47" + bytes(187)) * 4, FilmNotSupported),
        (b"OggS" + bytes(24) + b"\x80theora", FilmNotSupported),
        (b"OggS" + bytes(24) + b"\x01vorbis", SoundNotSupported),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", SoundNotSupported),
        (b"fLaC" + bytes(40), SoundNotSupported),
        (b"ID3\x03" + bytes(40), SoundNotSupported),
        (b"\xff\xfb\x90\x64" + bytes(40), SoundNotSupported),
        (b"RIFF\x40\0\0\0WAVEfmt ", SoundNotSupported),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormat),
        (b"%PDF-1.7\n", UnsupportedFormat),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", UnsupportedFormat),
        (b"8BPS\0\x01" + bytes(40), UnsupportedFormat),
        (b"BM" + bytes(60), UnsupportedFormat),
        (b"PK\x03\x04" + bytes(40), UnsupportedFormat),
        (b"\0\0\0\x0cjP  \r\n\x87\n", UnsupportedFormat),
        (b"\0\0\0\x14ftypcrx \0\0\0\x01crx ", UnsupportedFormat),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), UnsupportedFormat),
        (b"ffconcat version 1.0\nfile secret.mp4\n", UnsupportedFormat),
        (b"#EXTM3U\n/etc/passwd\n", UnsupportedFormat),
        (b"<html><img src=x></html>", UnsupportedFormat),
        (b"\0" * 100, UnsupportedFormat),
        (b"", DamagedFile),
    ],
)
def test_everything_else_is_refused_or_held_by_its_content(
    tmp_path: Path, head: bytes, error: type[MediaError]
) -> None:
    with pytest.raises(error) as caught:
        decode(tmp_path, head, "IMG_0001.jpg")
    assert type(caught.value) is error
    assert len(caught.value.message) > 40 and caught.value.message.endswith(".")
    if error is FilmNotSupported:
        assert photo_codec.identify(tmp_path / "IMG_0001.jpg") is Kind.FILM
    if error is SoundNotSupported:
        assert photo_codec.identify(tmp_path / "IMG_0001.jpg") is Kind.AUDIO


def test_raw_files_of_cameras_are_refused_and_not_published_as_their_preview(tmp_path: Path) -> None:
    for tags in ({50706: b"\x01\x04\0\0"}, {254: 1}):
        with pytest.raises(UnsupportedFormat):
            decode(tmp_path, saved(scene(), "TIFF", tiffinfo=tags))


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "folder.jpg").mkdir()
    begin = time.monotonic()
    for name in ("fifo.jpg", "folder.jpg", "gone.jpg"):
        for look in (photo_codec.decode, photo_codec.identify):
            with pytest.raises(UnreadableFile):
                look(tmp_path / name)
    assert time.monotonic() - begin < 1


# --- upright --------------------------------------------------------------------------------------------------

TURN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: np.rot90(a[::-1], -1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a[::-1], 1),
    8: lambda a: np.rot90(a, -1),
}
"""How a camera stores an upright picture for each orientation: the inverse of what the reader does."""


@pytest.mark.parametrize("form", [*LOSSLESS, *LOSSY])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_give_the_same_upright_picture(tmp_path: Path, form: str, orientation: int) -> None:
    upright = np.asarray(scene())
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURN[orientation](upright)))
    photo = decode(tmp_path, saved(stored, form, exif=exif.tobytes(), **(LOSSLESS | LOSSY)[form]))
    assert photo.pixels.shape == upright.shape
    assert far(photo.pixels, upright) < 6


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    photo = decode(tmp_path, saved(scene(), "PNG", exif=exif.tobytes()))
    assert np.array_equal(photo.pixels, np.asarray(scene()))


# --- colours --------------------------------------------------------------------------------------------------


def test_modes_become_8_bit_rgb_in_one_fixed_way(tmp_path: Path) -> None:
    image = scene()
    grey = np.asarray(image.convert("L"))
    for mode in ("L", "1", "P", "RGBA", "LA"):
        expected = np.asarray(image.convert(mode).convert("RGB"))
        assert far(decode(tmp_path, saved(image.convert(mode), "PNG")).pixels, expected) == 0, mode
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    for form in ("PNG", "TIFF"):
        photo = decode(tmp_path, saved(deep, form))
        assert np.array_equal(photo.pixels[..., 1], grey)
        assert "16 bit reduced to 8" in photo.notes
    real = decode(tmp_path, saved(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"))
    assert np.array_equal(real.pixels[..., 0], grey)
    broken = grey.astype(np.float32) / 255
    broken[3, 3] = np.nan
    broken[4, 4] = np.inf
    assert far(decode(tmp_path, saved(Image.fromarray(broken), "TIFF")).pixels[..., 0], grey) < 1
    media_client = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert far(decode(tmp_path, saved(media_client, "TIFF")).pixels, np.asarray(image)) < 4


def test_a_dark_12_bit_scan_is_brightened_and_not_hidden_from_the_detector(tmp_path: Path) -> None:
    twelve = np.asarray(scene().convert("L")).astype(np.uint16) * 16
    assert decode(tmp_path, saved(Image.fromarray(twelve), "TIFF")).pixels.max() > 230


def test_cmyk_is_not_inverted(tmp_path: Path) -> None:
    image = scene()
    for form in ("JPEG", "TIFF"):
        photo = decode(tmp_path, saved(image.convert("CMYK"), form))
        assert far(photo.pixels, np.asarray(image)) < 6
        assert "CMYK converted" in photo.notes


def test_what_is_hidden_under_transparency_is_gone(tmp_path: Path) -> None:
    colours = np.asarray(scene())
    alpha = np.zeros(colours.shape[:2], np.uint8)
    alpha[:, 48:] = 255
    hidden = Image.fromarray(np.dstack([colours, alpha]))
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        assert far(np.asarray(Image.open(io.BytesIO(saved(hidden, form, **options))))[:, :48, :3], colours[:, :48]) == 0
        photo = decode(tmp_path, saved(hidden, form, **options))
        assert (photo.pixels[:, :48] == 255).all()
        assert np.array_equal(photo.pixels[:, 48:], colours[:, 48:])
        assert "transparency laid on white" in photo.notes
    half = Image.fromarray(np.dstack([np.zeros_like(colours), np.full_like(alpha, 128)]))
    assert (decode(tmp_path, saved(half, "PNG")).pixels == 127).all()


def test_a_colour_profile_is_converted_and_a_broken_one_is_only_remarked(tmp_path: Path) -> None:
    image = scene()
    swapped = SRGB_PROFILE.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    photo = decode(tmp_path, saved(image, "PNG", icc_profile=swapped))
    assert far(photo.pixels, np.asarray(image)[..., ::-1]) < 3  # its red is our blue
    assert any("converted to sRGB" in note for note in photo.notes)
    ours = decode(tmp_path, saved(image, "PNG", icc_profile=SRGB_PROFILE))
    assert np.array_equal(ours.pixels, np.asarray(image)) and ours.notes == ()
    for broken in (b"garbage", SRGB_PROFILE[:200], swapped[:300] + bytes(100)):
        photo = decode(tmp_path, saved(image, "PNG", icc_profile=broken))
        assert np.array_equal(photo.pixels, np.asarray(image))
        assert any("profile" in note for note in photo.notes)


def test_a_grey_picture_with_a_profile_for_colours_is_read(tmp_path: Path) -> None:
    photo = decode(tmp_path, saved(scene().convert("L"), "JPEG", icc_profile=SRGB_PROFILE))
    assert far(photo.pixels[..., 0], np.asarray(scene().convert("L"))) < 3


# --- several pictures in one file -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "HEIF", "AVIF"])
def test_of_several_pictures_only_the_first_leaves_and_the_log_says_so(tmp_path: Path, form: str) -> None:
    first, others = (
        Image.new("RGB", (64, 48), (200, 30, 30)),
        [Image.new("RGB", (64, 48), (30, 30, i)) for i in (200, 250)],
    )
    photo = decode(tmp_path, saved(first, form, save_all=True, append_images=others))
    assert far(photo.pixels, np.asarray(first)) < 5
    assert any("of 3" in note or "behind the image dropped" in note for note in photo.notes)


# --- too much -------------------------------------------------------------------------------------------------


def png(width: int, height: int, rows: bytes, colour: int = 0, depth: int = 1) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bomb() -> bytes:
    """13000 x 13000 pixels (169 million, 507 MB as RGB) in less than half a megabyte."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * 13000)
    return png(13000, 13000, b"".join(packer.compress(row) for _ in range(13000)) + packer.flush(), 2, 8)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb())
    assert path.stat().st_size < 600_000
    program = (
        "import resource, sys, time\nfrom pathlib import Path\nfrom pipeline.reader import photo_codec\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbegin = time.monotonic()\n"
        "try:\n    photo_codec.decode(Path(sys.argv[1]))\n"
        "except photo_codec.MediaError as error:\n    print(error.reason)\n"
        "print(time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    reason, figures = run.stdout.splitlines()
    seconds, kilobytes = map(float, figures.split())
    assert reason == "too_many_pixels"
    assert seconds < 1 and kilobytes < 30_000


def test_sizes_that_a_header_only_claims_are_refused(tmp_path: Path) -> None:
    jpeg = bytearray(saved(scene(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    gif = bytearray(saved(scene(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    for content in (bytes(jpeg), bytes(gif)):
        begin = time.monotonic()
        with pytest.raises(TooManyPixels):
            decode(tmp_path, content)
        assert time.monotonic() - begin < 1


@pytest.mark.parametrize("form", [*LOSSLESS, *LOSSY, "GIF"])
def test_the_limit_on_pixels_is_exact_in_every_format(tmp_path: Path, form: str) -> None:
    content = saved(scene(), form)
    assert decode(tmp_path, content, max_pixels=96 * 64).pixels.shape == (64, 96, 3)
    with pytest.raises(TooManyPixels):
        decode(tmp_path, content, max_pixels=96 * 64 - 1)


def test_a_side_that_no_jpeg_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooManyPixels):
        decode(tmp_path, png(70_000, 1, zlib.compress(bytes(1 + 70_000 // 8))))


def test_hundreds_of_scans_are_refused(tmp_path: Path) -> None:
    content = saved(scene(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    with pytest.raises(DamagedFile):
        decode(tmp_path, content[:-2] + content[last:-2] * 200 + b"\xff\xd9")


def test_scans_over_very_many_pixels_are_refused_before_the_work_is_done(tmp_path: Path) -> None:
    content = bytearray(saved(scene(), "JPEG", progressive=True))
    frame, last = content.index(b"\xff\xc2"), content.rindex(b"\xff\xda")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 9900, 9900)
    begin = time.monotonic()
    with pytest.raises(DamagedFile) as caught:
        decode(tmp_path, bytes(content[:-2] + content[last:-2] * 30 + b"\xff\xd9"))
    assert "scans" in caught.value.detail
    assert time.monotonic() - begin < 1


# --- damage ---------------------------------------------------------------------------------------------------


def originals() -> dict[str, bytes]:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 60, 3), np.uint8)).resize((120, 80))
    kinds = {f: saved(image, f, **(LOSSLESS | LOSSY).get(f, {})) for f in (*LOSSLESS, *LOSSY, "GIF")}
    kinds["progressive"] = saved(image, "JPEG", progressive=True)
    kinds["CMYK"] = saved(image.convert("CMYK"), "JPEG")
    kinds["TIFF LZW"] = saved(image, "TIFF", compression="tiff_lzw")
    kinds["TIFF JPEG"] = saved(image, "TIFF", compression="jpeg")
    return kinds


ORIGINALS = originals()


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    content = ORIGINALS[name]
    decode(tmp_path, content)
    for percent in range(1, 100):
        with pytest.raises((DamagedFile, UnsupportedFormat)):
            decode(tmp_path, content[: max(4, len(content) * percent // 100)])
    with pytest.raises(DamagedFile):
        decode(tmp_path, content[:-1] if name != "AVIF" else content[:-2])


@pytest.mark.parametrize("name", ["JPEG", "progressive", "CMYK"])
def test_a_jpeg_that_would_be_filled_with_grey_is_refused(tmp_path: Path, name: str) -> None:
    content = ORIGINALS[name]
    for percent in range(5, 98):
        with pytest.raises(DamagedFile):
            decode(tmp_path, content[: len(content) * percent // 100] + b"\xff\xd9")


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF", "HEIF", "AVIF", "TIFF LZW", "JPEG"])
def test_a_file_whose_end_was_not_copied_yet_is_refused(tmp_path: Path, name: str) -> None:
    """Some copiers set the size first: the rest is zeros."""
    content = ORIGINALS[name]
    for percent in range(20, 90, 5):
        begun = content[: len(content) * percent // 100]
        with pytest.raises(DamagedFile):
            decode(tmp_path, begun + bytes(len(content) - len(begun)))


def test_stray_bytes_of_cameras_are_remarked_and_more_is_refused(tmp_path: Path) -> None:
    content = ORIGINALS["JPEG"]
    photo = decode(tmp_path, content[:-2] + b"\x11\x22\x33\x44" * 3 + b"\xff\xd9")
    assert photo.notes == ("7 stray bytes before the end of the image",)
    with pytest.raises(DamagedFile):
        decode(tmp_path, content[:-2] + b"\x11\x22\x33" * 30 + b"\xff\xd9")


def test_a_wrong_checksum_in_any_chunk_is_refused(tmp_path: Path) -> None:
    content = ORIGINALS["PNG"]
    for name in (b"IHDR", b"IDAT", b"IEND"):
        at = content.index(name) + 4 + struct.unpack(">I", content[content.index(name) - 4 : content.index(name)])[0]
        broken = bytearray(content)
        broken[at] ^= 1
        with pytest.raises(DamagedFile):
            decode(tmp_path, bytes(broken))


def test_pillows_switches_of_other_libraries_change_nothing_and_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    for name in ("TIFF", "WEBP", "TIFF LZW"):
        content = ORIGINALS[name]
        with pytest.raises(DamagedFile):
            decode(tmp_path, content[: len(content) * 3 // 4])
    with pytest.raises(TooManyPixels):
        decode(tmp_path, ORIGINALS["TIFF"], max_pixels=100)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True and Image.MAX_IMAGE_PIXELS is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(set(ORIGINALS) - {"HEIF", "AVIF"})),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_no_other_error_leaves_for_any_flipped_bytes(
    tmp_path_factory: pytest.TempPathFactory, name: str, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(ORIGINALS[name])
    for place, value in flips:
        content[min(int(place**2 * len(content)), len(content) - 1)] = value
    try:
        photo = decode(tmp_path_factory.getbasetemp(), bytes(content), max_pixels=1_000_000)
    except MediaError as error:
        assert error.reason
    else:
        assert photo.pixels.ndim == 3


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\0\0\0WEBP", b"II*\0", b"\0\0\0\x18ftypavif")
    ),
    st.binary(max_size=300),
)
def test_no_other_error_leaves_for_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes
) -> None:
    with pytest.raises(MediaError):
        decode(tmp_path_factory.getbasetemp(), head + rest, max_pixels=1_000_000)


def test_stderr_works_again_after_a_decoder_was_listened_to(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(20):
        decode(tmp_path, ORIGINALS["JPEG"])
        with pytest.raises(DamagedFile):
            decode(tmp_path, ORIGINALS["JPEG"][:2000] + b"\xff\xd9")
    os.write(2, b"still heard\n")
    assert "still heard" in capfd.readouterr().err
    if before:
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


# --- writing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_what_is_written_is_the_picture_and_passes_its_own_scan(tmp_path: Path, form: str) -> None:
    pixels = np.asarray(scene(301, 199))
    path = tmp_path / "out.partial"
    path.write_bytes(b"left over from a run that was killed" * 1000)
    photo_codec.encode(pixels, form, path)
    assert far(photo_codec.decode(path).pixels, pixels) < (2 if form == "JPEG" else 0.001)
    assert [check for check in photo_codec.scan_output(path) if not check.passed] == []
    assert path.stat().st_mode & 0o007 == 0
    first = path.read_bytes()
    photo_codec.encode(pixels, form, path)
    assert path.read_bytes() == first


def test_a_photo_longer_than_a_jpeg_or_no_photo_at_all_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "out.partial"
    for pixels, form in (
        (np.zeros((70_000, 1, 3), np.uint8), "JPEG"),
        (np.zeros((10, 10, 4), np.uint8), "JPEG"),
        (np.zeros((0, 10, 3), np.uint8), "PNG"),
        (np.zeros((10, 10, 3), np.float32), "PNG"),
        (np.zeros((10, 10, 3), np.uint8), "GIF"),
    ):
        with pytest.raises(WriteFailed):
            photo_codec.encode(pixels, form, path)
        assert not path.exists()


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(WriteFailed):
            photo_codec.encode(pixels, "JPEG", tmp_path / "out.partial")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("as it was")
    (tmp_path / "out.partial").symlink_to(target)
    with pytest.raises(WriteFailed):
        photo_codec.encode(np.zeros((8, 8, 3), np.uint8), "PNG", tmp_path / "out.partial")
    with pytest.raises(WriteFailed):
        photo_codec.encode(np.zeros((8, 8, 3), np.uint8), "PNG", tmp_path / "no such folder" / "out.partial")
    assert target.read_text() == "as it was"
