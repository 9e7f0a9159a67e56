"""Photos into the inbox of the real service, covered copies out of it."""

import json
import os
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.likeness import likeness
from pipeline.domain.types import Box
from tests.support.school import School


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> School:
    """Three people: P1 agreed to everything, P2 to the school channel only, P3 agreed but signed nothing."""
    s = School(tmp_path_factory.mktemp("school") / "s")
    report = s.register(
        [{"person_id": "P1"}, {"person_id": "P2", "photo_personal": "no"}, {"person_id": "P3", "form": ""}],
        {"P1": [samples / "obama.jpg"], "P2": [samples / "astronaut.png"], "P3": [samples / "biden.jpg"]},
    )
    assert report["enrolled"] == 2
    return s


def drop(school: School, name: str, image: Image.Image | bytes, **save: object) -> Path:
    path = school.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, bytes):
        path.write_bytes(image)
    else:
        image.save(path, **save)
    return path


def row(*paths: Path) -> Image.Image:
    images = [Image.open(p).convert("RGB") for p in paths]
    images = [i.resize((round(i.width * 480 / i.height), 480)) for i in images]
    sheet = Image.new("RGB", (sum(i.width for i in images), 480))
    x = 0
    for i in images:
        sheet.paste(i, (x, 0))
        x += i.width
    return sheet


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_everyone_who_did_not_agree_is_covered_and_who_did_is_shown(school: School, samples: Path) -> None:
    picture = row(samples / "obama3.jpg", samples / "biden.jpg", samples / "astronaut.png")
    drop(school, "trip/IMG_1.jpg", picture, quality=92)
    result = school.json("process")
    (item,) = result["items"]
    assert item["state"] == "published"
    assert not list(school.inbox.rglob("*.jpg"))
    original = np.asarray(Image.open(BytesIO(_jpeg(picture))))
    verdicts = {(v["channel"], v["person"] or v["reason"]): v for v in item["verdicts"]}
    assert {v["person"] for v in item["verdicts"] if v["shown"] and v["channel"] == "school"} == {"P1", "P2"}
    assert {v["person"] for v in item["verdicts"] if v["shown"] and v["channel"] == "personal"} == {"P1"}
    assert verdicts["personal", "P2"]["reason"] == "refused"
    assert verdicts["personal", "P2"]["consent_row"] == "P2/photo/personal"
    for v in item["verdicts"]:
        copy = pixels(school.publish / v["channel"] / "trip" / "IMG_1.jpg")
        assert copy.shape == original.shape
        alike = likeness(original, copy, Box(*v["box"]))
        assert alike > 0.9 if v["shown"] else alike < 0.5, v


def _jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()


def test_the_log_explains_the_decision(school: School) -> None:
    decided = next(e for e in school.log() if e["kind"] == "item.decided")
    refused = next(v for v in decided["body"]["verdicts"]["personal"] if v["person"] == "P2")
    assert refused["article"] == "A.5" and refused["register_version"] == 1 and refused["score"] > refused["threshold"]
    assert set(refused["engine_scores"]) == {"sface", "dlib"}
    assert {e["seq"] for e in school.log("--person", "P2")} >= {decided["seq"]}
    text = school.run("log", "--item", str(decided["item"])).stdout
    assert "consent P2/photo/personal" in text and "A.5" in text
    everything = school.run("log").stdout + "".join(p.read_text() for p in (school.home / "log").iterdir())
    assert "Name of" not in everything  # people appear by id
    assert json.loads(school.run("log", "verify", "--json").stdout)["flaws"] == []


def test_the_same_bytes_again_point_to_the_first_decision(school: School, samples: Path) -> None:
    data = _jpeg(row(samples / "obama2.jpg"))
    drop(school, "trip/first.jpg", data)
    first = school.json("process")["items"][0]
    drop(school, "other/second.jpg", data)
    again = school.json("process")["items"][0]
    assert again["id"] == first["id"]
    entry = school.log("--item", str(first["id"]))[-1]
    assert entry["kind"] == "item.duplicate" and entry["body"]["first"] == first["id"]
    assert not (school.publish / "school" / "other").exists()
    assert not (school.inbox / "other" / "second.jpg").exists()


def test_names_that_collide_get_a_number_and_nothing_is_overwritten(school: School, samples: Path) -> None:
    theirs = school.publish / "school" / "alike" / "IMG_9-2.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"put here by hand")
    photo = Image.open(samples / "biden.jpg").convert("RGB")
    for n, name in enumerate(("alike/IMG_9.jpg", "alike/IMG_9.webp", "alike/img_9.JPEG")):
        drop(school, name, photo.resize((200 + n, 250)))
    assert {i["state"] for i in school.json("process")["items"]} == {"published"}
    assert theirs.read_bytes() == b"put here by hand"
    found = sorted(p.name.lower() for p in theirs.parent.iterdir())
    assert len(found) == 4 and found[0] == "img_9-2.jpg"


def test_a_lesson_without_permission_is_held(school: School, samples: Path) -> None:
    photo = Image.open(samples / "biden.jpg").convert("RGB").resize((300, 370))
    drop(school, "maths/a.jpg", photo)
    (school.inbox / "maths" / "event.toml").write_text('kind = "lesson"\n')
    result = json.loads(school.run("process", "--json", ok=False).stdout)
    assert result["items"][0]["state"] == "held"
    assert result["items"][0]["reasons"] == ["lesson_without_permission"]
    assert not (school.publish / "school" / "maths").exists()
    (school.inbox / "maths" / "event.toml").write_text('kind = "lesson"\npermission = "J. Jansen, 2026-06-01"\n')
    drop(school, "maths/b.jpg", photo.resize((301, 370)))
    assert school.json("process")["items"][0]["state"] == "published"


def test_what_is_no_photo_goes_to_quarantine_with_a_reason_and_the_rest_goes_on(school: School, samples: Path) -> None:
    whole = (samples / "obama.jpg").read_bytes()
    drop(school, "mixed/cut.jpg", whole[: len(whole) // 2])
    drop(school, "mixed/page.jpg", b"<html><script>alert(1)</script></html>")
    drop(school, "mixed/empty.jpg", b"")
    drop(school, "mixed/playlist.mp4", b"ffconcat version 1.0\nfile secret.mp4\n")
    drop(school, "mixed/good.jpg", Image.open(samples / "biden.jpg").convert("RGB").resize((310, 380)))
    secret = school.home / "secret.jpg"
    shutil.copyfile(samples / "obama.jpg", secret)
    (school.inbox / "mixed" / "link.jpg").symlink_to(secret)
    os.mkfifo(school.inbox / "mixed" / "pipe.jpg")
    result = json.loads(school.run("process", "--json", ok=False).stdout)
    states = {i["name"]: i["state"] for i in result["items"]}
    assert states == {
        "cut.jpg": "rejected",
        "page.jpg": "rejected",
        "empty.jpg": "rejected",
        "playlist.mp4": "rejected",
        "good.jpg": "published",
    }
    assert {r["file"] for r in result["refused"]} == {"mixed/link.jpg", "mixed/pipe.jpg"}
    aside = school.home / "quarantine" / "mixed"
    for name in (*(n for n, s in states.items() if s == "rejected"), "link.jpg", "pipe.jpg"):
        assert os.path.lexists(aside / name), name
        assert len((aside / f"{name}.reason.txt").read_text()) > 20
    assert (aside / "cut.jpg").read_bytes() == whole[: len(whole) // 2]
    assert secret.exists() and not list((school.inbox / "mixed").iterdir())


def test_names_from_the_inbox_cannot_escape_or_confuse(school: School, samples: Path) -> None:
    photo = Image.open(samples / "biden.jpg").convert("RGB")
    odd = [
        b"\xff\xfe.jpg",
        b"--config.jpg",
        b"img%03d.jpg",
        b"a\nb.jpg",
        "\u202egpj.exe.jpg".encode(),
        b"x" * 250 + b".jpg",
        "Zoe\u0301.jpg".encode(),
        b"con.jpg",
        b"<img src=x onerror=alert(1)>.jpg",
    ]
    (school.inbox / "odd").mkdir()
    for n, name in enumerate(odd):
        with open(os.fsencode(school.inbox / "odd") + b"/" + name, "wb") as f:  # noqa: PTH123 - the name is bytes
            photo.resize((220 + n, 270)).save(f, "JPEG")
    result = school.json("process")
    assert {i["state"] for i in result["items"]} == {"published"} and len(result["items"]) == len(odd)
    for channel in ("school", "personal"):
        names = [p.name for p in (school.publish / channel / "odd").iterdir()]
        assert len(names) == len(odd) and all(n.isprintable() and len(n.encode()) < 140 for n in names)
    outside = [p for p in school.publish.rglob("*") if p.is_file() and p.parent.parent.parent != school.publish]
    assert outside == []


def test_without_a_register_everyone_is_covered(tmp_path: Path, samples: Path, weights: Path) -> None:
    school = School(tmp_path / "s")
    drop(school, "a.jpg", Image.open(samples / "t1.jpg"))
    (item,) = school.json("process")["items"]
    assert item["state"] == "published" and item["event"] == "unsorted"
    assert len(item["verdicts"]) == 14 and not any(v["shown"] for v in item["verdicts"])


def test_with_matching_off_nobody_is_compared_or_enrolled(tmp_path: Path, samples: Path, weights: Path) -> None:
    school = School(tmp_path / "s", matching=False)
    only_detectors = tmp_path / "weights"
    only_detectors.mkdir()
    for name in ("centerface.onnx", "yunet.onnx"):
        shutil.copyfile(weights / name, only_detectors / name)
    shutil.copytree(weights / "known", only_detectors / "known")
    school.env["BEELDWACHT_FOLDERS__WEIGHTS"] = str(only_detectors)
    assert school.register([{"person_id": "P1"}], {"P1": [samples / "obama.jpg"]})["enrolled"] == 0
    drop(school, "a.jpg", Image.open(samples / "obama2.jpg"))
    (item,) = school.json("process")["items"]
    assert item["state"] == "published" and {v["reason"] for v in item["verdicts"]} == {"matching_off"}


def test_files_elsewhere_are_copied_and_stay(school: School, samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    (folder / "day1").mkdir(parents=True)
    Image.open(samples / "biden.jpg").convert("RGB").resize((330, 400)).save(folder / "day1" / "c.jpg")
    (item,) = school.json("process", str(folder), "--event", "open day")["items"]
    assert item["state"] == "published" and (folder / "day1" / "c.jpg").exists()
    assert (school.publish / "school" / "open day" / "day1" / "c.jpg").exists()


def test_a_withdrawal_before_publication_counts(school: School, samples: Path) -> None:
    rows = [
        {"person_id": "P1", "withdrawn_on": "2026-01-01"},
        {"person_id": "P2", "photo_personal": "no"},
        {"person_id": "P3", "form": ""},
    ]
    assert school.register(rows, {"P1": [samples / "obama.jpg"]})["withdrawals"] > 0
    drop(school, "later/a.jpg", Image.open(samples / "obama2.jpg").resize((500, 700)))
    (item,) = (i for i in school.json("process")["items"] if i["event"] == "later")
    assert item["state"] == "published" and not any(v["shown"] for v in item["verdicts"])


def test_a_withdrawal_counts_even_when_the_engines_do_not_load(tmp_path: Path, samples: Path, weights: Path) -> None:
    school = School(tmp_path / "s")
    assert school.register([{"person_id": "P1"}], {"P1": [samples / "obama.jpg"]})["enrolled"] == 1
    register = school.home / "register" / "register.csv"
    text = register.read_text()
    head, line = text.splitlines()
    cells = dict(zip(head.split(","), line.split(","), strict=True)) | {"withdrawn_on": "2026-01-01"}
    register.write_text(f"{head}\n{','.join(cells.values())}\n")
    school.env["BEELDWACHT_FOLDERS__WEIGHTS"] = str(tmp_path / "nowhere")
    failed = school.run("register", "load", str(register), ok=False)
    assert failed.returncode == 1 and "not fit for work" in failed.stderr
    del school.env["BEELDWACHT_FOLDERS__WEIGHTS"]
    status = school.json("status")["register"]
    assert (status["version"], status["templates"]) == (2, 0)
    drop(school, "a.jpg", Image.open(samples / "obama2.jpg"))
    assert not any(v["shown"] for v in school.json("process")["items"][0]["verdicts"])


def test_what_if_tells_what_would_change_and_changes_nothing(tmp_path: Path, samples: Path, weights: Path) -> None:
    school = School(tmp_path / "s")
    school.register([{"person_id": "P1"}], {"P1": [samples / "obama.jpg"]})
    drop(school, "trip/a.jpg", Image.open(samples / "obama2.jpg"))
    (item,) = school.json("process")["items"]
    assert {v["shown"] for v in item["verdicts"]} == {True}
    stricter = school.json("register", "what-if", "--threshold", "adult=30")["changes"]
    assert {(c["item_id"], c["after"], c["shown_after"]) for c in stricter} == {(item["id"], "unknown_person", False)}
    other = school.home / "register" / "other.csv"
    other.write_text((school.home / "register" / "register.csv").read_text().replace(",yes,yes", ",no,no"))
    changed = school.json("register", "what-if", str(other))["changes"]
    assert changed and not any(c["shown_after"] for c in changed)
    assert school.json("status")["register"]["version"] == 1
    assert (school.publish / "school" / "trip" / "a.jpg").exists()
