"""What every embedder must do, on photographs of real faces. A new engine is added to the list, nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.detection.find_faces import find_faces
from models.downloads import manifest as files
from models.engines.base import Embedder
from models.engines.registry import WEIGHTS_OF, load_detectors, load_embedders
from models.errors import EngineError
from pipeline.domain.types import Box, Detection, RgbImage

ENGINES = ("sface", "dlib")


def photo(path: Path) -> RgbImage:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest, weights: Path) -> Embedder:
    return load_embedders([request.param], weights, 1)[0]


@pytest.fixture(scope="module")
def portraits(weights: Path, samples: Path) -> dict[str, tuple[RgbImage, Detection]]:
    detectors = load_detectors(["centerface", "yunet"], weights, 1)
    found = {}
    for name in ("obama", "obama2", "biden"):
        image = photo(samples / f"{name}.jpg")
        found[name] = image, max(find_faces(image, detectors), key=lambda d: d.box.area)
    return found


def test_one_person_is_more_alike_than_two(engine: Embedder, portraits: dict[str, tuple[RgbImage, Detection]]) -> None:
    vectors = {}
    for name, (image, face) in portraits.items():
        (vector,) = engine.embed(image, [face])
        assert vector is not None
        assert vector.dtype == np.float32 and vector.shape == (engine.dimensions,)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        vectors[name] = vector
    same = float(vectors["obama"] @ vectors["obama2"])
    assert same > float(vectors["obama"] @ vectors["biden"])
    assert same > float(vectors["obama2"] @ vectors["biden"])


def test_a_face_that_lies_on_its_side_is_the_same_face(
    engine: Embedder, portraits: dict[str, tuple[RgbImage, Detection]]
) -> None:
    image, face = portraits["obama"]
    other = engine.embed(*_listed(portraits["biden"]))[0]
    (upright,) = engine.embed(image, [face])
    assert face.landmarks is not None and upright is not None and other is not None
    height = image.shape[0]
    turned = np.ascontiguousarray(np.rot90(image, -1))
    points = tuple((height - y, x) for x, y in face.landmarks)
    (lying,) = engine.embed(turned, [replace(face, landmarks=points)])  # type: ignore[arg-type]
    assert lying is not None
    assert float(upright @ lying) > float(upright @ other)
    assert float(upright @ lying) > 0.9


def _listed(pair: tuple[RgbImage, Detection]) -> tuple[RgbImage, list[Detection]]:
    return pair[0], [pair[1]]


def test_order_is_kept_and_a_face_without_landmarks_is_none(
    engine: Embedder, portraits: dict[str, tuple[RgbImage, Detection]]
) -> None:
    image, face = portraits["biden"]
    (alone,) = engine.embed(image, [face])
    faces = [replace(face, landmarks=None), face] * 9
    found = engine.embed(image, faces)
    assert [vector is None for vector in found] == [True, False] * 9
    for vector in found[1::2]:
        assert vector is not None and alone is not None
        assert float(vector @ alone) > 0.9999
    assert engine.embed(image, []) == []


def test_landmarks_outside_the_picture_or_all_in_one_point_do_no_harm(engine: Embedder) -> None:
    image = np.full((60, 80, 3), 90, np.uint8)
    far = Detection(Box(0, 0, 40, 40), 0.9, ((900, 900), (930, 900), (915, 920), (905, 940), (925, 940)), ("yunet",))
    point = Detection(Box(0, 0, 40, 40), 0.9, ((20, 20),) * 5, ("yunet",))
    for vector in engine.embed(image, [far, point]):
        assert vector is None or np.isfinite(vector).all()


@pytest.mark.parametrize("name", ENGINES)
def test_altered_weights_are_refused_before_they_are_loaded(name: str, weights: Path, tmp_path: Path) -> None:
    for wanted in WEIGHTS_OF[name]:
        item = files.item(wanted)
        (tmp_path / item.file).write_bytes((weights / item.file).read_bytes())
    for wanted in WEIGHTS_OF[name]:
        path = tmp_path / files.item(wanted).file
        right = path.read_bytes()
        data = bytearray(right)
        data[len(data) // 3] ^= 64
        for content in (bytes(data), right[:-1], b""):
            path.write_bytes(content)
            with pytest.raises(EngineError, match=path.name):
                load_embedders([name], tmp_path, 1)
        path.write_bytes(right)


def test_names_that_mean_nothing_stop_the_start(weights: Path) -> None:
    with pytest.raises(EngineError, match="unknown engine"):
        load_embedders(["arcface"], weights)
    with pytest.raises(EngineError, match="'yunet' is not an embedder"):
        load_embedders(["yunet"], weights)
    assert load_embedders([], weights) == ()


def test_finding_faces_needs_nothing_of_recognition(weights: Path, tmp_path: Path) -> None:
    for name in ("centerface", "yunet"):
        file = files.item(name).file
        (tmp_path / file).write_bytes((weights / file).read_bytes())
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from models.engines.registry import load_detectors\n"
        "load_detectors(['centerface', 'yunet'], Path(sys.argv[1]))\n"
        "unwanted = {'models.engines.sface', 'models.engines.dlib_resnet', 'models.engines.dlib_alignment', 'onnx'}\n"
        "assert not unwanted & set(sys.modules)\n"
    )
    root = Path(files.__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=False, cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
