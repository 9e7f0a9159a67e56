"""Finding faces in real photos: none is missed, none is counted twice, none is taken for another's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.patterns import KINDS as PATTERNS
from models.detection.find_faces import find_faces
from models.detection.fusion import Candidate, fuse
from models.detection.patterns import patterned
from models.detection.settings import DetectSettings
from models.engines.base import Detector
from models.engines.registry import load_detectors, load_embedders
from models.errors import EngineError
from pipeline.domain.types import Box, Detection, Landmarks, Point, RgbImage, Vector

ROOT = Path(__file__).resolve().parents[3]


def photo(path: Path) -> RgbImage:
    return np.asarray(Image.open(path).convert("RGB"))


def reduced(image: RgbImage, width: int) -> RgbImage:
    height = round(image.shape[0] * width / image.shape[1])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


@pytest.fixture(scope="module")
def detectors(weights: Path) -> tuple[Detector, ...]:
    return load_detectors(["centerface", "yunet"], weights, 1)


def covered(found: Sequence[Detection], points: Sequence[Point]) -> int:
    return sum(any(d.box.holds(point) for d in found) for point in points)


def people(found: Sequence[Detection]) -> list[Detection]:
    """The faces of `t1.jpg` that belong to people: behind them hangs a portrait with a face of 13 pixels."""
    return [d for d in found if d.box.size > 40]


def nose(face: Detection, turns: int, image: RgbImage) -> Point:
    """Where the nose of a face is after np.rot90 has turned the image."""
    assert face.landmarks is not None
    (x, y), (height, width) = face.landmarks[2], image.shape[:2]
    return {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[turns]


def test_each_of_six_people_is_found_once(detectors: tuple[Detector, ...], samples: Path) -> None:
    found = find_faces(photo(samples / "t1.jpg"), detectors)
    assert len(people(found)) == 6
    assert all(d.landmarks is not None and d.engines == ("centerface", "yunet") for d in people(found))
    assert [d.box.holds((333, 81)) for d in found if d not in people(found)] == [True]


@pytest.mark.parametrize("share", [0.35, 0.5])
def test_small_faces_are_described_as_large_ones(
    share: float, detectors: tuple[Detector, ...], weights: Path, samples: Path
) -> None:
    """Faces of 35 to 60 pixels: their landmarks are where they are in the large photo, so SFace sees one person."""
    image = photo(samples / "t1.jpg")
    small = reduced(image, round(image.shape[1] * share))
    (sface,) = load_embedders(["sface"], weights, 1)
    large = people(find_faces(image, detectors))
    found = find_faces(small, detectors)
    alike = []
    for face, one in zip(large, sface.embed(image, large), strict=True):
        x, y = cast(Landmarks, face.landmarks)[2]
        (same,) = (d for d in found if d.box.holds((x * share, y * share)))
        (other,) = sface.embed(small, [same])
        alike.append(float(np.dot(cast(Vector, one), cast(Vector, other))))
    assert len(alike) == 6 and min(alike) > 0.7 and np.mean(alike) > 0.88


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_on_its_side_or_head_hides_nobody(turns: int, detectors: tuple[Detector, ...], samples: Path) -> None:
    image = photo(samples / "t1.jpg")
    upright = people(find_faces(image, detectors))
    found = find_faces(np.ascontiguousarray(np.rot90(image, turns)), detectors)
    assert covered(found, [nose(d, turns, image) for d in upright]) == 6


@pytest.mark.parametrize(
    "kind", ["net-10-2-black", "net-14-2-white", "net-14-2-black", "blinds-6-2", "screen-6-45", "night-0.2-20"]
)
def test_behind_a_pattern_all_six_are_found(kind: str, detectors: tuple[Detector, ...], samples: Path) -> None:
    """Nobody, or nearly nobody, without the copies that do not have the pattern: it is they that find them."""
    image = photo(samples / "t1.jpg")
    image = reduced(image, 700)
    places = [d.box.center for d in people(find_faces(image, detectors))]
    behind = PATTERNS[kind](image)
    assert len(places) == 6
    assert covered(find_faces(behind, detectors), places) == 6
    assert covered(find_faces(behind, detectors, replace(DetectSettings(), low_pass=None)), places) < 6


def test_a_net_before_a_quarter_of_the_photo_is_seen_through(detectors: tuple[Detector, ...], samples: Path) -> None:
    """There the sign for the whole photo says nothing: the quick copies alone see that somebody is there."""
    image = reduced(photo(samples / "t1.jpg"), 700)
    left = min(people(find_faces(image, detectors)), key=lambda d: d.box.left)
    edge = round(left.box.right + 0.3 * left.box.width)
    behind = image.copy()
    behind[:, :edge] = PATTERNS["net-14-2-black"](image)[:, :edge]
    assert not patterned(behind)
    assert covered(find_faces(behind, detectors), [left.box.center]) == 1
    assert covered(find_faces(behind, detectors, replace(DetectSettings(), low_pass=None)), [left.box.center]) == 0


@pytest.mark.parametrize("name", ["t1.jpg", "astronaut.png"])
def test_an_ordinary_photo_is_not_patterned_and_its_faces_stay_what_they_were(
    name: str, detectors: tuple[Detector, ...], samples: Path
) -> None:
    image = photo(samples / name)
    assert not patterned(image)
    assert find_faces(image, detectors) == find_faces(image, detectors, replace(DetectSettings(), low_pass=None))


@pytest.mark.shared
def test_a_masked_acrobat_who_hangs_with_the_head_down_is_found(
    detectors: tuple[Detector, ...], shared_data: Path
) -> None:
    image = photo(shared_data / "failing/L5_acrobat_upside_down_profile.jpg")
    face = (247.0, 385.0)
    assert covered(find_faces(image, detectors), [face]) == 1
    assert covered(find_faces(image, detectors, replace(DetectSettings(), leaning=None)), [face]) == 0


@pytest.mark.shared
@pytest.mark.parametrize(("name", "people"), [("newspaper_halftone_6", 19), ("newsprint45_5", 17)])
def test_everybody_in_a_newspaper_is_found(
    name: str, people: int, detectors: tuple[Detector, ...], shared_data: Path
) -> None:
    assert len(find_faces(photo(shared_data / f"failing/L2_{name}.jpg"), detectors)) >= people


@pytest.mark.parametrize("width", [120, 200, 640, 2400])
def test_a_face_is_found_at_any_size(width: int, detectors: tuple[Detector, ...], samples: Path) -> None:
    image = reduced(photo(samples / "astronaut.png"), width)  # the face is about a fifth of the width
    face = (0.44 * width, 0.22 * width)
    assert covered(find_faces(image, detectors), [face]) == 1


def test_the_smallest_faces_in_twelve_megapixels(detectors: tuple[Detector, ...], samples: Path) -> None:
    rng = np.random.default_rng(1)
    canvas = np.full((3000, 4000, 3), 120, np.uint8)
    spots = Image.fromarray(rng.integers(90, 160, (60, 80, 3), np.uint8))  # suspected to be faces
    canvas[:1200, :1600] = np.asarray(spots.resize((1600, 1200), Image.Resampling.BICUBIC))
    group = photo(samples / "t1.jpg")
    upright = people(find_faces(group, detectors))
    unit = group.shape[1] / float(np.median([d.box.width for d in upright]))
    points = []
    for pixels, light, left, top in (
        (8, 1.0, 5, 5),
        (8, 1.0, 1019, 850),
        (9, 1.0, 1700, 1010),
        (12, 0.15, 3000, 2003),
        (12, 0.15, 5, 2850),
        (9, 1.0, 3870, 2920),
    ):
        small = (reduced(group, round(pixels * unit)) * light).astype(np.uint8)
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
        scale = small.shape[1] / group.shape[1]
        points += [(left + d.box.center[0] * scale, top + d.box.center[1] * scale) for d in upright]
    assert covered(find_faces(canvas, detectors), points) == len(points) == 36


def test_people_in_the_dark_are_found_like_those_in_the_light(detectors: tuple[Detector, ...], samples: Path) -> None:
    """A light stage beside a dark hall, where people have faces of 12 pixels and a twenty-fifth of the light."""
    group = photo(samples / "t1.jpg")
    upright = people(find_faces(group, detectors))
    small = reduced(group, 140)
    canvas = np.full((600, 1200, 3), 5, np.uint8)
    canvas[150 : 150 + small.shape[0], 100:240] = small * 0.04
    canvas[100:500, 800:] = 230
    scale = small.shape[1] / group.shape[1]
    points = [(100 + d.box.center[0] * scale, 150 + d.box.center[1] * scale) for d in upright]
    assert covered(find_faces(canvas, detectors), points) == 6


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_small_faces_on_their_side_or_head_in_twelve_megapixels(
    turns: int, detectors: tuple[Detector, ...], samples: Path
) -> None:
    group = photo(samples / "t1.jpg")
    lying = np.ascontiguousarray(np.rot90(group, turns))
    noses = [nose(d, turns, group) for d in people(find_faces(group, detectors))]
    small = reduced(lying, 450 if turns == 2 else round(450 * lying.shape[1] / group.shape[1]))  # faces of 40 pixels
    scale = small.shape[1] / lying.shape[1]
    canvas = np.full((3000, 4000, 3), 120, np.uint8)
    canvas[1000 : 1000 + small.shape[0], 2000 : 2000 + small.shape[1]] = small
    found = find_faces(canvas, detectors)
    assert covered(found, [(2000 + x * scale, 1000 + y * scale) for x, y in noses]) == 6 and len(found) <= 7


def test_a_look_at_surroundings_sees_the_faces_there_and_large_ones_everywhere(
    detectors: tuple[Detector, ...], samples: Path
) -> None:
    canvas = np.full((3000, 4000, 3), 120, np.uint8)
    face = photo(samples / "astronaut.png")
    places = {"near": (300, 400, 100), "far": (3000, 2000, 100), "large": (1500, 600, 1500)}  # left, top, side
    for left, top, side in places.values():
        canvas[top : top + side, left : left + side] = reduced(face, side)
    points = {name: (left + 0.44 * side, top + 0.22 * side) for name, (left, top, side) in places.items()}
    settings = DetectSettings(closer=(), turned=())
    everywhere = find_faces(canvas, detectors, settings)
    around = find_faces(canvas, detectors, settings, [Box(330, 400, 350, 420)])
    assert [covered(everywhere, [p]) for p in points.values()] == [1, 1, 1]
    assert [covered(around, [p]) for p in points.values()] == [1, 0, 1]


def test_a_face_on_the_seam_of_two_tiles_is_one_face(detectors: tuple[Detector, ...], samples: Path) -> None:
    face = reduced(photo(samples / "astronaut.png"), 512)
    for left in (700, 860, 950, 1010):
        canvas = np.full((1100, 2000, 3), 120, np.uint8)
        canvas[300:812, left : left + 512] = face
        found = [d for d in find_faces(canvas, detectors) if d.box.holds((left + 225, 300 + 113))]
        assert len(found) == 1, left
        assert found[0].box.width > 70


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_an_ordinary_photo_takes_little_memory(weights: Path) -> None:
    script = (
        "import re, sys, numpy as np\nfrom pathlib import Path\n"
        "from models.engines.registry import load_detectors\nfrom models.detection.find_faces import find_faces\n"
        "image = np.full((3000, 4000, 3), 120, np.uint8)\n"
        "image[:1600, :1600] = np.random.default_rng(0).integers(0, 255, (1600, 1600, 3))\n"  # fills the largest tiles
        "find_faces(image, load_detectors(['centerface', 'yunet'], Path(sys.argv[1])))\n"
        "status = Path('/proc/self/status').read_text()\n"  # getrusage would count the parent's memory too
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1]) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(weights)], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert int(done.stdout) < 700, "mebibytes; 1.5 GiB are allowed for the whole child"


@pytest.mark.shared
def test_every_annotated_face_is_covered_and_little_else(detectors: tuple[Detector, ...], shared_data: Path) -> None:
    false = photos = 0
    for folder, file in (("boxed", "boxes.json"), ("noses", "noses.json")):
        for name, faces in json.loads((shared_data / folder / file).read_text()).items():
            points = [((f[0] + f[2]) / 2, (f[1] + f[3]) / 2) if len(f) == 4 else tuple(f) for f in faces]
            found = find_faces(photo(shared_data / folder / name), detectors)
            assert covered(found, points) == len(points), name
            false += sum(not any(d.box.holds(p) for p in points) for d in found)
            photos += 1
    assert false <= 0.65 * photos, "drawn faces on one poster are most of them"


@pytest.mark.shared
def test_a_sheet_of_faces_has_one_result_per_face(detectors: tuple[Detector, ...], shared_data: Path) -> None:
    people = sorted((shared_data / "lfw").iterdir())[3:400:17]
    side = 160
    canvas = np.full((4 * side, 6 * side, 3), 128, np.uint8)
    for k, person in enumerate(people):
        top, left = k // 6 * side, k % 6 * side
        canvas[top : top + side, left : left + side] = reduced(photo(sorted(person.glob("*.jpg"))[0]), side)
    found = find_faces(canvas, detectors)
    for k in range(len(people)):
        x, y = k % 6 * side + side / 2, k // 6 * side + side * 0.52
        near = [d for d in found if abs(d.box.center[0] - x) < 20 and abs(d.box.center[1] - y) < 24]
        assert len(near) == 1, people[k].name


# --- laws of the fusion ---------------------------------------------------------------------------------------


def test_every_engine_finding_lies_in_a_result(detectors: tuple[Detector, ...], samples: Path) -> None:
    image = photo(samples / "obama3.jpg")
    settings = DetectSettings()
    for detector in detectors:
        results = find_faces(image, detectors, settings)
        small = reduced(image, 700)
        for d in detector.detect(small):
            if d.score >= settings.thresholds[detector.engine_id] + 0.1:
                x, y = d.box.center
                scale = image.shape[1] / 700
                assert any(r.box.holds((x * scale, y * scale)) for r in results)


def marks(box: Box) -> Landmarks:
    def at(x: float, y: float) -> Point:
        return box.left + x * box.width, box.top + y * box.height

    return at(0.3, 0.4), at(0.7, 0.4), at(0.5, 0.6), at(0.35, 0.8), at(0.65, 0.8)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for _ in range(draw(st.integers(0, 12))):
        left, top = draw(st.floats(-20, 300)), draw(st.floats(-20, 300))
        box = Box(left, top, left + draw(st.floats(4, 150)), top + draw(st.floats(4, 150)))
        landmarks = marks(box) if draw(st.booleans()) else None
        engine = draw(st.sampled_from(("centerface", "yunet")))
        d = Detection(box, draw(st.floats(0.3, 1)), landmarks, (engine,))
        found.append(Candidate(d, draw(st.booleans()), draw(st.booleans())))
    return found


@given(candidates())
def test_regions_only_grow(found: list[Candidate]) -> None:
    results = fuse(found, 320, 320)
    for candidate in found:
        box = candidate.found.box.clamp(320, 320)
        assert box.area == 0 or any(
            r.box.left <= box.left and r.box.top <= box.top and r.box.right >= box.right and r.box.bottom >= box.bottom
            for r in results
        )
    for r in results:
        assert 0 <= r.box.left < r.box.right <= 320 and 0 <= r.box.top < r.box.bottom <= 320


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_of_the_findings_means_nothing(found: list[Candidate], random: object) -> None:
    shuffled = found[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    straight = {(d.box, d.score, d.engines) for d in fuse(found, 320, 320)}
    assert {(d.box, d.score, d.engines) for d in fuse(shuffled, 320, 320)} == straight


@pytest.mark.parametrize("shift", [0.35, 0.5, 0.8])
def test_two_neighbours_stay_two(shift: float) -> None:
    one = Box(100, 100, 180, 200)
    two = Box(100 + 80 * shift, 110, 180 + 80 * shift, 210)
    found = [Candidate(Detection(box, 0.9, marks(box), ("yunet",))) for box in (one, two)]
    assert len(fuse(found, 400, 400)) == 2


def test_one_face_at_two_scales_is_one() -> None:
    fine, rough = Box(100, 100, 180, 200), Box(95, 104, 190, 207)
    found = [
        Candidate(Detection(fine, 0.9, marks(fine), ("yunet",))),
        Candidate(Detection(rough, 0.8, marks(rough), ("centerface",))),
    ]
    (result,) = fuse(found, 400, 400)
    between = tuple(((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in zip(marks(fine), marks(rough), strict=True))
    both = Box(95, 100, 190, 207)
    assert result == Detection(both, 0.9, between, ("centerface", "yunet"), both)


@pytest.mark.parametrize("cut", [False, True])
def test_landmarks_that_are_a_mistake_do_not_count(cut: bool) -> None:
    """On their head, and of a face that the edge of a tile cut off."""
    box = Box(100, 100, 180, 200)
    wrong = tuple((x, 300 - y) for x, y in marks(box)) if not cut else tuple((x - 4, y) for x, y in marks(box))
    found = [
        Candidate(Detection(box, 0.9, marks(box), ("yunet",))),
        Candidate(Detection(box, 0.8, cast(Landmarks, wrong), ("yunet",)), cut=cut, turned=not cut),
    ]
    (result,) = fuse(found, 400, 400)
    assert result.landmarks == marks(box)


@pytest.mark.parametrize(("score", "shift", "faces"), [(0.45, 0.0, 1), (0.85, 0.0, 2), (0.45, 0.3, 2)])
def test_half_a_face_taken_for_a_profile_is_that_face(score: float, shift: float, faces: int) -> None:
    """As sure as the face itself, or with its eyes elsewhere, it is somebody else."""
    whole = Box(100, 100, 200, 220)
    down = 120 * shift
    half = Box(100, 105 + down, 130, 215 + down)
    eyes, mouth = ((122.0, 148.0 + down), (131.0, 149.0 + down)), ((132.0, 195.0 + down), (136.0, 195.0 + down))
    profile = (*eyes, (146.0, 173.0 + down), *mouth)
    found = [
        Candidate(Detection(whole, 0.93, marks(whole), ("yunet",))),
        Candidate(Detection(half, score, profile, ("centerface",))),
    ]
    assert len(fuse(found, 400, 400)) == faces


def looks(box: Box, *engines: str) -> list[Candidate]:
    """What several looks found of one face, each a little off."""
    shifted = (Box(box.left + n, box.top - n, box.right + n, box.bottom + n) for n in range(len(engines)))
    return [Candidate(Detection(b, 0.92, marks(b), (e,))) for b, e in zip(shifted, engines, strict=True)]


@pytest.mark.parametrize(
    ("phantom", "score", "engines", "faces"),
    [
        (Box(150, 102, 230, 200), 0.85, ("yunet", "centerface", "yunet"), 2),  # between the two
        (Box(90, 122, 175, 230), 0.85, ("yunet", "centerface", "yunet"), 2),  # one of them, a little lower
        (Box(150, 102, 230, 200), 0.9, ("yunet", "centerface", "yunet"), 3),  # surer than such findings are
        (Box(150, 102, 230, 200), 0.85, ("yunet", "yunet", "yunet"), 3),  # the two are not certain
        (Box(150, 102, 230, 200), 0.85, ("yunet", "centerface"), 3),
        (Box(150, 70, 230, 168), 0.85, ("yunet", "centerface", "yunet"), 3),  # somebody may look out above them
        (Box(60, 60, 320, 300), 0.85, ("yunet", "centerface", "yunet"), 3),  # somebody large in front of them
        (Box(145, 85, 231, 193), 0.85, ("yunet", "centerface", "yunet"), 2),  # between them, by 85 % on both
        (Box(110, 81, 186, 191), 0.85, ("yunet", "centerface", "yunet"), 2),  # the same face, a little higher
    ],
)
def test_what_one_look_takes_for_a_face_where_others_are_certain_is_nobody_else(
    phantom: Box, score: float, engines: tuple[str, ...], faces: int
) -> None:
    one, two = Box(100, 100, 190, 215), Box(190, 98, 275, 210)
    alone = Candidate(Detection(phantom, score, marks(phantom), ("yunet",)))
    found = fuse([*looks(one, *engines), alone, *looks(two, *engines)], 400, 400)
    assert len(found) == faces
    assert any(f.box.hull(phantom) == f.box for f in found), "regions only grow"
    assert all(f.agreed and f.agreed.iou(one if f.box.left < 150 else two) > 0.9 for f in found if f.agreed)


@pytest.mark.parametrize(
    ("behind", "engine"),
    [
        (Box(354, 318, 369, 341), "yunet"),  # a man who looks past the ear of the one in front: a quarter of his size
        (Box(318, 318, 370, 388), "centerface"),  # half a face behind another: seen by CenterFace alone
    ],
)
def test_who_looks_out_behind_somebody_stays_a_face(behind: Box, engine: str) -> None:
    front = Box(294, 284, 372, 390)
    alone = Candidate(Detection(behind, 0.39, marks(behind), (engine,)))
    assert len(fuse([*looks(front, "yunet", "centerface", "yunet"), alone], 700, 700)) == 2


@pytest.mark.parametrize(("small", "faces"), [(Box(352, 316, 366, 334), 2), (Box(300, 340, 345, 380), 1)])
def test_what_a_tile_cuts_off_is_a_part_of_the_face_unless_it_is_too_small_for_it(small: Box, faces: int) -> None:
    front = Box(294, 284, 372, 390)
    part = Candidate(Detection(small, 0.76, marks(small), ("yunet",)), cut=True)
    assert len(fuse([*looks(front, "yunet", "centerface"), part], 700, 700)) == faces


def test_a_look_that_is_far_off_makes_the_box_larger_and_leaves_the_place() -> None:
    """A finding of the photo on its head has the eyes where the mouth is, and now and then twice the size."""
    face = Box(200, 150, 240, 202)
    wide = Box(175, 122, 280, 232)
    turned = Candidate(Detection(wide, 0.8, cast(Landmarks, marks(wide)[::-1]), ("yunet",)), turned=True)
    (found,) = fuse([*looks(face, "yunet", "yunet", "centerface"), turned], 400, 400)
    assert found.box.hull(wide) == found.box and found.place.iou(face) > 0.85


@pytest.mark.shared
def test_nobody_in_a_real_group_is_found_twice(detectors: tuple[Detector, ...], shared_data: Path) -> None:
    found = find_faces(photo(shared_data / "groups" / "15.jpg"), detectors)
    assert len(found) >= 9
    assert max(a.box.iou(b.box) for n, a in enumerate(found) for b in found[:n]) < 0.3


# --- faults ---------------------------------------------------------------------------------------------------


class Broken:
    """A third-party detector that returns what it may not."""

    engine_id = "broken"

    def __init__(self, weights: Path, threads: int = 1) -> None:
        self.answer: list[Detection] = []

    def detect(self, image: RgbImage) -> list[Detection]:
        return self.answer


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_detector_that_returns_nonsense_stops_the_photo(bad: float, tmp_path: Path) -> None:
    good = Detection(Box(1, 1, 20, 20), 0.9, marks(Box(1, 1, 20, 20)), ("broken",))
    image = np.zeros((64, 64, 3), np.uint8)
    engine = Broken(tmp_path)
    engine.answer = [good]
    assert len(find_faces(image, [engine])) == 1
    for answer in (
        replace(good, score=bad),
        replace(good, box=Box(1, 1, bad, 20)),
        replace(good, landmarks=((bad, 1.0), *marks(good.box)[1:])),
    ):
        engine.answer = [answer]
        with pytest.raises(EngineError, match="broken"):
            find_faces(image, [engine])


def test_what_is_no_photo_and_nobody_to_look_are_errors(detectors: tuple[Detector, ...]) -> None:
    for image in (np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float64)):
        with pytest.raises(EngineError, match="uint8"):
            find_faces(image, detectors)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="no detector"):
        find_faces(np.zeros((5, 5, 3), np.uint8), [])


@pytest.mark.shared
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_real_photo_on_its_side_or_head_hides_nobody(
    turns: int, detectors: tuple[Detector, ...], shared_data: Path
) -> None:
    """Three large faces close together, of which one is seen less surely on its side."""
    image = photo(shared_data / "noses" / "011_3.jpg")
    upright = find_faces(image, detectors)
    found = find_faces(np.ascontiguousarray(np.rot90(image, turns)), detectors)
    assert covered(found, [nose(d, turns, image) for d in upright]) == 3
