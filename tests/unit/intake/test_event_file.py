"""event.toml is written by people: each mistake is a message, and holds the files."""

import os
from datetime import date
from pathlib import Path

import pytest

from pipeline.domain.types import Event
from pipeline.files.beneath import Folder
from pipeline.intake.event_file import described, parse, read


def test_a_complete_file() -> None:
    event = parse(
        "sports",
        'title = "Sports"\ndate = 2026-06-12\nkind = "excursion"\ngroups = ["1A", "2B"]\n'
        'uploader = "J. Jansen"\npermission = ""\n',
    )
    assert event.problem == ""
    assert (event.title, event.date, event.groups) == ("Sports", date(2026, 6, 12), ("1A", "2B"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", "not valid TOML"),
        ("groups = '1A'", "groups must be a list"),
        ("groups = [1]", "groups must"),
        ("date = 'yesterday'", "date must be a day"),
        ("kind = 3", "kind must be text"),
        ("clas = '1A'", "unknown key 'clas'"),
        ("title = " + "[" * 5000, "not valid TOML"),
        ("a = " + "9" * 5000, "not valid TOML"),
        ('title = "a\\u0000b"', "title must be one line"),
        ('groups = ["1A\\n"]', "groups must be"),
    ],
)
def test_a_mistake_is_named(text: str, says: str) -> None:
    assert says in parse("e", text).problem


def found(inbox: Path, relative: str, top: bool = False) -> Event:
    with Folder.at(inbox) as root:
        return read(root, "e", relative, top)


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    deep = tmp_path / "trip" / "monday" / "a.jpg"
    deep.parent.mkdir(parents=True)
    assert found(tmp_path, "trip/monday/a.jpg").problem == ""
    (tmp_path / "event.toml").write_text('title = "of the whole inbox: not read"')
    (tmp_path / "trip" / "event.toml").write_text('title = "outer"')
    assert found(tmp_path, "trip/monday/a.jpg").title == "outer"
    (tmp_path / "trip" / "monday" / "event.toml").write_text('title = "inner"')
    assert found(tmp_path, "trip/monday/a.jpg").title == "inner"
    assert found(tmp_path, "a.jpg").title == "" and found(tmp_path, "a.jpg", top=True).title.startswith("of the whole")
    (tmp_path / "led astray").symlink_to(tmp_path / "trip")
    (tmp_path / "empty").mkdir()
    with Folder.at(tmp_path) as root:
        assert described(root) == ["trip"]
    assert "is not followed" in found(tmp_path, "led astray/a.jpg").problem


def test_a_link_a_pipe_and_a_flood_are_refused(tmp_path: Path) -> None:
    photo = tmp_path / "e" / "a.jpg"
    photo.parent.mkdir()
    toml = photo.parent / "event.toml"
    (tmp_path / "secret").write_text('title = "secret"')
    toml.symlink_to(tmp_path / "secret")
    assert "cannot be read" in found(tmp_path, "e/a.jpg").problem
    toml.unlink()
    toml.write_text("#" * 70_000)
    assert "larger than" in found(tmp_path, "e/a.jpg").problem
    toml.write_bytes(b"title = '\xff'")
    assert "UTF-8" in found(tmp_path, "e/a.jpg").problem
    toml.unlink()
    os.mkfifo(toml)
    assert found(tmp_path, "e/a.jpg").title == ""  # and it did not block
