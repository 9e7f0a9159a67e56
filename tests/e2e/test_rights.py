"""Access and erasure on a real installation, and who may have a template: one school for all, used in order."""

import json
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.likeness import likeness
from pipeline.app import App
from pipeline.config import load
from pipeline.domain.types import Box
from pipeline.rules.verdicts import may_match
from tests.e2e.test_main_job import drop, row
from tests.e2e.test_recall import Quick
from tests.support.school import School


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> School:
    s = Quick(tmp_path_factory.mktemp("rights") / "s")
    s.register(
        [
            {"person_id": "P1"},
            {"person_id": "P2"},
            {"person_id": "P3", "matching": "no"},
            {"person_id": "P4", "form": ""},
            {"person_id": "P5"},
        ],
        {
            "P1": [samples / "obama.jpg", samples / "obama2.jpg", samples / "biden.jpg"],  # a photo of somebody else
            "P2": [samples / "astronaut.png"],
            "P3": [samples / "biden.jpg"],
            "P4": [samples / "biden.jpg"],
            "P5": [samples / "obama3.jpg"],
        },
    )
    return s


def app(school: School) -> App:
    return App(load(school.home / "beeldwacht.toml"))


def test_only_who_agreed_has_templates_and_nothing_else_is_anywhere_in_the_database(
    school: School, samples: Path
) -> None:
    a = app(school)
    sealed = a.store.templates.all()
    assert {t.person_id for t in sealed} == {"P1", "P2", "P5"}
    files = {p.name: p.read_bytes() for p in (school.home / "data").iterdir()}
    data = b"".join(files.values())
    key = a.keys.current()
    from pipeline.files.template_keys import unseal

    for t in sealed:
        assert t.sealed in data and unseal(t, key).vector.tobytes()[:16] not in data
    # No other blob of the length of a template is in any table: look at every value of every column.
    import sqlite3

    lengths = {len(t.sealed) for t in sealed} | {4 * 128, 4 * 128 + 16}
    with sqlite3.connect(school.home / "data" / "beeldwacht.db") as db:
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        blobs = [(t, v) for t in tables for r in db.execute(f"SELECT * FROM {t}") for v in r if isinstance(v, bytes)]  # noqa: S608
    assert {t for t, _ in blobs} == {"templates"}
    assert sum(len(v) in lengths for _, v in blobs) == len(sealed)
    log = "".join(p.read_text() for p in (school.home / "log").iterdir())
    assert "Name of" not in log
    a.close()


def test_a_swapped_portrait_is_refused_and_a_look_alike_is_reported(school: School) -> None:
    entry = next(e for e in school.log() if e["kind"] == "register.enrolled")
    assert [(r["person"], "swapped" in r["why"]) for r in entry["body"]["portraits_refused"]] == [("P1", True)]
    pairs = school.json("templates", "lookalikes")
    assert [(p["first"], p["second"]) for p in pairs] == [("P1", "P5")]  # the same man twice: twins, as it were
    assert pairs[0]["score"] > 8 and set(pairs[0]["engine_scores"]) == {"sface", "dlib"}


def test_an_export_holds_everything_and_shows_nobody_else(school: School, samples: Path, tmp_path: Path) -> None:
    picture = row(samples / "obama3.jpg", samples / "biden.jpg", samples / "astronaut.png")
    drop(school, "trip/a.jpg", picture, quality=92)
    (item,) = school.json("process")["items"]
    found = {v["person"]: v for v in item["verdicts"] if v["channel"] == "school"}
    assert "P2" in found
    facts = school.json("person", "export", "P2", "--to", str(tmp_path), "--language", "nl")
    assert (facts["pictures"], facts["not_rendered"], facts["forms"]) == (1, 0, 1)
    folder = Path(facts["folder"])
    copy = np.asarray(Image.open(folder / "pictures" / f"{item['id']}.jpg").convert("RGB"))
    original = np.asarray(picture)
    for v in item["verdicts"]:
        alike = likeness(original, copy, Box(*v["box"]))
        assert alike > 0.9 if v["person"] == "P2" else alike < 0.5, v
    letter = (folder / "letter.html").read_text()
    assert "Name of P2" in letter and "Uw toestemmingen" in letter and "P1" not in letter and "P5" not in letter
    assert "medewerker" in letter and "getekend door uzelf" in letter and "ZICHTBAAR" in letter and "nodig" in letter
    english = school.json("person", "export", "P2", "--to", str(tmp_path / "en"), "--language", "en")
    text = (Path(english["folder"]) / "letter.html").read_text()
    assert "Your consents" in text and "signed by self" in text and "SHOWN" in text and "P1" not in text
    assert (folder / "letter.pdf").read_bytes().startswith(b"%PDF-") and (folder / "letter.pdf").stat().st_size > 2000
    with zipfile.ZipFile(facts["zip"]) as z:
        assert z.testzip() is None and len(z.namelist()) == 4
    assert {oct(p.stat().st_mode & 0o777) for p in folder.rglob("*") if p.is_file()} == {"0o600"}
    assert "is there already" in school.run("person", "export", "P2", "--to", str(tmp_path), ok=False).stderr
    assert school.log("--person", "P2")[-1]["kind"] == "person.exported"


def test_an_erasure_leaves_nothing_and_the_log_holds(school: School) -> None:
    a = app(school)
    sealed = [t.sealed for t in a.store.templates.all() if t.person_id == "P2"]
    a.close()
    published = school.published()
    refused = school.run("person", "erase", "P2", "--confirm", "Name of P1", "--by", "B", ok=False)
    assert "another name" in refused.stderr
    receipt = school.json("person", "erase", "P2", "--confirm", "name of P2", "--by", "A. de Boer")
    assert receipt["left"] == {} and receipt["log_whole"] and receipt["searched"] >= 3
    assert receipt["rows"]["people"] == 1 and receipt["rows"]["templates"] == 2 and receipt["rows"]["consents"] == 7
    assert receipt["recalled"] and len(receipt["files"]) == 2 and receipt["kept"] == []
    assert not (school.home / "register" / "forms" / "P2.pdf").exists()
    assert list((school.home / "register" / "portraits" / "P2").iterdir()) == []
    data = b"".join(p.read_bytes() for n in ("data", "log") for p in (school.home / n).iterdir())
    assert b"Name of P2" not in data and b"Name of P1" in data and not any(s in data for s in sealed)
    assert published and school.published() == []
    school.run("process")
    shown = {v["person"] for v in school.json("item", "show", "1")["verdicts"] if v["shown"]}
    assert "P2" not in shown and school.published() == published
    assert (
        "Nobody in the register" in school.run("person", "erase", "P2", "--confirm", "x", "--by", "B", ok=False).stderr
    )


def test_the_records_are_those_of_this_installation(school: School, tmp_path: Path) -> None:
    a = app(school)
    people = {t.person_id for t in a.store.templates.all()}  # fewer once somebody was erased
    a.close()
    record = school.json("records", "art30")
    assert people >= {"P1", "P5"} and record["People"]["people with templates"] == len(people)
    assert record["Recipients"]["channels"] == ["school", "personal"]
    facts = school.json("records", "dpia")
    decided = {"matching": "on", "assessment": "DPIA test", "decided by": "test"}
    assert facts["Decision"].items() >= decided.items()
    assert school.json("records", "dpia", "--language", "nl")["Besluit"]["herkenning"] == "aan"
    assert "## Your rights" in school.run("records", "notice").stdout
    told = {f["part"]: f["what"] for f in school.json("doctor", ok=False)}
    assert "the advice of the data protection officer is not recorded" in told["matching"]
    assert facts["Age bands"]["adult (from the 16th birthday)"]["false match rate"] == "5e-07"
    assert "# Record of processing" in school.run("records", "art30").stdout
    off = Quick(tmp_path / "off", matching=False)
    assert off.json("records", "dpia")["Engines"]["recognition"] == []
    assert "biometric" not in json.dumps(off.json("records", "art30"))


@pytest.mark.shared
def test_a_portrait_from_the_side_tells_which_of_several_faces_is_the_persons(
    weights: Path, shared_data: Path, tmp_path: Path
) -> None:
    portraits = [shared_data / "lfw" / "Michael_Chiklis" / f"Michael_Chiklis_{n:04d}.jpg" for n in (3, 4)]
    loaded = Quick(tmp_path / "s").register([{"person_id": "P1"}], {"P1": portraits})
    assert loaded["enrolled"] == 1
    (refused,) = loaded["portraits_refused"]
    assert refused["portrait"] == "0.jpg" and "turned away" in refused["why"]


def test_the_template_of_a_child_younger_than_four_goes(weights: Path, samples: Path, tmp_path: Path) -> None:
    school, portraits = Quick(tmp_path / "s"), {"P1": [samples / "obama.jpg"]}
    assert school.register([{"person_id": "P1"}], portraits)["enrolled"] == 1
    three = {"role": "pupil", "birth_date": f"{date.today().year - 3}-01-01", "signed_by": "parent"}
    school.register([{"person_id": "P1", **three}], portraits)
    a = app(school)
    assert may_match(a.store.register.current(), "P1", date.today()).allowed  # the answer counts, likeness does not
    assert a.store.templates.counts() == {"people": 0, "templates": 0}
    a.close()
    (*_, told) = (e for e in school.log() if e["kind"] == "register.enrolled")
    assert told["body"]["not_enrolled"] == {"P1": "too_young"}


def test_templates_end_with_the_form_and_with_the_key(school: School) -> None:
    a = app(school)
    assert a.enroller(None, "t").prune(a.store.register.current()) == 0
    later = a.settings.model_copy(update={"templates": a.settings.templates.model_copy(update={"max_age_months": 1})})
    a.settings = later
    assert a.enroller(None, "t").prune(a.store.register.current()) > 0  # the forms are of 2025
    assert a.store.templates.counts() == {"people": 0, "templates": 0}
    a.close()
