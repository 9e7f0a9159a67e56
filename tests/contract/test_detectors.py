"""What every detector must do, on photographs of real faces. A new engine is added to the list, nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.downloads import manifest as files
from models.engines.base import Detector
from models.engines.registry import WEIGHTS_OF, load_detectors
from models.errors import EngineError
from pipeline.domain.types import RgbImage

ENGINES = ("centerface", "yunet")


def photo(path: Path) -> RgbImage:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest, weights: Path) -> Detector:
    return load_detectors([request.param], weights, 1)[0]


def test_finds_six_people_of_a_group_with_eyes_above_mouths(engine: Detector, samples: Path) -> None:
    image = photo(samples / "t1.jpg")
    sure = [d for d in engine.detect(image) if d.score > 0.7]
    assert len(sure) == 6
    for found in sure:
        assert found.engines == (engine.engine_id,)
        assert 0 < found.score <= 1
        assert found.landmarks is not None
        right_eye, left_eye, nose, right_mouth, left_mouth = found.landmarks
        assert right_eye[0] < left_eye[0], "the subject's right eye is on the left of the picture"
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        assert all(found.box.grow(0.1).holds(point) for point in found.landmarks)


def test_coordinates_are_those_of_the_picture_whatever_its_size(engine: Detector, samples: Path) -> None:
    image = photo(samples / "astronaut.png")
    (whole,) = [d for d in engine.detect(image) if d.score > 0.7]
    for left, top in ((7, 3), (33, 21), (64, 1)):
        (part,) = [d for d in engine.detect(np.ascontiguousarray(image[top:-5, left:-9])) if d.score > 0.7]
        shift = np.subtract(part.box.center, whole.box.center) + np.array([left, top])
        assert np.abs(shift).max() < 0.1 * whole.box.size


def test_colours_count_red_first(engine: Detector, samples: Path) -> None:
    image = photo(samples / "astronaut.png")
    right = max(d.score for d in engine.detect(image))
    assert right > 0.7
    assert right >= max((d.score for d in engine.detect(np.ascontiguousarray(image[:, :, ::-1]))), default=0) - 0.02


def test_the_same_picture_gives_the_same_answer(engine: Detector, samples: Path) -> None:
    image = photo(samples / "biden.jpg")
    assert engine.detect(image) == engine.detect(image.copy())


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5), (33, 31)])
def test_odd_sizes_without_a_face_are_empty(engine: Detector, size: tuple[int, int]) -> None:
    assert [d for d in engine.detect(np.full((*size, 3), 128, np.uint8)) if d.score > 0.5] == []


@pytest.mark.parametrize(
    "image", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64, 3), np.float32)]
)
def test_what_is_no_rgb_image_is_an_error(engine: Detector, image: RgbImage) -> None:
    with pytest.raises(EngineError, match="uint8"):
        engine.detect(image)


@pytest.mark.parametrize("name", ENGINES)
def test_altered_weights_are_refused_before_they_are_loaded(name: str, weights: Path, tmp_path: Path) -> None:
    item = files.item(WEIGHTS_OF[name][0])
    data = bytearray((weights / item.file).read_bytes())
    data[len(data) // 2] ^= 1
    for content in (bytes(data), bytes(data[:-1]), b"", b"not a model"):
        (tmp_path / item.file).write_bytes(content)
        with pytest.raises(EngineError, match=item.file):
            load_detectors([name], tmp_path, 1)


def test_swapped_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes((weights / "centerface.onnx").read_bytes())
    with pytest.raises(EngineError, match=r"yunet\.onnx"):
        load_detectors(["yunet"], tmp_path, 1)


def test_names_that_mean_nothing_stop_the_start(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="unknown engine 'retina'"):
        load_detectors(["yunet", "retina"], weights)
    with pytest.raises(EngineError, match="'sface' is not a detector"):
        load_detectors(["sface"], weights)
    with pytest.raises(EngineError, match="no detector"):
        load_detectors([], weights)
    with pytest.raises(EngineError, match="twice"):
        load_detectors(["yunet", "yunet"], weights)
    with pytest.raises(EngineError, match="models fetch"):
        load_detectors(["yunet"], tmp_path)
