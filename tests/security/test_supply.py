"""What Beeldwacht is made of: pinned, listed, without known weaknesses; and no changed weights are ever loaded."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bench import supply
from models.downloads import manifest as files
from models.downloads.manifest import WeightsError
from models.engines.registry import WEIGHTS_OF, load_detectors, load_embedders
from models.errors import EngineError

SEEDED = (("pillow", "9.5.0", "CVE-2023-44271"), ("jinja2", "2.11.2", "CVE-2020-28493"), ("urllib3", "1.26.5", "CVE-"))


def test_every_package_is_pinned_with_its_hashes() -> None:
    pinned = supply.pins()
    assert len(pinned) > 100 and all(p.hashes for p in pinned)
    wanted = re.findall(r'^    "([^"]+)",', (supply.ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    names = {supply.canonical(Requirement(w).name) for w in wanted if re.search(r">=", w)}
    assert len(names) > 30 and names <= {p.name for p in pinned}
    assert "://" not in supply.LOCK.read_text()


def test_no_pinned_version_has_a_known_weakness() -> None:
    assert supply.audit(supply.pins()) == ()


@pytest.mark.parametrize(("name", "version", "advisory"), SEEDED)
def test_an_old_version_makes_the_gate_fail(tmp_path: Path, name: str, version: str, advisory: str) -> None:
    pinned = {p.name: p.version for p in supply.pins()}
    lock = tmp_path / "requirements.lock"
    text = supply.LOCK.read_text()
    lock.write_text(re.sub(rf"(?m)^{name}==\S+", f"{name}=={version}", text, count=1))
    assert pinned[name] != version and name in lock.read_text()
    found = supply.audit(supply.pins(lock))
    assert {w.pin.name for w in found} == {name}
    assert any(alias.startswith(advisory) for w in found for alias in w.aliases)


def test_the_bill_of_materials_lists_what_is_installed() -> None:
    bom = supply.sbom()
    listed = {c["name"]: c["version"] for c in bom["components"] if c.get("purl")}
    assert listed == {name: d.version for name, d in supply.installed().items()}
    pinned = {(p.name, p.version) for p in supply.pins()}
    assert set(listed.items()) - pinned == set()  # nothing came in past the lock file
    assert all(c["properties"] for c in bom["components"] if c.get("purl"))
    models = {c["name"]: c["hashes"][0]["content"] for c in bom["components"] if c["type"] == "machine-learning-model"}
    assert models == {w.name: w.sha256 for w in files.items()}
    inside = {c["name"] for c in bom["components"] if "inside" in c.get("description", "")}
    assert {"libheif", "webp", "ffmpeg", "libtiff", "OpenSSL"} <= inside
    assert not [c for c in bom["components"] if c["version"] in ("", "none")]
    assert len({c["bom-ref"] for c in bom["components"]}) == len(bom["components"])


def test_every_licence_is_listed() -> None:
    text = supply.LICENCES.read_text(encoding="utf-8")
    assert set(supply.with_table(text).splitlines()) <= set(text.splitlines()), (
        "docs/operator/licences.md is old: run `python -m bench.supply licences`"
    )


@pytest.mark.parametrize("engine", WEIGHTS_OF)
def test_changed_weights_do_not_load(engine: str, weights: Path, tmp_path: Path) -> None:
    """At the moment of loading, whatever `models verify` said before."""
    load = load_detectors if engine in ("centerface", "yunet") else load_embedders
    for name in WEIGHTS_OF[engine]:
        for other in WEIGHTS_OF[engine]:
            shutil.copyfile(weights / files.item(other).file, tmp_path / files.item(other).file)
        changed = tmp_path / files.item(name).file
        data = bytearray(changed.read_bytes())
        data[len(data) // 2] ^= 1
        changed.write_bytes(data)
        with pytest.raises((EngineError, WeightsError), match=changed.name):
            load([engine], tmp_path)
        changed.unlink()
        with pytest.raises((EngineError, WeightsError), match=changed.name):
            load([engine], tmp_path)


def test_weights_of_another_engine_do_not_load(weights: Path, tmp_path: Path) -> None:
    shutil.copyfile(weights / "centerface.onnx", tmp_path / "yunet.onnx")
    with pytest.raises((EngineError, WeightsError), match="yunet"):
        load_detectors(["yunet"], tmp_path)


def test_the_wheel_built_twice_has_the_same_bytes_and_is_whole(tmp_path: Path) -> None:
    one, another = supply.wheels(tmp_path)
    assert one.read_bytes() == another.read_bytes()
    with zipfile.ZipFile(one) as wheel:
        inside = set(wheel.namelist())
    wanted = {
        "models/downloads/weights.toml",
        "models/downloads/known.toml",
        "pipeline/reader/main.py",
        "pipeline/console/static/console.js",
    }
    assert wanted <= inside
    assert not [n for n in inside if n.endswith((".onnx", ".dat", ".jpg", ".png", ".pyc"))]
