"""Nothing that travels beside the pixels survives: a secret in every carrier, searched for in all that leaves."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.reader import photo_codec
from pipeline.reader.photo_colour import SRGB_PROFILE

pillow_heif.register_heif_opener()
SECRET = b"GEHEIM-Anna-4711"
WORD = SECRET.decode()
XMP = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><d>' + SECRET + b"</d></x:xmpmeta><?xpacket end='w'?>"


def picture(colour: tuple[int, int, int] = (40, 120, 200)) -> Image.Image:
    pixels = np.full((48, 64, 3), colour, np.uint8)
    pixels[10:30, 10:30] = (220, 180, 150)
    return Image.fromarray(pixels)


def saved(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or picture()).save(buffer, form, **options)
    return buffer.getvalue()


def exif(orientation: int = 1) -> bytes:
    tags = Image.Exif()
    tags[270] = tags[271] = tags[305] = tags[315] = tags[33432] = WORD
    tags[274] = orientation
    tags.get_ifd(0x8825).update({1: "N", 2: (52.0, 5.0, 7.0), 3: "E", 4: (4.0, 53.0, 42.0), 29: WORD})
    tags.get_ifd(0x8769).update({37500: SECRET * 4, 37510: SECRET, 42033: WORD})
    return tags.tobytes()


def thumbnail() -> bytes:
    """An EXIF block whose thumbnail shows another picture, as editors leave behind after cropping."""
    small = saved("JPEG", Image.new("RGB", (32, 24), (250, 0, 250)), comment=SECRET)
    first = struct.pack("<H", 0) + struct.pack("<I", 14)
    second = (
        struct.pack("<H", 2) + struct.pack("<HHII", 0x201, 4, 1, 44) + struct.pack("<HHII", 0x202, 4, 1, len(small))
    )
    return b"Exif\0\0" + (b"II*\0" + struct.pack("<I", 8) + first + second + bytes(4)).ljust(44, b"\0") + small


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(marker: int, body: bytes) -> bytes:
    plain = saved("JPEG")
    return plain[:2] + segment(marker, body) + plain[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunk(name: bytes, body: bytes, last: bool = False) -> bytes:
    plain = saved("PNG")
    at = len(plain) - 12 if last else 33
    return plain[:at] + chunk(name, body) + plain[at:]


def iptc() -> bytes:
    record = b"\x1c\x02\x78" + struct.pack(">H", len(SECRET)) + SECRET
    return b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record


def png_texts() -> bytes:
    info = PngInfo()
    info.add_text("Author", WORD)
    info.add_text("Comment", WORD * 3, zip=True)
    info.add_itxt("Title", WORD, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return saved("PNG", pnginfo=info)


def film() -> bytes:
    return (
        struct.pack(">I", 24)
        + b"ftypmp42\0\0\0\0mp42isom"
        + struct.pack(">I", 8 + len(SECRET) * 9)
        + b"mdat"
        + SECRET * 9
    )


def profile() -> bytes:
    return SRGB_PROFILE.replace("CC0".encode("utf-16-be"), "Ana".encode("utf-16-be"))


CARRIERS: dict[str, Callable[[], bytes]] = {
    "jpeg exif": lambda: saved("JPEG", exif=exif()),
    "jpeg exif thumbnail": lambda: with_segment(0xE1, thumbnail()),
    "jpeg comment": lambda: saved("JPEG", comment=SECRET),
    "jpeg xmp": lambda: with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    "jpeg extended xmp": lambda: with_segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + SECRET),
    "jpeg iptc": lambda: with_segment(0xED, iptc()),
    "jpeg jfif thumbnail": lambda: with_segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\x05\x05" + (SECRET * 5)[:75]),
    "jpeg jfxx": lambda: with_segment(0xE0, b"JFXX\0\x10" + saved("JPEG", comment=SECRET)),
    "jpeg mpf": lambda: with_segment(0xE2, b"MPF\0" + SECRET),
    "jpeg c2pa": lambda: with_segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x40jumbjumdc2pa" + SECRET),
    "jpeg ducky": lambda: with_segment(0xEC, b"Ducky" + SECRET),
    "jpeg app15": lambda: with_segment(0xEF, SECRET),
    "jpeg profile": lambda: saved("JPEG", icc_profile=profile()),
    "jpeg trailing film": lambda: saved("JPEG") + film(),
    "jpeg trailing zip": lambda: saved("JPEG") + b"PK\x03\x04" + SECRET,
    "jpeg trailing html": lambda: saved("JPEG") + b"<script>" + SECRET,
    "jpeg second picture": lambda: saved("JPEG") + saved("JPEG", comment=SECRET),
    "mpo": lambda: saved("MPO", save_all=True, append_images=[picture((250, 0, 250))], comment=SECRET),
    "png texts": png_texts,
    "png exif": lambda: saved("PNG", exif=exif()),
    "png own chunk": lambda: with_chunk(b"anNa", SECRET),
    "png c2pa": lambda: with_chunk(b"caBX", SECRET),
    "png late text": lambda: with_chunk(b"tEXt", b"Comment\0" + SECRET, last=True),
    "png time": lambda: with_chunk(b"tIME", struct.pack(">HBBBBB", 2024, 5, 6, 7, 8, 9)),
    "png trailing": lambda: saved("PNG") + SECRET,
    "png second end": lambda: saved("PNG") + chunk(b"tEXt", b"Comment\0" + SECRET) + chunk(b"IEND", b""),
    "apng": lambda: saved("PNG", save_all=True, append_images=[picture((250, 0, 250))]),
    "gif comment": lambda: saved("GIF", comment=SECRET),
    "gif xmp": lambda: saved("GIF", xmp=XMP),
    "gif second frame": lambda: saved("GIF", save_all=True, append_images=[picture((250, 0, 250))], comment=SECRET),
    "gif trailing": lambda: saved("GIF") + SECRET,
    "webp": lambda: saved("WEBP", exif=exif(), xmp=XMP, icc_profile=profile()),
    "webp trailing": lambda: saved("WEBP") + SECRET,
    "tiff": lambda: saved("TIFF", description=WORD, software=WORD, artist=WORD, exif=exif(), icc_profile=profile()),
    "tiff second page": lambda: saved("TIFF", save_all=True, append_images=[picture((250, 0, 250))], artist=WORD),
    "tiff trailing": lambda: saved("TIFF") + SECRET,
    "heif": lambda: saved("HEIF", exif=exif(), xmp=XMP, icc_profile=profile()),
    "heif thumbnail": lambda: saved("HEIF", thumbnails=[16], exif=exif()),
    "heif motion photo": lambda: saved("HEIF") + struct.pack(">I", 8 + len(film())) + b"mpvd" + film(),
    "avif": lambda: saved("AVIF", exif=exif(), xmp=XMP, icc_profile=profile()),
    "avif sequence": lambda: saved("AVIF", save_all=True, append_images=[picture((250, 0, 250))], exif=exif()),
}
GONE = (
    SECRET,
    WORD.encode("utf-16-be"),
    b"Exif",
    b"http://ns.adobe",
    b"xpacket",
    b"Photoshop",
    b"8BIM",
    b"MPF\0",
    b"ftyp",
    b"c2pa",
    b"A\0n\0a",
    b"CREATOR",
    b"2024:",
)


def every_byte(content: bytes) -> Iterator[bytes]:
    """The file as it is, and what is packed inside it."""
    yield content
    for found in re.finditer(rb"x[\x01\x5e\x9c\xda]", content):
        unpack = zlib.decompressobj()
        try:
            yield unpack.decompress(content[found.start() :], 10_000_000)
        except zlib.error:
            continue


@pytest.mark.parametrize("name", CARRIERS)
def test_a_secret_in_this_carrier_does_not_leave(tmp_path: Path, name: str) -> None:
    content = CARRIERS[name]()
    source, result = tmp_path / "source", tmp_path / "result"
    source.write_bytes(content)
    photo = photo_codec.decode(source)
    for form in {photo.output_format, "JPEG", "PNG"}:
        photo_codec.encode(photo.pixels, form, result)
        written = result.read_bytes()
        for part in every_byte(written):
            assert not [secret for secret in GONE if secret in part]
        assert written.count(b"\xff\xd8\xff") == (form == "JPEG")
        assert [check for check in photo_codec.scan_output(result) if not check.passed] == []
        again = photo_codec.decode(result)
        # The other picture of thumbnails and further frames is magenta; nothing of it is in the pixels either.
        assert not ((again.pixels[..., 0] > 230) & (again.pixels[..., 1] < 30)).any()
        assert np.abs(again.pixels.astype(int) - photo.pixels).max() < 40


@pytest.mark.parametrize("name", [n for n in CARRIERS if n.split()[0] in ("jpeg", "mpo", "png", "apng")])
def test_the_scan_refuses_the_carrier_itself(tmp_path: Path, name: str) -> None:
    path = tmp_path / "published.jpg"
    path.write_bytes(CARRIERS[name]())
    assert [check for check in photo_codec.scan_output(path) if not check.passed]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool, the independent reader, is not installed")
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_an_independent_reader_finds_only_what_an_image_needs(tmp_path: Path, form: str) -> None:
    path = tmp_path / ("a.jpg" if form == "JPEG" else "a.png")
    photo_codec.encode(np.asarray(picture()), form, path)
    run = subprocess.run(["exiftool", "-j", "-a", "-G0", "-u", str(path)], capture_output=True, check=True)
    groups = {key.split(":")[0] for key in json.loads(run.stdout)[0]}
    assert groups <= {"SourceFile", "File", "ExifTool", "Composite", "JFIF" if form == "JPEG" else "PNG", "ICC_Profile"}


# --- the scan itself: our own output with one thing too many --------------------------------------------------


def ours(form: str, folder: Path) -> bytes:
    photo_codec.encode(np.asarray(picture()), form, folder / "clean")
    return (folder / "clean").read_bytes()


def tampered_jpegs(clean: bytes) -> dict[str, bytes]:
    scan, frame = clean.index(b"\xff\xda"), clean.index(b"\xff\xc0")
    tables = clean.index(b"\xff\xdb")
    inserted = {
        "exif": segment(0xE1, b"Exif\0\0" + exif()[6:]),
        "empty exif": segment(0xE1, b""),
        "xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        "mpf": segment(0xE2, b"MPF\0" + bytes(20)),
        "second profile": segment(0xE2, b"ICC_PROFILE\0\x01\x01" + SRGB_PROFILE),
        "iptc": segment(0xED, iptc()),
        "adobe": segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01"),
        "comment": segment(0xFE, b""),
        "app15": segment(0xEF, b"x"),
        "second jfif": segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        "second picture": saved("JPEG"),
        "fill bytes": b"\xff" * 9,
        "loose bytes": b"hello",
        "odd quantisation table": segment(0xDB, b"\x00" + bytes(64) + SECRET),
        "odd huffman table": segment(0xC4, b"\x00" + bytes(16) + SECRET),
        "hierarchical": segment(0xDE, bytes(6)),
        "arithmetic": segment(0xCC, b"\0\0"),
    }
    cases = {f"{name} before tables": clean[:tables] + body + clean[tables:] for name, body in inserted.items()}
    cases |= {f"{name} before scan": clean[:scan] + body + clean[scan:] for name, body in inserted.items()}
    cases |= {
        f"{name} inside scan": clean[:-2] + body + clean[-2:] for name, body in inserted.items() if body[:1] == b"\xff"
    }
    cases |= {f"{name} behind": clean + body for name, body in inserted.items()}
    cases["long quantisation table"] = clean[:tables] + segment(0xDB, bytes(65) + bytes(20)) + clean[tables:]
    cases["claims a thumbnail"] = clean.replace(b"\0\x01\0\x01\0\0", b"\0\x01\0\x01\x04\x04")
    cases["one byte behind"] = clean + b"\0"
    cases["no end"] = clean[:-2]
    cases["cut"] = clean[: len(clean) // 2]
    cases["only a start"] = b"\xff\xd8"
    cases["no profile"] = clean.replace(segment(0xE2, b"ICC_PROFILE\0\x01\x01" + SRGB_PROFILE), b"")
    cases["other profile"] = clean.replace("CC0".encode("utf-16-be"), "Ana".encode("utf-16-be"))
    cases["resolution"] = clean.replace(b"JFIF\0\x01\x01\0\0\x01\0\x01", b"JFIF\0\x01\x01\x01\0\x48\0\x48")
    cases["subsampled"] = saved("JPEG", icc_profile=SRGB_PROFILE, subsampling=2)
    cases["grey"] = saved("JPEG", picture().convert("L"), icc_profile=SRGB_PROFILE)
    cases["progressive"] = saved("JPEG", icc_profile=SRGB_PROFILE, subsampling=0, progressive=True)
    cases["frame with more in it"] = (
        clean[: frame + 2] + b"\0\x21" + clean[frame + 4 : frame + 19] + SECRET + clean[frame + 19 :]
    )
    return cases


def tampered_pngs(clean: bytes) -> dict[str, bytes]:
    data = clean.index(b"IDAT") - 4
    pieces = {
        "text": chunk(b"tEXt", b"a\0b"),
        "packed text": chunk(b"zTXt", b"a\0\0" + zlib.compress(SECRET)),
        "international text": chunk(b"iTXt", b"a\0\0\0\0\0" + SECRET),
        "exif": chunk(b"eXIf", exif()[6:]),
        "time": chunk(b"tIME", bytes(7)),
        "physical": chunk(b"pHYs", bytes(9)),
        "own": chunk(b"anNa", SECRET),
        "animation": chunk(b"acTL", bytes(8)),
        "profile": chunk(b"iCCP", b"p\0\0" + zlib.compress(SRGB_PROFILE)),
        "second colour space": chunk(b"sRGB", b"\0"),
        "second header": clean[8:33],
        "second picture data": chunk(b"IDAT", zlib.compress(SECRET)),
    }
    cases = {f"{n} before": clean[:data] + p + clean[data:] for n, p in pieces.items()}
    cases |= {f"{n} at the end": clean[:-12] + p + clean[-12:] for n, p in pieces.items()}
    cases |= {f"{n} behind": clean + p for n, p in pieces.items()}
    cases["wrong checksum"] = clean[:-1] + bytes([clean[-1] ^ 1])
    cases["one byte behind"] = clean + b"\0"
    cases["no end"] = clean[:-12]
    cases["no picture"] = clean[:data] + clean[-12:]
    cases["no colour space"] = clean.replace(chunk(b"sRGB", b"\0"), b"")
    rows = zlib.decompress(b"".join(re.findall(rb"IDAT(.*)....\0\0\0\0IEND", clean, re.DOTALL)))
    for name, body in (
        ("more rows than the picture", zlib.compress(rows + SECRET)),
        ("bytes behind the stream", zlib.compress(rows) + SECRET),
        ("fewer rows", zlib.compress(rows[:-1])),
        ("no checksum", zlib.compress(rows)[:-4]),
    ):
        cases[name] = clean[:data] + chunk(b"IDAT", body) + clean[-12:]
    cases["transparent"] = saved("PNG", picture().convert("RGBA"))
    cases["16 bit"] = saved("PNG", Image.fromarray(np.zeros((9, 9), np.uint16)))
    return cases


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_scan_accepts_our_output_and_nothing_added_to_it(tmp_path: Path, form: str) -> None:
    clean = ours(form, tmp_path)
    assert all(check.passed for check in photo_codec.scan_output(tmp_path / "clean"))
    cases = tampered_jpegs(clean) if form == "JPEG" else tampered_pngs(clean)
    accepted = []
    for name, content in cases.items():
        assert content != clean, name
        (tmp_path / "tampered").write_bytes(content)
        checks = photo_codec.scan_output(tmp_path / "tampered")
        if all(check.passed for check in checks):
            accepted.append(name)
    assert accepted == []
    assert len(cases) > 40


def test_other_files_and_missing_ones_fail_the_scan(tmp_path: Path) -> None:
    for form in ("GIF", "WEBP", "TIFF", "AVIF", "BMP"):
        (tmp_path / "a").write_bytes(saved(form))
        assert not photo_codec.scan_output(tmp_path / "a")[0].passed
    (tmp_path / "a").write_bytes(b"")
    assert not photo_codec.scan_output(tmp_path / "a")[0].passed
    assert not photo_codec.scan_output(tmp_path / "gone")[0].passed
