"""The look at the publish folder: what is strange is found, what comes or goes meanwhile is not."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.errors import PublishError
from pipeline.files.publish_audit import Found, Standing, patrol


@pytest.fixture
def publish(tmp_path: Path) -> Path:
    for name in ("school/day/a.jpg", "school/day/b.jpg", "personal/day/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "school" / "day" / "Thumbs.db").write_bytes(b"left by a file manager")
    (tmp_path / ".beeldwacht-probe").touch()
    return tmp_path


def table(publish: Path) -> dict[str, Standing]:
    return {
        n: Standing(hashlib.sha256(n.encode()).hexdigest(), len(n), True)
        for n in ("school/day/a.jpg", "school/day/b.jpg", "personal/day/a.jpg")
    }


@pytest.mark.parametrize("thorough", [True, False])
def test_what_is_as_decided_is_in_order(publish: Path, thorough: bool) -> None:
    assert patrol(publish, lambda: table(publish), thorough) == Found()


def test_each_strange_file_is_found(publish: Path) -> None:
    (publish / "school" / "extra").mkdir()
    (publish / "school" / "extra" / ".hidden.jpg").write_bytes(b"x")
    (publish / "school" / "day" / "a.jpg").write_bytes(b"another length")
    (publish / "school" / "day" / "b.jpg").write_bytes(b"school/day/B.jpg")
    (publish / "personal" / "day" / "a.jpg").unlink()
    (publish / "personal" / "day" / "a.jpg").symlink_to(publish / "school" / "day" / "b.jpg")
    quick = patrol(publish, lambda: table(publish), False)
    assert quick == Found(("school/extra/.hidden.jpg",), ("personal/day/a.jpg", "school/day/a.jpg"))
    assert patrol(publish, lambda: table(publish), True).changed == (*quick.changed, "school/day/b.jpg")
    (publish / "personal" / "day" / "a.jpg").unlink()
    assert patrol(publish, lambda: table(publish), False).missing == ("personal/day/a.jpg",)


def test_what_comes_or_goes_while_one_looks_is_not_strange(publish: Path) -> None:
    new = publish / "school" / "day" / "new.jpg"
    asked = 0

    def standing() -> Mapping[str, Standing]:
        nonlocal asked
        asked += 1
        rows = table(publish)
        if asked == 1:
            new.write_bytes(b"new")  # released after the rows were read
            (publish / "school" / "day" / "a.jpg").unlink()  # and one is taken back
        else:
            rows["school/day/new.jpg"] = Standing(hashlib.sha256(b"new").hexdigest(), 3, True)
            rows["school/day/a.jpg"] = Standing("", 0, False)
        return rows

    assert patrol(publish, standing, True) == Found() and asked == 2


def test_a_share_that_is_away_is_not_a_folder_from_which_all_was_taken(publish: Path) -> None:
    rows = table(publish)
    shutil.rmtree(publish / "school")
    shutil.rmtree(publish / "personal")
    with pytest.raises(PublishError, match="mounted"):
        patrol(publish, lambda: rows, False)
