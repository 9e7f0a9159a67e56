"""What the service believes of a child's answers about a film: a real child, whose answers are altered on their way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.film import FirstPass, Sample, Stretch
from pipeline.domain.types import JsonObject
from pipeline.errors import ChildError
from pipeline.sandbox.client import MediaClient
from pipeline.sandbox.film_client import FilmReader, Written
from pipeline.sandbox.options import MediaOptions
from tests.support.films import ffmpeg, make

Alter = Callable[[JsonObject], Any]


@dataclass
class Heard:
    """The true answers, so that every lie costs no further work of the child."""

    media_client: MediaClient
    known: dict[str, JsonObject] = field(default_factory=dict)


class Altered(MediaClient):
    """A child whose answer to one operation is not what it was."""

    def __init__(self, heard: Heard, operation: str, alter: Alter) -> None:
        super().__init__(heard.media_client._options)
        self.heard, self.operation, self.alter = heard, operation, alter

    def film(self, operation: str, path: Path, seconds: float = 0.0, **request: Any) -> JsonObject:
        known = self.heard.known
        if operation not in known:
            known[operation] = self.heard.media_client.film(operation, path, seconds, **request)
        answer = json.loads(json.dumps(known[operation]))
        if operation == self.operation:
            answer = self.alter(answer)
        return dict(answer)

    def checker(self) -> MediaClient:
        return self

    def check_film(self, path: Path, seconds: float, **request: Any) -> JsonObject:
        known = self.heard.known
        if "film_check" not in known:
            known["film_check"] = self.heard.media_client.checker().check_film(path, seconds, **request)
        answer = json.loads(json.dumps(known["film_check"]))
        return dict(self.alter(answer) if self.operation == "film_check" else answer)


@pytest.fixture(scope="module")
def heard(weights: Path) -> Iterator[Heard]:
    media_client = MediaClient(MediaOptions(weights, ("yunet",), (), 1, 60.0, 4 << 30, 50_000_000, 100))
    media_client.start()
    yield Heard(media_client)
    media_client.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("films") / "a.mp4", seconds=0.4)


def written(film: FilmReader, look: FirstPass, target: Path) -> Written:
    return film.written(
        look,
        (),
        (Stretch(0.1, 0.2),),
        style="mosaic",
        seed=1,
        target=str(target),
        embed=False,
        watched=[0, look.frames - 1],
        shown=[],
    )


def everything(media_client: MediaClient, path: Path, target: Path) -> Written:
    film = FilmReader.opened(path, media_client)
    look, _ = film.look()
    film.speech()
    film.followed(look, tuple(t.index for t in look.tracks), ())
    return written(film, look, target)


def test_true_answers_are_read(heard: Heard, small: Path, tmp_path: Path) -> None:
    result = everything(Altered(heard, "", lambda x: x), small, tmp_path / "out.mp4")
    assert result.checks and all(c.passed for c in result.checks), result.checks
    assert {"same_frames", "every_cover_in_every_frame", "sound_muted"} <= {c.name for c in result.checks}


FACE = {
    "index": 0,
    "box": [1, 2, 30, 40],
    "score": 0.9,
    "landmarks": None,
    "engines": ["yunet"],
    "sharpness": 1.0,
    "embeddings": {},
    "agreed": [1, 2, 30, 39],
}
LIES: list[tuple[str, Alter]] = [
    ("film_facts", lambda x: {}),
    ("film_facts", lambda x: x | {"rate": [25, 0]}),
    ("film_facts", lambda x: x | {"upright": 3}),
    ("film_look", lambda x: x | {"frames": "many"}),
    ("film_look", lambda x: x | {"tracks": [None]}),
    ("film_look", lambda x: x | {"tracks": ["a"]}),
    ("film_speech", lambda x: {}),
    ("film_speech", lambda x: {"speech": [[2, 1]]}),
    ("film_speech", lambda x: {"speech": [None]}),
    ("film_describe", lambda x: x | {"faces": [FACE]}),
    ("film_describe", lambda x: x | {"jumps": [[3]]}),
    ("film_describe", lambda x: x | {"jumps": "none"}),
    ("film_describe", lambda x: x | {"faces": ["x"]}),
    ("film_check", lambda x: x | {"found": [{"frame": "one", "face": FACE}]}),
    ("film_check", lambda x: x | {"found": [{"frame": 1e400, "face": FACE}]}),
    ("film_check", lambda x: x | {"found": [{"frame": -1, "face": FACE}]}),
    ("film_check", lambda x: x | {"found": [{"face": FACE}]}),
    ("film_check", lambda x: x | {"found": [{"frame": 0, "face": FACE | {"agreed": [1, 2, 30, 41]}}]}),
    ("film_check", lambda x: x | {"found": 7}),
    ("film_produce", lambda x: x | {"checks": []}),
    ("film_check", lambda x: x | {"checks": []}),
    ("film_produce", lambda x: x | {"checks": [c for c in x["checks"] if c["name"] != "sound_muted"]}),
    ("film_produce", lambda x: x | {"checks": [{"name": "same_size"}]}),
    ("film_produce", lambda x: x | {"checks": "all well"}),
]


@pytest.mark.parametrize(("operation", "lie"), LIES)
def test_an_answer_that_cannot_be_is_an_error_of_the_child(
    operation: str, lie: Alter, heard: Heard, small: Path, tmp_path: Path
) -> None:
    with pytest.raises(ChildError, match="make no sense"):
        everything(Altered(heard, operation, lie), small, tmp_path / "out.mp4")


def test_fewer_faces_than_were_asked_for_are_an_error_of_the_child(heard: Heard, small: Path) -> None:
    film = FilmReader.opened(small, Altered(heard, "film_describe", lambda x: x | {"faces": []}))
    look, _ = film.look()
    with pytest.raises(ChildError, match="other faces"):
        film.described(look, (Sample(0, 0),))


def test_a_film_that_reads_otherwise_the_second_time_fails_its_check(heard: Heard, small: Path, tmp_path: Path) -> None:
    """As damaged films do: what was found in other pictures would be covered in the wrong places."""
    film = FilmReader.opened(small, heard.media_client)
    look, _ = film.look()
    assert look.fingerprint
    same = {c.name: c.passed for c in written(film, look, tmp_path / "a.mp4").checks}
    assert same["same_pictures"]
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", small, "-vf", "hflip", "-c:a", "copy", turned)
    other = written(replace(film, path=turned), look, tmp_path / "b.mp4")
    assert [c.name for c in other.checks if not c.passed] == ["same_pictures"]
