"""Every hostile, damaged and odd file of the collection, through the real service: none lost, none stops the rest."""

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.reader.film.output_scan_mp4 import scan_film
from pipeline.reader.photo_output_scan import scan_output
from tests.support.school import School
from tests.support.vaults import original

pytestmark = pytest.mark.attack


@pytest.mark.shared
def test_each_nasty_file_is_published_safely_or_put_aside_with_a_reason(
    tmp_path: Path, weights: Path, shared_data: Path
) -> None:
    school = School(tmp_path / "s")
    hashes: dict[str, str] = {}
    count = 0
    for path in sorted((shared_data / "nasty").rglob("*")):
        if path.is_file():
            target = school.inbox / path.parent.name / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
            hashes.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.parent.name}/{path.name}")
            count += 1
    result = json.loads(school.run("process", "--json", ok=False).stdout)
    assert result["refused"] == []
    assert {i["sha256"] for i in result["items"]} == set(hashes)
    assert not [p for p in school.inbox.rglob("*") if p.is_file() and p.name not in {"README.md", "event.toml"}]
    duplicates = [e for e in school.log() if e["kind"] == "item.duplicate"]
    assert len(duplicates) == count - len(hashes)
    for item in result["items"]:
        name = hashes[item["sha256"]]
        assert item["state"] in {"published", "held", "rejected"}, (name, item["state"], item["reasons"])
        assert (item["seconds"] or 0) < 60, name
        assert item["state"] == "published" or item["reasons"], name
        if item["state"] == "rejected":
            aside = school.home / "quarantine" / item["event"] / item["name"]
            assert hashlib.sha256(aside.read_bytes()).hexdigest() == item["sha256"], name
            assert len(aside.with_name(aside.name + ".reason.txt").read_text()) > 20, name
        assert hashlib.sha256(original(school.home, item["sha256"])).hexdigest() == item["sha256"], name
    for path in school.publish.rglob("*"):
        if path.is_file():
            scan = scan_film if path.suffix in {".mp4", ".m4a"} else scan_output
            assert all(c.passed for c in scan(path)), path
    assert school.json("log", "verify")["flaws"] == []
