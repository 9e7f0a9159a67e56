"""The real child process: what it is denied, and what the service does when it crashes, hangs or lies."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.domain.types import Box, Detection
from pipeline.errors import ChildDied, ChildError, ChildRefused, ChildTimeout, EnginesUnfit
from pipeline.recognition.matching import LEAST_SIZE
from pipeline.redaction import regions as region_planning
from pipeline.redaction.styles import STYLES
from pipeline.sandbox.client import Doubt, MediaClient
from pipeline.sandbox.options import MediaOptions
from tests.conftest import ROOT


@pytest.fixture
def options(weights: Path) -> MediaOptions:
    return MediaOptions(weights, ("yunet",), ("sface",), 1, 60.0, 4 << 30, 50_000_000, 100)


@pytest.fixture
def media_client(options: MediaOptions) -> Iterator[MediaClient]:
    one = MediaClient(options)
    one.start()
    yield one
    one.close()


def pid(media_client: MediaClient) -> int:
    assert media_client._talk._process
    return media_client._talk._process.pid


def test_a_photo_is_analysed_covered_and_checked(media_client: MediaClient, samples: Path, tmp_path: Path) -> None:
    analysis = media_client.analyse(samples / "obama2.jpg", embed=True)
    assert len(analysis.faces) == 1 and abs(np.linalg.norm(analysis.faces[0].embeddings["sface"]) - 1) < 1e-3
    product = media_client.produce(
        region_planning.plan_regions(analysis, frozenset()), "blur", 1, tmp_path / "o", (), embed=True
    )
    assert all(c.passed for c in product.checks) and product.extension == "jpg"
    assert Image.open(tmp_path / "o").size == (analysis.width, analysis.height)


def test_what_was_written_is_looked_at_by_a_process_that_never_saw_an_original(
    media_client: MediaClient, samples: Path, tmp_path: Path
) -> None:
    """It answers while the reader of the original stands still, and nothing of that one is needed for it."""
    analysis = media_client.analyse(samples / "obama2.jpg", embed=False)
    media_client.produce((), "blur", 1, tmp_path / "o", (), embed=False)
    checker = media_client.checker()
    assert pid(checker) != pid(media_client)
    os.kill(pid(media_client), signal.SIGSTOP)
    try:
        checks, seen = checker.check(tmp_path / "o", (), (), False)
    finally:
        os.kill(pid(media_client), signal.SIGCONT)
    assert checks and all(c.passed for c in checks)
    assert [f.detection.box.iou(analysis.faces[0].detection.box) > 0.5 for f in seen.faces] == [True]
    media_client.close()
    assert checker._talk._process is None


def test_a_result_that_cannot_be_opened_is_no_fault_of_the_original(media_client: MediaClient, tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(b"no photo")
    with pytest.raises(ChildError, match="What was written cannot be opened again") as error:
        media_client.checker().check(tmp_path / "o", (), (), False)
    assert not isinstance(error.value, ChildRefused)


def test_without_embedding_nobody_is_described(media_client: MediaClient, samples: Path) -> None:
    assert media_client.analyse(samples / "obama2.jpg", embed=False).faces[0].embeddings == {}


def crowd(samples: Path, folder: Path) -> Path:
    """A photo of 12 megapixels with one large face, and a small one far from it."""
    canvas = Image.new("RGB", (4000, 3000), (120, 120, 120))
    face = Image.open(samples / "astronaut.png").convert("RGB")
    canvas.paste(face.resize((1200, 1200)), (100, 100))
    canvas.paste(face.resize((110, 110)), (3300, 2500))
    canvas.save(folder / "crowd.jpg", quality=95)
    return folder / "crowd.jpg"


def test_the_look_at_the_result_sees_a_face_that_the_plan_forgot(
    media_client: MediaClient, samples: Path, tmp_path: Path
) -> None:
    analysis = media_client.analyse(crowd(samples, tmp_path), embed=False)
    large, small = sorted(analysis.faces, key=lambda f: -f.detection.box.size)
    regions = [r for r in region_planning.plan_regions(analysis, frozenset()) if r.face == large.index]
    product = media_client.produce(regions, "blur", 1, tmp_path / "o", (), embed=False)
    assert any(f.detection.box.iou(small.detection.box) > 0.5 for f in product.analysis.faces)


def test_a_cover_leaves_the_cheek_of_somebody_shown_open(
    media_client: MediaClient, samples: Path, tmp_path: Path
) -> None:
    """Of two people close together one may be seen: the cover of the other ends in the shape of the face."""
    canvas = Image.new("RGB", (900, 700), (120, 120, 120))
    behind = Image.open(samples / "obama2.jpg").convert("RGB").resize((420, 805))
    front = Image.open(samples / "astronaut.png").convert("RGB").crop((150, 20, 290, 190))
    canvas.paste(behind, (330, 20))
    canvas.paste(front.resize((210, 255)), (330, 330))
    canvas.save(tmp_path / "two.png")
    analysis = media_client.analyse(tmp_path / "two.png", embed=False)
    shown, hidden = sorted(analysis.faces, key=lambda f: f.detection.box.left)
    box = shown.detection.box
    original = np.asarray(canvas)

    def changed(seen: frozenset[int]) -> np.ndarray:
        regions = region_planning.plan_regions(analysis, seen)
        where = [f.detection.box for f in analysis.faces if f.index in seen]
        product = media_client.produce(regions, "blur", 1, tmp_path / "o", where, embed=False)
        assert [c.name for c in product.checks if not c.passed] == []
        return np.asarray((np.asarray(Image.open(tmp_path / "o")) != original).any(axis=2))

    one, nobody = changed(frozenset({shown.index})), changed(frozenset())
    cover = next(r for r in region_planning.plan_regions(analysis, frozenset({shown.index})))
    assert cover.box.intersection(box) > 0, "the cover reaches over the face that is shown"
    inside = np.s_[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    assert nobody[inside].mean() > 0.99
    lost = cover.box.intersection(box) / box.area
    assert one[inside].mean() < 0.8 * lost
    middle = hidden.detection.box.grow(-0.1)
    assert one[int(middle.top) : int(middle.bottom), int(middle.left) : int(middle.right)].mean() > 0.97


def test_hundreds_of_small_covers_on_faint_structure_hold_no_photo(media_client: MediaClient, tmp_path: Path) -> None:
    rough = np.random.default_rng(3).normal(size=(900, 1200)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 3)
    levels = np.clip(120 + 5 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    Image.fromarray(np.repeat(levels[..., None], 3, axis=2)).save(tmp_path / "faint.jpg", quality=90)
    places = [Box(x, y, x + 16, y + 22) for y in range(20, 840, 60) for x in range(20, 1140, 60)]
    regions = [
        region_planning.region_of(Detection(box, 0.9, None, ("yunet",)), 1200, 900, i) for i, box in enumerate(places)
    ]
    media_client.analyse(tmp_path / "faint.jpg", embed=False)
    for style in STYLES:
        product = media_client.produce(regions, style, 1, tmp_path / "o", (), embed=False)
        assert [c.detail for c in product.checks if not c.passed] == []


def test_faces_too_small_for_a_name_are_not_described(media_client: MediaClient, samples: Path, tmp_path: Path) -> None:
    analysis = media_client.analyse(crowd(samples, tmp_path), embed=True)
    described = {f.detection.box.size >= LEAST_SIZE: set(f.embeddings) for f in analysis.faces}
    assert described == {True: {"sface"}, False: set()}


def test_a_refusal_has_a_reason_and_the_child_goes_on(media_client: MediaClient, samples: Path, tmp_path: Path) -> None:
    bad = tmp_path / "x.jpg"
    bad.write_bytes(b"no photo at all")
    before = pid(media_client)
    with pytest.raises(ChildRefused) as e:
        media_client.analyse(bad, embed=False)
    assert e.value.reason == "unsupported_format"
    assert media_client.analyse(samples / "biden.jpg", embed=False).faces and pid(media_client) == before


def test_a_child_that_is_killed_is_named_and_replaced(media_client: MediaClient, samples: Path) -> None:
    os.kill(pid(media_client), signal.SIGSEGV)
    with pytest.raises(ChildDied):
        media_client.analyse(samples / "biden.jpg", embed=False)
    media_client.start()
    assert media_client.analyse(samples / "biden.jpg", embed=False).faces


def test_a_child_that_calls_its_engines_unfit_over_a_file_is_blamed_for_the_file(
    media_client: MediaClient, samples: Path
) -> None:
    """A reader that was taken over says so: else its file would wait, be taken up first again, and stop the others."""
    os.kill(pid(media_client), signal.SIGKILL)
    error = {"error": {"reason": "engine_error", "message": "blind"}}
    lying = f"import sys; sys.stdin.readline(); print({json.dumps(json.dumps(error))}, flush=True)"
    media_client._talk._process = subprocess.Popen(
        [sys.executable, "-c", lying], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with pytest.raises(ChildDied) as e:
        media_client.analyse(samples / "biden.jpg", embed=False)
    assert not isinstance(e.value, EnginesUnfit) and not media_client.unfit
    media_client.start()
    assert media_client.analyse(samples / "biden.jpg", embed=False).faces


def test_what_one_reader_finds_of_its_engines_makes_the_others_prove_theirs(
    options: MediaOptions, weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(weights / "known", tmp_path / "known")
    shutil.copyfile(weights / "yunet.onnx", tmp_path / "yunet.onnx")
    options = replace(options, weights=tmp_path, embedders=())
    doubt = Doubt()
    often, seldom, resting = (
        MediaClient(replace(options, prove_seconds=0.0), doubt),
        MediaClient(options, doubt),
        MediaClient(options, doubt),
    )
    try:
        for media_client in (often, seldom):
            media_client.start()
        known = tmp_path / "known" / "obama.jpg"
        right = known.read_bytes()
        known.write_bytes((tmp_path / "known" / "biden.jpg").read_bytes())
        seldom.prove()  # not long ago
        for media_client in (often, seldom, resting):
            with pytest.raises(EnginesUnfit):
                media_client.prove()
            assert media_client.unfit
        known.write_bytes(right)
        for media_client in (often, seldom, resting):
            media_client.prove()
            assert not media_client.unfit
    finally:
        for media_client in (often, seldom, resting):
            media_client.close()


def test_a_child_that_hangs_is_killed_at_the_deadline(options: MediaOptions, samples: Path) -> None:
    media_client = MediaClient(replace(options, deadline_seconds=1.0))
    media_client.start()
    stopped = pid(media_client)
    os.kill(stopped, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(ChildTimeout):
        media_client.analyse(samples / "biden.jpg", embed=False)
    assert time.monotonic() - started < 5
    assert not Path(f"/proc/{stopped}").exists()


def test_a_large_photo_full_of_faces_has_more_time_once_it_is_open(
    options: MediaOptions, samples: Path, tmp_path: Path
) -> None:
    """Looking at it takes longer than the deadline, which is for opening it."""
    face = Image.open(samples / "astronaut.png").convert("RGB").resize((128, 128))
    canvas = Image.new("RGB", (1600, 1200))
    for n in range(25):
        canvas.paste(face, (n % 5 * 320, n // 5 * 240))
    canvas.save(tmp_path / "school.jpg", quality=92)

    def seconds(deadline: float) -> float:
        media_client = MediaClient(replace(options, detectors=("centerface", "yunet"), deadline_seconds=deadline))
        try:
            media_client.start()
            started = time.monotonic()
            assert len(media_client.analyse(tmp_path / "school.jpg", embed=False).faces) == 25
            return time.monotonic() - started
        finally:
            media_client.close()

    seconds(seconds(60.0) / 2)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ('{"opened": 1e30}', ChildTimeout),
        ('{"opened": -1e30}', ChildTimeout),
        ('{"opened": 500000}\n{"opened": 1000000}', ChildDied),
        ('{"opened": "much"}', ChildDied),
        ('{"opened": NaN}', ChildDied),
        ('{"opened": Infinity}', ChildDied),
    ],
)
def test_a_child_that_lies_about_what_it_opened_does_not_get_time_without_end(
    options: MediaOptions, samples: Path, says: str, error: type[ChildError]
) -> None:
    media_client = MediaClient(replace(options, deadline_seconds=0.5, max_pixels=500_000))
    media_client.start()
    os.kill(pid(media_client), signal.SIGKILL)
    lying = f"import sys, time; sys.stdin.readline(); print({says!r}, flush=True); time.sleep(60)"
    media_client._talk._process = subprocess.Popen(
        [sys.executable, "-c", lying], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    started = time.monotonic()
    with pytest.raises(error):
        media_client.analyse(samples / "biden.jpg", embed=False)
    assert time.monotonic() - started < 6


def test_too_much_memory_is_an_error_of_this_file_only(options: MediaOptions, samples: Path, tmp_path: Path) -> None:
    # A small file, and 48 megapixels in memory, several times over.
    Image.fromarray(np.zeros((6900, 6900, 4), np.uint8)).save(tmp_path / "big.png")
    media_client = MediaClient(replace(options, memory_bytes=1100 << 20))
    media_client.start()
    try:
        assert media_client.analyse(samples / "biden.jpg", embed=False).faces
        with pytest.raises(ChildError, match="tried again"):  # other files went before: it may be their fault
            media_client.analyse(tmp_path / "big.png", embed=False)
        media_client.start()
        with pytest.raises(ChildRefused) as e:
            media_client.analyse(tmp_path / "big.png", embed=False)
        assert e.value.reason == "too_large"
        media_client.start()
        assert media_client.analyse(samples / "biden.jpg", embed=False).faces
    finally:
        media_client.close()


def test_the_child_ends_with_its_service(options: MediaOptions) -> None:
    parent = os.fork()
    if parent == 0:
        media_client = MediaClient(options)
        media_client.start()
        Path(f"/tmp/lab-{os.getpid()}").write_text(str(pid(media_client)))  # noqa: S108
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    note = Path(f"/tmp/lab-{parent}")  # noqa: S108
    child = int(note.read_text())
    note.unlink()
    end = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_the_child_is_confined(media_client: MediaClient) -> None:
    assert {"memory", "file-size", "no-core-dump", "open-files", "dies-with-service"} <= set(media_client.confined)
    limits = Path(f"/proc/{pid(media_client)}/limits").read_text()
    assert any(line.startswith("Max address space") and str(4 << 30) in line for line in limits.splitlines())
    environment = Path(f"/proc/{pid(media_client)}/environ").read_bytes().decode()
    assert {v.partition("=")[0] for v in environment.split("\0") if v} == {
        "LC_ALL",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    }
    if "no-network" in media_client.confined:
        assert os.readlink(f"/proc/{pid(media_client)}/ns/net") != os.readlink("/proc/self/ns/net")  # noqa: PTH115


def test_a_child_is_replaced_after_many_files(options: MediaOptions, samples: Path) -> None:
    media_client = MediaClient(replace(options, recycle_after=2))
    try:
        pids = []
        for _ in range(3):
            media_client.start()
            pids.append(pid(media_client))
            media_client.analyse(samples / "biden.jpg", embed=False)
        assert pids[0] == pids[1] != pids[2]
    finally:
        media_client.close()


def test_a_child_is_replaced_after_a_file_that_it_refused(
    media_client: MediaClient, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_bytes((samples / "biden.jpg").read_bytes()[:2000])
    first = pid(media_client)
    with pytest.raises(ChildRefused):
        media_client.analyse(tmp_path / "bad.jpg", embed=False)
    media_client.start()
    assert pid(media_client) != first and media_client.analyse(samples / "biden.jpg", embed=False).faces


def test_weights_that_were_changed_do_not_load(options: MediaOptions, weights: Path, tmp_path: Path) -> None:
    data = bytearray((weights / "yunet.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "yunet.onnx").write_bytes(data)
    with pytest.raises(ChildError, match=r"yunet\.onnx"):
        MediaClient(replace(options, weights=tmp_path, embedders=())).start()


def test_a_preview_is_small_upright_and_nothing_but_pixels(
    media_client: MediaClient, samples: Path, tmp_path: Path
) -> None:
    photo = Image.open(samples / "obama2.jpg").convert("RGB")
    exif = Image.Exif()
    exif[274], exif[270] = 6, "secret words"
    photo.save(tmp_path / "turned.jpg", exif=exif, comment=b"secret words")
    media_client.start()
    small = media_client.preview(tmp_path / "turned.jpg", 200)
    shown = Image.open(io.BytesIO(small.jpeg))
    assert (small.width, small.height) == (photo.height, photo.width)
    assert max(shown.size) == 200 and shown.height == 200 if photo.width > photo.height else shown.width == 200
    assert b"secret" not in small.jpeg and not shown.getexif()
    part = Image.open(io.BytesIO(media_client.preview(tmp_path / "turned.jpg", 200, Box(10, 20, 60, 120)).jpeg))
    assert part.size == (50, 100)


def test_a_copy_of_the_project_reads_media_with_its_own_reader(weights: Path, tmp_path: Path) -> None:
    for name in ("pipeline", "models"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    answer = json.dumps({"ok": {"confined": ["by the copy"]}})
    (tmp_path / "pipeline/reader/main.py").write_text(f"print({answer!r}, flush=True)\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\nfrom pipeline.sandbox.options import MediaOptions\n"
        "from pipeline.sandbox.process import WorkerProcess\n"
        "worker = WorkerProcess(MediaOptions(Path(sys.argv[2]), ('yunet',), (), 1, 60.0, 4 << 30, 50_000_000, 9))\n"
        "worker.start()\nprint(*worker.confined)\nworker.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(weights)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "by the copy", done.stderr
