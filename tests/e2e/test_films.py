"""Films into the inbox of the real service, covered copies out of it: every frame of them is measured."""

from __future__ import annotations

import os
import time
import wave
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.likeness import likeness
from pipeline.domain.film import FilmFacts
from pipeline.domain.types import Box, RgbImage
from pipeline.reader.film.colour import rgb
from pipeline.reader.film.pcm import BLOCKS, levels
from pipeline.reader.film.probe import probe
from tests.e2e.test_main_job import row
from tests.e2e.test_recall import ASK, Quick
from tests.support import films
from tests.support.films import tools
from tests.support.school import School, person, until

RATE, WIDTH, HEIGHT, STEP = 10, 640, 360, 2
BEEP, SPEECH = (0.1, 0.7), (1.3, 2.9)
BY = ("--by", "M. Bakker")
Verdict = dict[str, Any]


def film(path: Path, *scenes: Sequence[Path], seconds: float, sound: Path | None = None, rate: int = RATE) -> Path:
    """A camera that moves `STEP` pixels to the right each frame over photos in a row; one row after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs: list[str | Path] = []
    chains = ""
    for n, photos in enumerate(scenes):
        sheet = row(*photos)
        sheet = sheet.resize((760, round(760 * sheet.height / sheet.width)), Image.Resampling.LANCZOS)
        still = path.parent.parent.parent / f"{path.name}-{n}.png"
        sheet.save(still)
        inputs += ["-loop", "1", "-framerate", str(rate), "-t", str(seconds / len(scenes)), "-i", still]
        chains += f"[{n}:v]crop={WIDTH}:{HEIGHT}:'60+mod({STEP}*n,60)':0,format=yuv420p[v{n}];"
    chains += "".join(f"[v{n}]" for n in range(len(scenes))) + f"concat=n={len(scenes)}[v]"
    inputs += ["-i", sound] if sound else []
    last = ["-map", f"{len(scenes)}:a", "-c:a", "aac", "-ar", "48000"] if sound else []
    films.ffmpeg(
        *inputs,
        "-filter_complex",
        chains,
        "-map",
        "[v]",
        *last,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "14",
        "-t",
        str(seconds),
        path,
    )
    return path


def frames(path: Path) -> tuple[FilmFacts, list[RgbImage]]:
    facts, found = films.look(path)
    return facts, [rgb(frame, facts.matrix) for frame in found]


def where(verdict: Verdict, frame: int) -> Box:
    """Where the face of a verdict is in a frame: it stands still, and the camera moves on and jumps back."""
    left, top, right, bottom = verdict["box"]
    moved = STEP * verdict["frame"] % 60 - STEP * frame % 60
    return Box(left + moved, top, right + moved, bottom)


def alike(original: Path, copy: Path, verdict: Verdict) -> list[float]:
    """How alike the face of a verdict is in original and copy, frame by frame while it is seen."""
    (first, before), (second, after) = frames(original), frames(copy)
    assert (len(before), first.width, first.height) == (len(after), second.width, second.height)
    rate = int(first.rate)
    begin, end = (round(s * rate) for s in verdict["seconds"])
    assert end - begin >= rate // 2
    return [likeness(before[n], after[n], where(verdict, n)) for n in range(begin, end)]


def assert_covered_or_shown(school: School, original: Path, verdicts: Sequence[Verdict], name: str) -> None:
    """In every frame of every channel's file a face is as its verdict says."""
    assert verdicts
    for v in verdicts:
        found = alike(original, school.publish / v["channel"] / name, v)
        at = [(n, round(f, 2)) for n, f in enumerate(found) if (f <= 0.9 if v["shown"] else f >= 0.5)]
        assert not at, (v["channel"], v["face"], v["shown"], at)


def loudest(path: Path, seconds: tuple[float, float]) -> float:
    """The peak of the sound in a piece of time, 0 to 1."""
    _, peaks = levels(path, probe(path, films.LIMITS, tools()), tools())
    return float(peaks[round(seconds[0] * BLOCKS) : round(seconds[1] * BLOCKS)].max())


def shown(verdicts: Sequence[Verdict], channel: str) -> list[str | None]:
    return [v["person"] for v in verdicts if v["shown"] and v["channel"] == channel]


@pytest.fixture(scope="module")
def sound(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A beep, then somebody who speaks: 3 s."""
    with wave.open(str(speech)) as file:
        rate = file.getframerate()
        voice = np.frombuffer(file.readframes(3 * rate), "<i2")
    samples: NDArray[np.int16] = np.zeros(3 * rate, np.int16)
    a, b = (round(s * rate) for s in BEEP)
    samples[a:b] = (12000 * np.sin(2 * np.pi * 880 * np.arange(b - a) / rate)).astype(np.int16)
    a, b = (round(s * rate) for s in SPEECH)
    samples[a:b] = voice[rate // 2 : rate // 2 + b - a]
    path = tmp_path_factory.mktemp("sound") / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples)
    return path


# --- one film on one installation, from the inbox to a withdrawal -------------------------------------------------


def agreements(**p1: str) -> list[dict[str, str]]:
    """P1 may be seen on the school's own channel only; P2 is nowhere seen, and heard on that channel only."""
    return [
        {**person("P1"), "film_personal": "no", **p1},
        {**person("P2"), "film_school": "no", "film_personal": "no", "sound_personal": "no"},
    ]


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> School:
    s = Quick(tmp_path_factory.mktemp("films") / "s", env={"BEELDWACHT_FILM__SOUND": "speech", **ASK})
    s.register(agreements(), {"P1": [samples / "obama.jpg"], "P2": [samples / "biden.jpg"]})
    return s


@pytest.fixture(scope="module")
def two(school: School, samples: Path, sound: Path) -> tuple[Path, dict[str, Any]]:
    """The original of a film of P1 and P2, and the item it became."""
    dropped = film(
        school.inbox / "trip" / "two.mp4", [samples / "obama2.jpg", samples / "biden.jpg"], seconds=3, sound=sound
    )
    original = school.home / "two.mp4"
    original.write_bytes(dropped.read_bytes())
    (item,) = school.json("process")["items"]
    return original, item


def test_each_channel_shows_who_agreed_to_it_in_every_frame_and_nobody_else(
    school: School, two: tuple[Path, dict[str, Any]]
) -> None:
    original, item = two
    assert (item["state"], item["format"]) == ("published", "film (h264)")
    assert school.published() == ["personal/trip/two.mp4", "school/trip/two.mp4"]
    assert shown(item["verdicts"], "school") == ["P1"] and shown(item["verdicts"], "personal") == []
    assert {v["person"] for v in item["verdicts"]} >= {"P1", "P2"}
    assert_covered_or_shown(school, original, item["verdicts"], "trip/two.mp4")
    assert not list((school.home / "work").iterdir())


def test_the_log_and_item_show_say_when_who_and_why(school: School, two: tuple[Path, dict[str, Any]]) -> None:
    _, item = two
    said = school.run("item", "show", str(item["id"])).stdout
    line = next(x for x in said.splitlines() if "school: face" in x and "SHOWN" in x)
    assert "(0:00.0 - 0:03.0, " in line and "P1/film/school" in line and "; is P1, score" in line
    refused = next(x for x in said.splitlines() if "school: face" in x and "; is P2" in x)
    assert "covered: " in refused and "P2/film/school" in refused and "[A.5]" in refused
    assert "school: sound: sound KEPT: everyone who is known to be in it may be heard on this channel [A.5]" in said
    assert "personal: sound: speech muted: somebody who is in it may not be heard on this channel [A.5]; P2; 0:" in said
    log = school.run("log", "--item", str(item["id"])).stdout
    assert "film (h264) 640 x 360, 0:03.0, 30 frames" in log
    assert "school: sound: sound KEPT: everyone who is known to be in it may be heard on this channel [A.5]" in log
    assert "personal: sound: speech muted: somebody who is in it may not be heard on this channel [A.5]; P2; 0:" in log
    assert "Name of" not in log
    assert school.json("log", "verify")["flaws"] == []


def test_the_sound_stays_where_all_agree_and_elsewhere_speech_is_silent(
    school: School, two: tuple[Path, dict[str, Any]]
) -> None:
    for channel, speaks in (("school", True), ("personal", False)):
        copy = school.publish / channel / "trip" / "two.mp4"
        assert loudest(copy, (0.2, 0.6)) > 0.2, channel  # the beep, which is nobody's voice
        assert (loudest(copy, SPEECH) > 0.1) is speaks, channel
        assert speaks or loudest(copy, SPEECH) < 0.001


def test_a_copy_for_one_person_shows_that_person_alone_and_is_silent(
    school: School, two: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    original, item = two
    facts = school.json("person", "export", "P2", "--to", str(tmp_path), "--language", "en")
    assert (facts["pictures"], facts["not_rendered"]) == (1, 0)
    copy = Path(facts["folder"]) / "pictures" / f"{item['id']}.mp4"
    assert not probe(copy, films.LIMITS, tools()).sound
    for v in (v for v in item["verdicts"] if v["channel"] == "school"):
        found = alike(original, copy, v)
        assert min(found) > 0.9 if v["person"] == "P2" else max(found) < 0.5, (v, found)
    assert "P1" not in (Path(facts["folder"]) / "letter.html").read_text()
    assert not list((school.home / "work").iterdir())


def test_a_withdrawal_of_film_or_sound_takes_the_film_back_and_replaces_it(
    school: School, two: tuple[Path, dict[str, Any]], samples: Path
) -> None:
    original, item = two
    photos = {"P1": [samples / "obama.jpg"], "P2": [samples / "biden.jpg"]}
    # Photos are another matter: who withdraws those may still be in films.
    assert school.register(agreements(photo_school="no", photo_personal="no"), photos)["recall"] == 0
    assert school.register(agreements(film_school="no", sound_school="no"), photos)["recall"] > 0
    listed = school.json("recall")["files"]
    assert {(f["channel"], f["path"], f["person"], f["medium"]) for f in listed} == {
        ("school", "trip/two.mp4", "P1", "film"),
        ("school", "trip/two.mp4", "P1", "sound"),
    }
    before = (school.publish / "school" / "trip" / "two.mp4").read_bytes()
    assert school.json("recall", "--apply", "--by", "A. de Boer")["applied"] == [item["id"]]
    assert school.published() == []
    school.run("process")
    assert school.published() == ["personal/trip/two.mp4", "school/trip/two.mp4"]
    after = school.publish / "school" / "trip" / "two.mp4"
    assert after.read_bytes() != before and loudest(after, SPEECH) < 0.001
    verdicts = school.json("item", "show", str(item["id"]))["verdicts"]
    assert not any(v["shown"] for v in verdicts)
    assert_covered_or_shown(school, original, verdicts, "trip/two.mp4")
    assert school.json("recall")["files"] == [] and school.json("log", "verify")["flaws"] == []
    assert all(not d["differences"] for d in school.json("log", "replay")["decisions"])


# --- without matching ---------------------------------------------------------------------------------------------


def test_without_matching_all_are_covered_and_names_by_hand_show_who_agreed(
    tmp_path: Path, weights: Path, samples: Path, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One man in two shots, so in two tracks; he agreed to films, and not to be matched. All else is strict."""
    monkeypatch.setenv("BEELDWACHT_FILM__SOUND", "strict")
    school = Quick(tmp_path / "s", matching=False)
    dropped = film(
        school.inbox / "trip" / "cut.mp4", [samples / "obama.jpg"], [samples / "obama3.jpg"], seconds=3, sound=sound
    )
    original = tmp_path / "cut.mp4"
    original.write_bytes(dropped.read_bytes())
    (item,) = school.json("process")["items"]  # there is not even a register
    assert item["state"] == "published" and {v["reason"] for v in item["verdicts"]} == {"matching_off"}
    assert not any(v["shown"] for v in item["verdicts"])
    assert_covered_or_shown(school, original, item["verdicts"], "trip/cut.mp4")
    copy = school.publish / "school" / "trip" / "cut.mp4"
    assert loudest(copy, (0.0, 3.0)) < 0.001  # strict: the beep as well

    school.register([{**person("P1"), "matching": "no", "film_personal": "no"}], {})
    own = [v for v in item["verdicts"] if v["channel"] == "school"]
    assert len(own) == 2 and {v["seconds"][0] for v in own} == {0.0, 1.5}
    for v in own:
        school.json("item", "name", str(item["id"]), str(v["face"]), "P1", *BY)
    school.json("item", "redo", str(item["id"]), *BY)
    school.run("process")
    verdicts = school.json("item", "show", str(item["id"]))["verdicts"]
    assert shown(verdicts, "school") == ["P1", "P1"] and shown(verdicts, "personal") == []
    assert {v["named_by"] for v in verdicts} == {"M. Bakker"}
    assert_covered_or_shown(school, original, verdicts, "trip/cut.mp4")
    assert loudest(copy, SPEECH) > 0.1  # everyone who is in it may be heard

    school.json("item", "unname", str(item["id"]), str(own[0]["face"]), *BY)
    assert school.published() == []  # at once: it showed the face because of the name
    assert school.json("log", "verify")["flaws"] == []


# --- the service, killed and asked to stop ------------------------------------------------------------------------


@pytest.fixture
def busy(tmp_path: Path, weights: Path, samples: Path) -> Iterator[School]:
    """A service that works on one file at a time, and has just begun with a film of 6 s."""
    slow = {"BEELDWACHT_FILM__THREADS": "1", "BEELDWACHT_WORK__SLOTS": "1"}
    s = Quick(tmp_path / "s", env=slow, matching=False)
    made = film(tmp_path / "made" / "long.mp4", [samples / "obama2.jpg", samples / "biden.jpg"], seconds=6, rate=25)
    (s.inbox / "trip").mkdir()
    (s.inbox / "trip" / "long.mp4").write_bytes(made.read_bytes())
    s.start()
    yield s
    s.kill()


def step(school: School) -> str:
    """What the service says it does with the film."""
    service = school.json("status")["service"]
    return "".join(f["step"] for f in service.get("progress", ()))


def notes(school: School) -> dict[str, int]:
    """The notes of the first pass in work/, with their inodes: of one reading, while the service may delete them."""
    with os.scandir(school.home / "work") as entries:
        return {e.name: e.inode() for e in entries if fnmatch(e.name, "look-*[0-9a-f]")}


def test_a_killed_service_goes_on_after_the_pass_that_was_finished(busy: School, tmp_path: Path) -> None:
    until(lambda: step(busy) == "look")
    (told,) = busy.json("status")["service"]["progress"]
    assert told["item"] == 1 and 0 <= told["percent"] <= 100
    assert "item 1: look " in busy.run("status").stdout
    busy.kill()
    assert not notes(busy) and busy.published() == []

    busy.start()
    until(lambda: any((busy.home / "work").glob(".tray-*/out/file")))  # the second pass writes
    busy.kill()
    before = notes(busy)
    assert len(before) == 1 and busy.published() == []

    busy.start()
    until(lambda: busy.counts()["working"] == 1)
    seen = []
    while busy.counts()["published"] == 0:
        seen.append(notes(busy))
        assert len(seen) < 300, (tmp_path / "s" / "service.err").read_text()
        time.sleep(0.2)
    assert before in seen and all(n in (before, {}) for n in seen)  # nobody looked again
    assert busy.stop() == 0
    assert busy.published() == ["personal/trip/long.mp4", "school/trip/long.mp4"]
    assert not list((busy.home / "work").iterdir())
    kinds = [e["kind"] for e in busy.log("--item", "1")]
    assert (kinds.count("item.interrupted"), kinds.count("item.decided"), kinds.count("item.published")) == (2, 1, 1)
    verdicts = busy.json("item", "show", "1")["verdicts"]
    assert not any(v["shown"] for v in verdicts)
    assert_covered_or_shown(busy, tmp_path / "made" / "long.mp4", verdicts, "trip/long.mp4")
    assert busy.json("log", "verify")["flaws"] == []


def test_a_film_in_the_queue_or_in_work_can_be_given_up_and_taken_up_again(
    busy: School, samples: Path, tmp_path: Path
) -> None:
    short = film(tmp_path / "made" / "short.mp4", [samples / "biden.jpg", samples / "obama2.jpg"], seconds=1)
    until(lambda: busy.counts()["working"] == 1)
    (busy.inbox / "trip" / "short.mp4").write_bytes(short.read_bytes())
    until(lambda: busy.counts()["queued"] == 1)
    assert busy.json("item", "cancel", "2", *BY, "--why", "wrong film")["state"] == "queued"
    until(lambda: step(busy) == "look")
    assert busy.json("item", "cancel", "1", *BY)["state"] == "working"
    assert busy.wait(2)["failed"] == 2
    assert busy.published() == [] and not list((busy.home / "work").iterdir())
    for number, name in (("1", "long.mp4"), ("2", "short.mp4")):
        found = busy.json("item", "show", number)
        assert (found["state"], found["reasons"]) == ("failed", ["cancelled"])
        aside = busy.home / "quarantine" / "trip" / name
        assert aside.read_bytes() == (tmp_path / "made" / name).read_bytes()
        assert "M. Bakker asked for it" in aside.with_name(f"{name}.reason.txt").read_text()
        assert "the work was given up on request" in busy.run("log", "--item", number).stdout
    assert "wrong film" in busy.run("log", "--item", "2").stdout
    refused = busy.run("item", "cancel", "2", *BY, ok=False)
    assert refused.returncode == 1 and "there is no work to give up" in refused.stderr

    (busy.inbox / "trip" / "short.mp4").write_bytes(short.read_bytes())
    until(lambda: busy.counts()["published"] == 1)
    assert busy.published() == ["personal/trip/short.mp4", "school/trip/short.mp4"]
    assert busy.stop() == 0 and busy.json("log", "verify")["flaws"] == []


# --- what cannot be taken, and real films -------------------------------------------------------------------------


def test_what_only_pretends_to_be_a_film_is_put_aside_and_the_rest_goes_on(
    tmp_path: Path, weights: Path, samples: Path
) -> None:
    school = Quick(tmp_path / "s", matching=False)
    event = school.inbox / "mixed"
    whole = film(event / "cut.mp4", [samples / "biden.jpg", samples / "obama2.jpg"], seconds=1).read_bytes()
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(whole)
    bad = {
        "cut.mp4": whole[: len(whole) * 2 // 3],
        "list.mp4": f"ffconcat version 1.0\nfile {secret}\n".encode(),
        "stream.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode(),
        "empty.mp4": b"",
    }
    for name, data in bad.items():
        (event / name).write_bytes(data)
    (event / "good.jpg").write_bytes((samples / "biden.jpg").read_bytes())
    assert_put_aside(school, bad)


@pytest.mark.shared
def test_damaged_films_of_the_collection_are_put_aside_and_a_photo_goes_on(
    tmp_path: Path, weights: Path, samples: Path, shared_data: Path
) -> None:
    school = Quick(tmp_path / "s", matching=False)
    bad = {name: (shared_data / "video" / name).read_bytes() for name in ("broken.mp4", "empty.flv")}
    (school.inbox / "mixed").mkdir()
    for name, data in bad.items():
        (school.inbox / "mixed" / name).write_bytes(data)
    (school.inbox / "mixed" / "good.jpg").write_bytes((samples / "biden.jpg").read_bytes())
    assert_put_aside(school, bad)


def assert_put_aside(school: School, bad: dict[str, bytes]) -> None:
    """These end rejected in the quarantine with a reason; the photo beside them is published."""
    items = {i["name"]: i for i in school.json("process", ok=False)["items"]}
    assert {n: i["state"] for n, i in items.items()} == {**dict.fromkeys(bad, "rejected"), "good.jpg": "published"}
    assert school.published() == ["personal/mixed/good.jpg", "school/mixed/good.jpg"]
    for name, data in bad.items():
        aside = school.home / "quarantine" / "mixed" / name
        assert aside.read_bytes() == data
        reason = aside.with_name(f"{name}.reason.txt").read_text()
        assert len(reason) > 20 and "Traceback" not in reason, reason
        assert items[name]["reasons"], name
    assert not list((school.home / "work").iterdir())
    assert school.json("log", "verify")["flaws"] == []


@pytest.mark.shared
def test_real_films_come_out_upright_covered_and_in_step(tmp_path: Path, weights: Path, shared_data: Path) -> None:
    school = Quick(tmp_path / "s", matching=False)
    (school.inbox / "real").mkdir()
    source = {n: shared_data / "video" / f"{n}.mov" for n in ("sideways_movie", "awesome_movie")}
    for path in source.values():
        (school.inbox / "real" / path.name).write_bytes(path.read_bytes())
    items = {i["name"]: i for i in school.json("process")["items"]}
    for name, original in source.items():
        copy = school.publish / "school" / "real" / f"{name}.mp4"
        before, after = (probe(p, films.LIMITS, tools()) for p in (original, copy))
        assert (after.width, after.height, after.rate) == (before.width, before.height, before.rate), name
        assert abs(after.video_end - before.video_end) <= 1 / after.rate, name
        assert after.sound and abs(after.sound_end - before.sound_end) < 0.05
        seen, covered = frames(original)[1], frames(copy)[1]
        for v in items[original.name]["verdicts"]:
            found = likeness(seen[v["frame"]], covered[v["frame"]], Box(*v["box"]))
            assert not v["shown"] and found < 0.5, (name, v, found)
    awesome, sideways = (school.publish / "school" / "real" / f"{n}.mp4" for n in ("awesome_movie", "sideways_movie"))
    assert offset(source["awesome_movie"], awesome) < 0.04  # most of it is noise, which stays
    # A face in close-up: of the film only its right edge is not under the cover.
    first, last = (frames(p)[1][12] for p in (source["sideways_movie"], sideways))
    assert np.corrcoef(edge(first), edge(last))[0, 1] > 0.98 > np.corrcoef(edge(first), edge(last[::-1, ::-1]))[0, 1]


def edge(frame: RgbImage) -> NDArray[np.float64]:
    """How light a frame is along its right edge, from top to bottom."""
    return np.asarray(frame[:, -8:].mean((1, 2)))


def offset(first: Path, second: Path) -> float:
    """By how many seconds the sound of one film lies apart from that of the other."""
    a, b = (levels(p, probe(p, films.LIMITS, tools()), tools())[0] for p in (first, second))
    size = min(len(a), len(b))
    a, b = a[:size] - a[:size].mean(), b[:size] - b[:size].mean()
    return float(abs(int(np.argmax(np.correlate(a, b, "full"))) - (size - 1)) / BLOCKS)


def test_animations_are_published_as_films(tmp_path: Path, weights: Path, samples: Path) -> None:
    school = Quick(tmp_path / "s", matching=False)
    sheet = row(samples / "obama2.jpg", samples / "biden.jpg").resize((760, 791))
    steps = [sheet.crop((n * STEP * 5, 0, n * STEP * 5 + WIDTH, HEIGHT)) for n in range(6)]
    (school.inbox / "fun").mkdir()
    for name in ("a.gif", "b.webp"):
        steps[0].save(school.inbox / "fun" / name, save_all=True, append_images=steps[1:], duration=200, loop=0)
    data = {name: (school.inbox / "fun" / name).read_bytes() for name in ("a.gif", "b.webp")}
    items = {i["name"]: i for i in school.json("process")["items"]}
    assert school.published() == [f"{c}/fun/{n}.mp4" for c in ("personal", "school") for n in ("a", "b")]
    for name, content in data.items():
        original = tmp_path / name
        original.write_bytes(content)
        copy = school.publish / "school" / "fun" / f"{name[0]}.mp4"
        facts = probe(copy, films.LIMITS, tools())
        assert not facts.sound and abs(facts.video_end - 1.2) <= 1 / facts.rate
        verdicts = items[name]["verdicts"]
        before, after = frames(original)[1], frames(copy)[1]
        assert len(before) == len(after) and len({v["face"] for v in verdicts}) >= 2
        for v in verdicts:
            found = likeness(before[v["frame"]], after[v["frame"]], Box(*v["box"]))
            assert not v["shown"] and found < 0.5, (name, v, found)
