"""What files may be called: never a path, never a trick."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import file_names


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg.part",
        "IMG.filepart",
        "x.crdownload",
        "x.tmp",
        "~$doc.jpg",
        ".syncthing.a.jpg.tmp",
        ".~lock.a#",
        "a.jpg.ocTransferId123.part",
        "Thumbs.db",
        ".DS_Store",
        "._IMG_1.jpg",
        "event.toml",
        "README.md",
    ],
)
def test_unfinished_uploads_and_litter_are_left_alone(name: str) -> None:
    assert file_names.ignored(name)


@pytest.mark.parametrize("name", ["IMG_1.jpg", "partij.jpg", "--x.jpg", "img%03d.jpg", ".jpg", "tmp.jpg"])
def test_photos_are_not_taken_for_litter(name: str) -> None:
    assert not file_names.ignored(name)


@given(st.binary(min_size=1, max_size=300))
def test_a_safe_name_is_one_plain_component(raw: bytes) -> None:
    name = file_names.safe(os.fsdecode(raw.replace(b"\0", b"")) or "x")
    assert name and len(name.encode()) <= 140
    assert not set(name) & set('/\\:*?"<>|\0\n\r\t')
    assert name not in {".", ".."} and not name.startswith((".", "-", " ")) and not name.endswith((".", " "))
    assert name.split(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1"}
    assert name == file_names.safe(name)


@given(st.binary(min_size=1, max_size=100))
def test_a_shown_name_can_be_stored_and_printed(raw: bytes) -> None:
    text = file_names.shown(os.fsdecode(raw))
    text.encode("utf-8")
    assert text.isprintable()


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("IMG_1.jpg", ("unsorted", "", "IMG_1.jpg")),
        ("sports/IMG_1.jpg", ("sports", "", "IMG_1.jpg")),
        ("sports/a/b/IMG_1.jpg", ("sports", "a/b", "IMG_1.jpg")),
    ],
)
def test_the_first_folder_is_the_event(relative: str, expected: tuple[str, str, str]) -> None:
    assert file_names.split(relative) == expected


def test_names_that_one_file_system_takes_for_one_have_one_key() -> None:
    assert file_names.key("a/IMG.JPG") == file_names.key("a/img.jpg")
    assert file_names.key("Zoe\u0301.jpg") == file_names.key("Zo\u00e9.jpg")
    assert file_names.key("a.jpg") != file_names.key("b.jpg")


def test_the_published_name_keeps_the_stem() -> None:
    assert file_names.published("IMG_1.HEIC", "jpg") == "IMG_1.jpg"
    assert file_names.published("IMG_1.HEIC", "jpg", 2) == "IMG_1-2.jpg"
    assert file_names.published("../../etc/passwd", "jpg") == "passwd.jpg"
