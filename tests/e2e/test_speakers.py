"""A sound recording from the inbox to the channels: held until staff say who speaks, then the register decides."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from pipeline.reader.film.pcm import levels
from pipeline.reader.film.probe import probe
from tests.e2e.test_films import film
from tests.e2e.test_recall import Quick
from tests.support.films import LIMITS, tools
from tests.support.school import School, person

BY = ("--by", "M. Bakker", "--why", "I made the recording")


@pytest.fixture
def school(tmp_path: Path, weights: Path, speech: Path) -> School:
    """E1 may be heard everywhere, E2 on the school's own channel only, E3 nowhere."""
    school = Quick(tmp_path / "school", matching=False)
    school.register(
        [
            person("E1"),
            {**person("E2"), "sound_personal": "no"},
            {**person("E3"), "sound_school": "no", "sound_personal": "no"},
        ],
        {},
    )
    event = school.inbox / "feest"
    event.mkdir()
    with wave.open(str(speech)) as file:
        samples = file.readframes(3 * file.getframerate())
    with wave.open(str(event / "talk.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples)
    return school


def loudest(path: Path) -> float:
    """The peak of a recording, 0 to 1."""
    _, peaks = levels(path, probe(path, LIMITS, tools()), tools())
    return float(np.max(peaks))


def test_a_recording_waits_for_its_speakers_and_follows_the_register(school: School) -> None:
    (found,) = school.json("process", ok=False)["items"]
    item = str(found["id"])
    shown = school.json("item", "show", item)
    assert (shown["state"], shown["reasons"], shown["speakers"]) == ("held", ["speakers_unknown"], None)
    assert school.published() == []

    for wrong in ([], ["E1", "--nobody"], ["P9"]):
        assert school.run("item", "speakers", item, *wrong, *BY, ok=False).returncode != 0
    assert school.json("item", "speakers", item, "E1", "E2", *BY)["state"] == "queued"
    school.run("process")
    heard = {c: school.publish / c / "feest" / "talk.m4a" for c in ("school", "personal")}
    assert loudest(heard["school"]) > 0.1
    assert loudest(heard["personal"]) < 0.02  # E2 said no there: nearly all of it is speech
    assert school.json("item", "show", item)["speakers"] == ["E1", "E2"]

    # One who may be heard nowhere was forgotten: what is published is taken back and replaced at once.
    answer = school.json("item", "speakers", item, "E1", "E3", *BY)
    assert (answer["state"], answer["published_anew"]) == ("queued", True) and school.published() == []
    school.run("process")
    assert all(loudest(path) < 0.02 for path in heard.values())

    said = [e for e in school.log() if e["kind"] == "item.speakers"]
    assert [e["body"]["people"] for e in said] == [["E1", "E2"], ["E1", "E3"]]
    assert "E1, E3 can be heard in it, said by hand: I made the recording" in school.run("log").stdout
    assert school.run("log", "verify").returncode == 0


def test_speech_of_a_film_waits_until_somebody_answers_for_who_speaks(
    tmp_path: Path, weights: Path, samples: Path, speech: Path
) -> None:
    """Nobody is recognised, so everybody who is seen is unknown; E3 is of the class and may not be heard."""
    school = Quick(tmp_path / "school", matching=False)
    school.register(
        [
            {**person("E1"), "group": "1A"},
            {**person("E2"), "group": "1A", "sound_personal": "no"},
            {**person("E3"), "group": "1A", "sound_school": "no", "sound_personal": "no"},
        ],
        {},
    )
    film(school.inbox / "feest" / "clip.mp4", [samples / "obama.jpg"], seconds=2, sound=speech)
    (school.inbox / "feest" / "event.toml").write_text('groups = ["1A"]\n')
    (found,) = school.json("process")["items"]
    item = str(found["id"])
    copies = {c: school.publish / c / "feest" / "clip.mp4" for c in ("school", "personal")}
    assert all(loudest(path) < 0.02 for path in copies.values())
    assert "nobody has said yet who speaks in it [B.5]" in school.run("item", "show", item).stdout

    listed = school.run("item", "speakers", item, "--everybody", "--yes", "--redo", *BY).stdout
    assert "E1 Name of E1: school, personal" in listed and "E2 Name of E2: school\n" in listed
    assert "E3" not in listed
    school.run("process")
    assert loudest(copies["school"]) > 0.1 and loudest(copies["personal"]) < 0.02
    shown = school.json("item", "show", item)
    assert (shown["speakers"], shown["speakers_only"]) == (["E1", "E2"], True)
    assert shown["sound"]["school"]["reason"] == "answered_for"
    (said,) = [e for e in school.log() if e["kind"] == "item.speakers"]
    assert said["body"] == {"people": ["E1", "E2"], "why": "I made the recording", "only": True}
    replayed = school.json("log", "replay")["decisions"]
    assert replayed and all(not d["differences"] for d in replayed), json.dumps(replayed)
