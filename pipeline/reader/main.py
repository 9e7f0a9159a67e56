"""The child process: reads media that may be hostile, and never sees the register, the database or the network.

Started by exec with its options as one JSON argument; one JSON object per line comes in on standard input, one per
line goes out on standard output. Before the first answer, and whenever it is asked to `prove` it, its engines find
the faces of known photographs. It answers `identify`, `analyse` and `produce` (see pipeline.sandbox.client), and what
pipeline.reader.film.operations does with films.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.reader.confinement import confine, give_back_memory, keep_memory_low, limit_cpu
from pipeline.sandbox.options import PER_MEGAPIXEL

if TYPE_CHECKING:
    from models.engines.base import Detector, Embedder
    from pipeline.domain.types import Box, Detection, Face, JsonObject, RgbImage
    from pipeline.reader.film.operations import FilmOperations
    from pipeline.reader.photo_codec import Photo

SAME_FACE = 0.5  # overlap (IoU) from which a face in the result is the face that was shown


class MediaWorker:
    """The engines, and the photo that is being worked on."""

    def __init__(
        self,
        detectors: Sequence[Detector],
        embedders: Sequence[Embedder],
        options: JsonObject,
        answer: Callable[[JsonObject], None],
    ) -> None:
        self._detectors = detectors
        self._embedders = embedders
        self._options = options
        self._answer = answer
        self._photo: Photo | None = None

    def prove(self, _: JsonObject) -> JsonObject:
        """Have the engines find what is in the known photographs. Raises models.detection.self_check.Unfit."""
        from models.detection import self_check  # noqa: PLC0415

        self._photo = None
        self_check.prove(self._detectors, self._embedders, Path(self._options["weights"]))
        return {}

    def identify(self, request: JsonObject) -> JsonObject:
        """Whether a file is a photo, a film (moving pictures too) or a sound recording, by its content."""
        from pipeline.reader import photo_codec  # noqa: PLC0415

        return {"kind": photo_codec.medium_of(Path(request["path"]), self._options["max_pixels"])}

    def analyse(self, request: JsonObject) -> JsonObject:
        """Decode one original, find its faces, describe them. Keeps the pixels for `produce`."""
        from models.detection.find_faces import find_faces  # noqa: PLC0415
        from pipeline.domain import json_forms  # noqa: PLC0415 - libraries load after the limits are set
        from pipeline.domain.types import Analysis  # noqa: PLC0415
        from pipeline.reader import photo_codec  # noqa: PLC0415 - libraries load after the limits are set

        self._photo = None
        photo = photo_codec.decode(Path(request["path"]), self._options["max_pixels"])
        height, width = photo.pixels.shape[:2]
        limit_cpu(request["cpu_seconds"] + PER_MEGAPIXEL * self._options["threads"] * width * height / 1e6)
        self._answer({"opened": width * height})
        found = find_faces(photo.pixels, self._detectors)
        faces = self._described(photo.pixels, found, request["embed"])
        self._photo = photo
        return json_forms.analysis_out(Analysis(width, height, photo.format, faces, photo.notes))

    def produce(self, request: JsonObject) -> JsonObject:
        """Cover regions of the analysed photo, write it, and read back whether it is what was planned."""
        from pipeline.domain import json_forms  # noqa: PLC0415
        from pipeline.reader import photo_codec  # noqa: PLC0415
        from pipeline.redaction import pixels as rendering  # noqa: PLC0415

        photo = self._photo
        if photo is None:
            raise RuntimeError("nothing was analysed")
        regions = tuple(json_forms.region_in(r) for r in request["regions"])
        path = Path(request["path"])
        rendered = rendering.redact(photo.pixels, regions, str(request["style"]), request["seed"])
        photo_codec.encode(rendered, photo.output_format, path)
        written = photo_codec.decode(path, self._options["max_pixels"])
        checks = [
            rendering.check_as_planned(rendered, written.pixels),
            *rendering.check_regions(photo.pixels, written.pixels, regions),
        ]
        return {
            "checks": [json_forms.check_out(c) for c in checks],
            "extension": "png" if photo.output_format == "PNG" else "jpg",
        }

    def check(self, request: JsonObject) -> JsonObject:
        """Open what another process wrote: its parts, and the faces in it, in a way in which nobody looked before.

        At another scale, the detectors in the other order, and through other Gaussians. Enlarged and turned copies,
        and a close look at where nobody was found and nothing was covered, would be a second one at pixels that the
        full look has seen: `near` are the regions and the faces that it found. All faces count, whatever was planned.
        """
        from models.detection.find_faces import find_faces  # noqa: PLC0415
        from models.detection.passes import moved  # noqa: PLC0415
        from models.detection.settings import CHECK, CHECK_SCALE  # noqa: PLC0415
        from pipeline.domain import json_forms  # noqa: PLC0415
        from pipeline.domain.types import Analysis, Box  # noqa: PLC0415
        from pipeline.reader import photo_codec, photo_output_scan  # noqa: PLC0415
        from pipeline.reader.faces import reduced  # noqa: PLC0415

        self._photo = None
        path = Path(request["path"])
        written = photo_codec.decode(path, self._options["max_pixels"])
        height, width = written.pixels.shape[:2]
        limit_cpu(request["cpu_seconds"] + PER_MEGAPIXEL * self._options["threads"] * width * height / 1e6)
        self._answer({"opened": width * height})
        small, factor = reduced(written.pixels, CHECK_SCALE)
        near = [Box(*(float(v) / factor for v in box)) for box in request["near"]]
        shown = [json_forms.box_in(b) for b in request["shown"]]
        found = find_faces(small, self._detectors[::-1], CHECK, near)
        faces = self._described(written.pixels, [moved(d, 0, 0, factor) for d in found], request["embed"], shown)
        analysis = Analysis(width, height, written.format, faces, written.notes)
        return {
            "checks": [json_forms.check_out(c) for c in photo_output_scan.scan_output(path)],
            "analysis": json_forms.analysis_out(analysis),
        }

    def preview(self, request: JsonObject) -> JsonObject:
        """Decode a file and give it back upright and small, as a JPEG for a screen; `box` limits it to a part."""
        from pipeline.reader import photo_codec  # noqa: PLC0415

        self._photo = None
        pixels = photo_codec.decode(Path(request["path"]), self._options["max_pixels"]).pixels
        height, width = pixels.shape[:2]
        data = photo_codec.small_jpeg(pixels, request["longest"], request["box"])
        return {"jpeg": base64.b64encode(data).decode("ascii"), "width": width, "height": height}

    def _described(
        self, pixels: RgbImage, found: Sequence[Detection], embed: bool, skip: Sequence[Box] = ()
    ) -> tuple[Face, ...]:
        from pipeline.recognition.matching import LEAST_SIZE  # noqa: PLC0415

        large = [i for i, d in enumerate(found) if embed and d.box.size >= LEAST_SIZE]
        wanted = [i for i in large if not any(found[i].box.iou(b) >= SAME_FACE for b in skip)]
        return tuple(self.describe(pixels, found, wanted))

    def describe(self, pixels: RgbImage, found: Sequence[Detection], wanted: Sequence[int] | None = None) -> list[Face]:
        """A face for each detection in an image, with embeddings for those that are wanted (None: all)."""
        from pipeline.reader import faces  # noqa: PLC0415

        return faces.described(pixels, found, self._embedders, wanted)


def serve(options: JsonObject, source: TextIO, sink: TextIO) -> None:
    """Load the engines, see whether they are fit for work, say hello, and answer requests until the input ends."""
    from models.detection.self_check import Unfit  # noqa: PLC0415
    from models.downloads.manifest import WeightsError  # noqa: PLC0415
    from models.engines.registry import load_detectors, load_embedders  # noqa: PLC0415
    from models.errors import EngineError  # noqa: PLC0415
    from pipeline.reader.media_errors import MediaError  # noqa: PLC0415

    def answer(value: JsonObject) -> None:
        sink.write(json.dumps(value) + "\n")
        sink.flush()

    folder = Path(options["weights"])

    def tell(step: str, done: int, total: int) -> None:
        answer({"progress": [step, done, total]})

    try:
        detectors = load_detectors(options["detectors"], folder, options["threads"])
        bench = MediaWorker(
            detectors, load_embedders(options["embedders"], folder, options["threads"]), options, answer
        )
        bench.prove({})
    except (EngineError, WeightsError) as e:
        answer({"error": {"reason": "engine_error", "message": str(e)}})
        return
    give_back_memory()
    answer({"ok": {"confined": options["confined"]}})
    operations = {
        "identify": bench.identify,
        "analyse": bench.analyse,
        "produce": bench.produce,
        "check": bench.check,
        "preview": bench.preview,
        "prove": bench.prove,
    }
    desk: FilmOperations | None = None
    for line in source:
        request = json.loads(line)
        limit_cpu(request["cpu_seconds"])
        try:
            name = str(request["op"])
            if name.startswith("film_") and desk is None:  # what films need is loaded with the first one
                from pipeline.reader.film.operations import FilmOperations  # noqa: PLC0415

                desk = FilmOperations(detectors, bench.describe, options, tell)
                operations |= {
                    "film_facts": desk.facts,
                    "film_look": desk.look,
                    "film_describe": desk.describe,
                    "film_speech": desk.speech,
                    "film_produce": desk.produce,
                    "film_check": desk.check,
                    "film_recording": desk.recording,
                    "film_still": desk.still,
                }
            answer({"ok": operations[name](request)})
        except MediaError as e:
            answer({"error": {"reason": e.reason, "message": str(e)}})
        except Unfit as e:
            answer({"error": {"reason": "engine_error", "message": str(e)}})
        except MemoryError:
            answer({"error": {"reason": "out_of_memory", "message": "The file needs more memory than is allowed."}})
        except Exception as e:  # noqa: BLE001 - whatever a decoder or engine throws is blamed on this one file
            where = e.__traceback__
            while where and where.tb_next:
                where = where.tb_next
            line_no = f" (line {where.tb_lineno} of {Path(where.tb_frame.f_code.co_filename).name})" if where else ""
            answer({"error": {"reason": "child_error", "message": f"{type(e).__name__}: {e}{line_no}"}})


def main() -> None:
    """Entry of the process. Libraries that print on standard output must not disturb the answers."""
    options = json.loads(sys.argv[1])
    folders = Path(options["weights"]), Path(options["tray"])
    keep_memory_low()
    options["confined"] = confine(options["memory_bytes"], options["file_bytes"], options["parent"], *folders)
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(options, sys.stdin, sink)


if __name__ == "__main__":
    main()
