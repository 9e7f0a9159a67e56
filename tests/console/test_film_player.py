"""The timeline of a film: a face that is shown in part has a bar for each stretch over the bar of its time."""

from __future__ import annotations

from typing import Any

from pipeline.console.film_player import view
from pipeline.redaction.film_timeline import Board

BOARD = Board("mov", "h264", "", 640, 360, 25.0, 10.0, (), ())


def bars(*verdicts: dict[str, Any]) -> list[tuple[str, float, float]]:
    found = view(BOARD, [{"face": 0, "reason": "consent", "seconds": [0, 8], **v} for v in verdicts], {}, 0.0, "en")
    return [(b.kind, b.x, b.width) for b in found.tracks[0].bars]


def test_a_face_that_is_shown_in_part_has_a_bar_for_each_stretch() -> None:
    assert bars({"shown": True, "shown_in": [[0, 2], [3, 8]]}) == [
        ("hidden", 0.0, 800.0),
        ("shown", 0.0, 200.0),
        ("shown", 300.0, 500.0),
    ]


def test_a_face_that_is_covered_or_shown_in_no_frame_has_no_such_bar() -> None:
    assert bars({"shown": False}) == bars({"shown": True, "shown_in": []}) == [("hidden", 0.0, 800.0)]


def test_a_film_of_an_earlier_version_was_shown_as_long_as_the_face_was_there() -> None:
    assert bars({"shown": False}, {"shown": True}) == [("hidden", 0.0, 800.0), ("shown", 0.0, 800.0)]
