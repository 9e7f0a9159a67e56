"""An interview with a cut: somebody else sits in the same chair before the same wall, for a moment. Real service, real
faces; every frame of what is published is held against the original."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.likeness import likeness
from pipeline.domain.types import Box, RgbImage
from tests.e2e.test_films import frames
from tests.e2e.test_recall import Quick
from tests.support.films import tools
from tests.support.school import School, person

WIDTH, HEIGHT, RATE, LENGTH = 640, 360, 25, 62
SIZE = 230
FACE = (82 / 250, 78 / 250, 168 / 250, 188 / 250)
"""Where the face is in a portrait of Labeled Faces in the Wild."""
FRIENDS = {"P1": "Atal_Bihari_Vajpayee", "P2": "Angela_Merkel"}
Chair = tuple[str, int, int]
"""The name of a film, the frame in which the stranger sits down, and for how many frames."""
CHAIRS: tuple[Chair, ...] = (("short", 22, 8), ("long", 20, 23), ("blink", 30, 2))


def portrait(people: Path, name: str, number: int) -> RgbImage:
    path = sorted((people / name).glob("*.jpg"))[number]
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def place(frame: int) -> tuple[float, float]:
    """The middle of the head: whoever sits breathes."""
    return 330 + 2 * float(np.sin(frame / 7)), 180 + 2 * float(np.sin(frame / 5))


def face_in(frame: int) -> Box:
    x, y = place(frame)
    left, top, right, bottom = ((v - 0.5) * SIZE for v in FACE)
    return Box(x + left, y + top, x + right, y + bottom)


def interview(friend: RgbImage, stranger: RgbImage, start: int, length: int) -> Iterator[RgbImage]:
    """One chair, one wall, grain of the sensor; the people are exchanged by a jump cut."""
    rng = np.random.default_rng(4)
    coarse = rng.normal(115, 25, (HEIGHT // 40, WIDTH // 40, 3)).astype(np.float32)
    wall = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    down, across = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    soft = np.clip((1 - np.hypot(across / 0.92, down / 0.98)) / 0.1, 0, 1).astype(np.float32)
    for n in range(LENGTH):
        head = cv2.resize(
            stranger if start <= n < start + length else friend, (SIZE, SIZE), interpolation=cv2.INTER_AREA
        )
        x, y = place(n)
        matrix = np.array([[1, 0, x - SIZE / 2], [0, 1, y - SIZE / 2]], np.float32)
        opaque = cv2.warpAffine(soft, matrix, (WIDTH, HEIGHT))[..., None]
        laid = wall * (1 - opaque) + cv2.warpAffine(head, matrix, (WIDTH, HEIGHT)) * opaque
        grain: NDArray[np.float64] = rng.normal(0, 2.5, laid.shape)
        yield np.clip(laid + grain, 0, 255).astype(np.uint8)


def write(path: Path, pictures: Iterator[RgbImage]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-"]
    how = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-pix_fmt", "yuv420p"]
    data = b"".join(picture.tobytes() for picture in pictures)
    subprocess.run([tools().ffmpeg, "-v", "error", *raw, *how, str(path)], input=data, check=True)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, shared_data: Path) -> School:
    s = Quick(tmp_path_factory.mktemp("chair") / "s")
    people = shared_data / "lfw"
    portraits = {p: sorted((people / name).glob("*.jpg"))[:2] for p, name in FRIENDS.items()}
    s.register([person(p) for p in FRIENDS], portraits)
    return s


@pytest.fixture(scope="module")
def chairs(school: School, shared_data: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Per film its original and the item that it became."""
    people = shared_data / "lfw"
    friend, stranger = portrait(people, FRIENDS["P1"], 2), portrait(people, "Bill_Graham", 0)
    originals = {}
    for name, start, length in CHAIRS:
        originals[name] = school.home / f"{name}.mp4"
        write(originals[name], interview(friend, stranger, start, length))
        (school.inbox / "talk").mkdir(exist_ok=True)
        (school.inbox / "talk" / f"{name}.mp4").write_bytes(originals[name].read_bytes())
    items = {Path(i["name"]).stem: i for i in school.json("process")["items"]}
    return {name: (originals[name], items[name]) for name in originals}


@pytest.mark.shared
@pytest.mark.parametrize("chair", CHAIRS, ids=lambda c: c[0])
def test_a_stranger_in_the_chair_is_covered_however_short_and_the_friend_is_shown(
    chair: Chair, school: School, chairs: dict[str, tuple[Path, dict[str, Any]]]
) -> None:
    name, start, length = chair
    original, item = chairs[name]
    assert item["state"] == "published", item
    before, after = frames(original)[1], frames(school.publish / "school" / "talk" / f"{name}.mp4")[1]
    assert len(before) == len(after) == LENGTH
    seen = [likeness(before[n], after[n], face_in(n)) for n in range(LENGTH)]
    stranger = range(start, start + length)
    assert max(seen[n] for n in stranger) < 0.5, seen
    hidden = [n for n in range(LENGTH) if n not in stranger and seen[n] < 0.6]
    assert len(hidden) <= 0.15 * (LENGTH - length), hidden


@pytest.mark.shared
def test_the_log_says_when_and_the_decision_can_be_replayed(
    school: School, chairs: dict[str, tuple[Path, dict[str, Any]]]
) -> None:
    _, item = chairs["short"]
    own = [v for v in item["verdicts"] if v["channel"] == "school" and v["person"] == "P1"]
    assert all(v["shown"] and v["proven"] and v["shown_in"] == v["proven"] for v in own)
    times = [s for v in own for s in v["shown_in"]]
    assert not any(a < 30 / RATE and b > 22 / RATE for a, b in times), times
    assert school.json("log", "verify")["flaws"] == []
    (replayed,) = school.json("log", "replay", str(item["id"]))["decisions"]
    assert (replayed["replayed"], replayed["differences"]) == (True, [])
