"""What is known of a film arrives on the other side as it was sent."""

import json
from fractions import Fraction

import pytest

from pipeline.film_types import FilmFacts, Stretch
from pipeline.film_wire import facts_in, facts_out, stretches_in, stretches_out

FILM = FilmFacts(
    "mov", 1280, 720, Fraction(30000, 1001), 12.5, True, "hevc", "aac", 0, 2, 48000, 1, True, "smpte170m",
    ("dropped: 1 data track",), video_end=12.4, interlaced=True, sound_end=12.3, upright=(1279, 719),
)  # fmt: skip
RECORDING = FilmFacts("mp3", 0, 0, Fraction(0), 3.0, True, sound_codec="mp3", sound_stream=0, sound_end=3.0)


@pytest.mark.parametrize("facts", [FILM, RECORDING])
def test_facts_survive_the_way(facts: FilmFacts) -> None:
    assert facts_in(json.loads(json.dumps(facts_out(facts)))) == facts


@pytest.mark.parametrize("change", [{"width": 1 << 20}, {"rate": [0, 1]}, {"rate": [5000, 1]}, {"upright": [1]}])
def test_facts_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"size|unpack"):
        facts_in({**facts_out(FILM), **change})


def test_stretches_survive_the_way() -> None:
    pieces = (Stretch(0.0, 1.25), Stretch(2.5, 3.0))
    assert stretches_in(json.loads(json.dumps(stretches_out(pieces)))) == pieces
    for wrong in ([[2.0, 1.0]], [[-1.0, 1.0]], [[float("nan"), 1.0]]):
        with pytest.raises(ValueError, match="begins"):
            stretches_in(wrong)
