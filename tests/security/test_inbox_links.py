"""Whoever may write in the inbox exchanges what is in it for links, at any moment: nothing else is ever reached."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import IntakeError
from pipeline.files.beneath import Folder
from pipeline.intake.watch import look
from tests.support.door import Door
from tests.support.vaults import clear, take

SWAPS: dict[str, Callable[[Path, Path], None]] = {
    "the folder": lambda event, secret: (event.rename(event.with_name("gone")), event.symlink_to(secret))[0],
    "a folder above": lambda event, secret: (
        event.parent.rename(event.parent.with_name("gone")),
        event.parent.symlink_to(secret.parent),
    )[0],
    "the file": lambda event, secret: (
        (event / "originals.key").unlink(),
        (event / "originals.key").symlink_to(secret / "originals.key"),
    )[0],
    "the file for a hard link": lambda event, secret: (
        (event / "originals.key").unlink(),
        os.link(secret / "originals.key", event / "originals.key"),
    )[0],
}


@pytest.mark.parametrize("swap", SWAPS)
def test_what_was_listed_and_is_a_link_now_is_neither_taken_nor_removed(door: Door, swap: str, way: str) -> None:
    seen = door.drop("trip/keys/originals.key", b"photo")
    SWAPS[swap](door.inbox / "trip" / "keys", door.secrets.home / "keys")
    taken = door.intake.from_inbox(seen)
    assert taken.outcome == "later" and taken.problem
    door.safe()


@pytest.mark.parametrize("swap", SWAPS)
def test_what_was_taken_and_is_a_link_now_is_not_removed(door: Door, swap: str, way: str) -> None:
    door.drop("trip/keys/originals.key", b"photo")
    path = door.inbox / "trip" / "keys" / "originals.key"
    stored = take(door.vault, path)
    SWAPS[swap](path.parent, door.secrets.home / "keys")
    try:
        assert not clear(door.vault, path, stored.stamp)
    except IntakeError as e:
        assert "link" in str(e)
    door.safe()


@pytest.mark.parametrize("swap", ["the folder", "a folder above"])
def test_what_is_put_aside_is_what_was_listed(door: Door, swap: str, way: str) -> None:
    event = door.inbox / "trip" / "keys"
    event.mkdir(parents=True)
    (event / "originals.key").symlink_to("/etc/passwd")
    (seen,) = look(door.inbox)
    SWAPS[swap](event, door.secrets.home / "keys")
    assert door.intake.from_inbox(seen).outcome == "later"
    door.safe()
    assert not [p for p in door.vault.quarantine.rglob("*") if p.name.startswith("originals")]


def test_a_photo_that_takes_the_place_of_a_listed_link_is_not_put_aside(door: Door) -> None:
    path = door.inbox / "e" / "a.jpg"
    path.parent.mkdir()
    path.symlink_to("/etc/passwd")
    (seen,) = look(door.inbox)
    path.unlink()
    path.write_bytes(b"photo")
    assert door.intake.from_inbox(seen).outcome == "later"
    assert path.read_bytes() == b"photo" and not list(door.vault.quarantine.rglob("a.jpg"))


def test_a_file_with_a_second_name_elsewhere_waits_and_is_taken_when_it_has_one(door: Door) -> None:
    theirs = door.secrets.home / "keys" / "originals.key"
    (door.inbox / "e").mkdir()
    os.link(theirs, door.inbox / "e" / "a.jpg")
    (seen,) = look(door.inbox)
    taken = door.intake.from_inbox(seen)
    assert taken.outcome == "later" and "hard link" in taken.problem and "Copy the file" in taken.problem
    door.safe()
    (door.inbox / "e" / "a.jpg").unlink()
    assert door.intake.from_inbox(door.drop("e/a.jpg", b"photo")).outcome == "new"


def test_an_event_described_by_a_link_is_a_problem_of_its_files(door: Door, way: str) -> None:
    seen = door.drop("e/a.jpg", b"photo")
    (door.inbox / "e" / "event.toml").symlink_to(door.secrets.home / "register" / "event.toml")
    item = door.intake.from_inbox(seen).item
    assert item and "is not followed" in item.event.problem
    door.safe()


def test_an_event_described_by_a_hard_link_is_a_problem_of_its_files(door: Door) -> None:
    seen = door.drop("e/a.jpg", b"photo")
    os.link(door.secrets.home / "register" / "event.toml", door.inbox / "e" / "event.toml")
    item = door.intake.from_inbox(seen).item
    assert item and "another name elsewhere" in item.event.problem
    door.safe()


def test_what_is_written_goes_through_no_link_either(door: Door, way: str, tmp_path: Path) -> None:
    secret, vault = door.secrets.home / "keys", door.vault
    sha256 = take(vault, door.inbox / door.drop("e/a.jpg", b"photo").relative).sha256
    for folder in (vault.quarantine, vault.publish / "school", door.inbox / "console"):
        folder.mkdir(exist_ok=True)
        (folder / "day").symlink_to(secret)
    with pytest.raises(OSError, match="not followed"):
        vault.aside.copy(sha256, "day/originals.key", "because")
    with pytest.raises(OSError, match="not followed"):
        vault.aside.clear(sha256, "day/originals.key")
    (vault.work / "1.partial").write_bytes(b"covered")
    covered = hashlib.sha256(b"covered").hexdigest()
    with pytest.raises(OSError, match="not followed"):
        vault.published.release("1.partial", "school", "day/new.jpg", covered)
    own = hashlib.sha256((secret / "originals.key").read_bytes()).hexdigest()
    assert not vault.published.retract("school", "day/originals.key", own)
    vault.deliveries.write(tmp_path / "uploads", "k", 0, b"photo")
    with pytest.raises(OSError, match="not followed"):
        vault.deliveries.deliver(tmp_path / "uploads", "k", "console/day", "a.jpg")
    with pytest.raises(OSError, match="not followed"):
        vault.deliveries.describe("console/day", "event.toml", "title = 'x'")
    door.safe()


def test_a_portrait_is_reached_through_no_link_that_was_laid_since(door: Door, tmp_path: Path, way: str) -> None:
    home = tmp_path / "register" / "portraits" / "P1"
    home.mkdir(parents=True)
    photo, theirs = home / "1.jpg", door.secrets.home / "register" / "portraits" / "P1" / "1.jpg"
    photo.write_bytes(theirs.read_bytes())
    sha256 = hashlib.sha256(photo.read_bytes()).hexdigest()
    home.parent.rename(tmp_path / "gone")
    home.parent.symlink_to(door.secrets.home / "register" / "portraits")
    with pytest.raises(IntakeError, match="not followed"), door.vault.portraits.borrowed(photo, sha256, 1 << 20):
        pass
    assert not door.vault.portraits.erase(photo, sha256)
    with pytest.raises(OSError, match="not followed"):
        door.vault.portraits.keep(tmp_path / "register", "P1", b"x", ".jpg")
    door.safe()


@pytest.mark.parametrize("relative", ["../secret/keys/originals.key", "/etc/passwd", "e/../../secret", "", "./a", "//"])
def test_a_way_that_is_no_plain_one_is_none(door: Door, relative: str, way: str) -> None:
    (door.inbox / "e").mkdir()
    with Folder.at(door.inbox) as inbox, pytest.raises(OSError, match="not followed"):
        inbox.open(relative)


def test_another_file_system_below_is_not_entered(way: str) -> None:
    with Folder.at(Path("/")) as root, pytest.raises(OSError, match="not followed"):
        root.folder("proc/self")
