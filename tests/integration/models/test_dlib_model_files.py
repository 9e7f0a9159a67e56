"""dlib's files as rewritten for onnxruntime and numpy, against dlib itself, on real faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dlib
import numpy as np
import pytest
from PIL import Image

from models.detection.find_faces import find_faces
from models.detection.settings import DetectSettings
from models.downloads import manifest as files
from models.downloads.convert import PrepareError, prepare
from models.downloads.dlib_cascade import read_cascade
from models.downloads.dlib_model_files import DlibFileError, cascade_table, resnet_model
from models.engines.dlib_alignment import cut, landmarks
from models.engines.dlib_resnet import AROUND, CANVAS, FRAME, DlibResNet
from models.engines.geometry import align
from models.engines.registry import load_detectors
from tests.integration.models.test_weights import write


@pytest.fixture(scope="module")
def originals(weights: Path) -> dict[str, Path]:
    """The two files as dlib's author published them, kept beside the weights."""
    folder = weights / "originals"
    items = [
        replace(item, file=Path(item.member).name, sha256=item.member_sha256, prepare="")
        for item in (files.item("dlib"), files.item("dlib-landmarks"))
    ]
    folder.mkdir(exist_ok=True)
    files.fetch(write(folder / "originals.toml", items), folder)
    return {item.name: folder / item.file for item in items}


def test_the_same_landmarks_cuts_and_vectors_as_dlib(weights: Path, samples: Path, originals: dict[str, Path]) -> None:
    image = np.asarray(Image.open(samples / "t1.jpg").convert("RGB"))
    faces = find_faces(image, load_detectors(["yunet"], weights, 1), DetectSettings(turned=(), closer=()))
    assert len(faces) >= 6
    predictor = dlib.shape_predictor(str(originals["dlib-landmarks"]))
    encoder = dlib.face_recognition_model_v1(str(originals["dlib"]))
    corners = [round(CANVAS * AROUND + CANVAS * (1 - 2 * AROUND) * part) for part in FRAME]
    pictures = np.stack([align(image, f.landmarks, CANVAS, AROUND) for f in faces if f.landmarks])
    shapes = [predictor(picture, dlib.rectangle(*corners)) for picture in pictures]
    points = np.array([[(p.x, p.y) for p in shape.parts()] for shape in shapes])

    table = read_cascade((weights / files.item("dlib-landmarks").file).read_bytes())
    found = landmarks(pictures, (corners[0], corners[1], corners[2], corners[3]), table)
    assert (found == points).all()
    for picture, own, shape in zip(pictures, found, shapes, strict=True):
        apart = np.abs(cut(picture, own).astype(int) - dlib.get_face_chip(picture, shape, 150, 0.25))
        assert apart.max() <= 1 and apart.mean() < 0.01
    vectors = np.array([encoder.compute_face_descriptor(p, s) for p, s in zip(pictures, shapes, strict=True)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embedded = DlibResNet(weights, 1).embed(image, faces)
    assert np.abs(np.array(embedded) - vectors).max() < 1e-3


def test_a_file_that_is_cut_off_or_altered_is_refused(originals: dict[str, Path]) -> None:
    resnet, trees = (originals[name].read_bytes() for name in ("dlib", "dlib-landmarks"))
    for data in (resnet[:-40_000], resnet[: len(resnet) // 2], trees, b""):
        with pytest.raises(DlibFileError):
            resnet_model(data)
    for data in (trees[:-1], trees + b"\0", trees[:100_000], b"\2" + trees[1:], resnet, b""):
        with pytest.raises(DlibFileError):
            cascade_table(data)
    with pytest.raises(PrepareError, match="not dlib's file"):
        prepare(trees, "dlib-resnet")
