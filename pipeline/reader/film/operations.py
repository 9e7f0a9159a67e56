"""What the child process does with films and sound recordings, one request at a time.

Nothing is remembered between two requests: each brings the path, what is known of the film, and what was decided, so a
new process can go on where an ended one stopped.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import cv2

from pipeline.domain.film import FilmFacts, FilmLimits, FirstPass, Sample, Stretch
from pipeline.domain.film_json_forms import covers_in, facts_in, facts_out, look_in, look_out, samples_in, stretches_in
from pipeline.domain.json_forms import check_out, face_out
from pipeline.domain.types import Box, Check, Detection, Face, JsonObject, RgbImage
from pipeline.reader.film import render_and_compare, sound
from pipeline.reader.film.appearance import Appearance
from pipeline.reader.film.colour import rgb
from pipeline.reader.film.ffmpeg import default_tools
from pipeline.reader.film.fingerprint import Fingerprint
from pipeline.reader.film.first_pass import look
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.output_scan_mp4 import scan_film
from pipeline.reader.film.probe import probe
from pipeline.reader.film.redaction import Painter
from pipeline.reader.film.result_check import look_at_result
from pipeline.reader.film.second_look import exact_landmarks
from pipeline.reader.film.stills import still
from pipeline.reader.media_errors import UnsupportedFormat
from pipeline.reader.photo_codec import small_jpeg

if TYPE_CHECKING:
    from models.engines.base import Detector

Progress = Callable[[str, int, int], None]
Describe = Callable[[RgbImage, Sequence[Detection]], "list[Face]"]
_TELL_SECONDS = 0.5
_SAME_FACE = 0.5
_MOST_FOUND = 2000
"""Faces of a result that are told: far fewer pass the checks, so a result with more is not published anyway."""


class FilmOperations:
    """Film operations. `describe` gives faces with embeddings; `tell` sends a step, what is done, and of how much."""

    def __init__(self, detectors: Sequence[Detector], describe: Describe, options: JsonObject, tell: Progress) -> None:
        cv2.setNumThreads(1)  # frames are looked at side by side, a thread each
        self._detectors = detectors
        self._describe = describe
        self._tell = tell
        self._tools = replace(default_tools(), threads=int(options["film_threads"]))
        self._threads = int(options["film_threads"])
        self._limits = FilmLimits(
            float(options["film_seconds"]), int(options["film_pixels"]), int(options["film_rate"])
        )

    def facts(self, request: JsonObject) -> JsonObject:
        """What the film is, before anything of it is decoded."""
        return facts_out(probe(Path(request["path"]), self._limits, self._tools))

    def look(self, request: JsonObject) -> JsonObject:
        """The first pass: every frame, every face."""
        path, facts = Path(request["path"]), facts_in(request["facts"])
        told = self._progress("look", facts.expected_frames)
        pictures = Fingerprint()
        with closing(read_frames(path, facts, self._tools)) as frames:
            seen = look(pictures.over(frames), float(facts.rate), facts.matrix, self._detectors, self._threads, told)
        return look_out(replace(seen, fingerprint=pictures.value))

    def describe(self, request: JsonObject) -> JsonObject:
        """Embeddings of some detections of the first pass, in the order in which they are asked for.

        For the tracks of `follow` also the frames in which the face is not as it was in the frame before.
        """
        path, facts, seen = Path(request["path"]), facts_in(request["facts"]), look_in(request["look"])
        wanted: dict[int, list[tuple[int, Detection]]] = {}
        samples, follow = samples_in(request["samples"]), [int(i) for i in request["follow"]]
        for number, sample in enumerate(samples):
            frame, detection = _detection(seen, sample)
            wanted.setdefault(frame, []).append((number, detection))
        followed = {n for i in follow for n in range(seen.tracks[i].span[0], seen.tracks[i].span[1] + 1)}
        told = self._progress("recognise", max(1, len(followed | wanted.keys())))
        faces: dict[int, Face] = {}
        appearance = Appearance(seen, follow)
        with closing(read_frames(path, facts, self._tools, only=followed | wanted.keys())) as frames:
            for done, (at, picture) in enumerate(frames):
                appearance.step(at, picture)
                if own := wanted.get(at):
                    image = rgb(picture, facts.matrix)
                    found = self._describe(image, [exact_landmarks(image, d, self._detectors) for _, d in own])
                    faces |= {i: replace(face, index=i) for (i, _), face in zip(own, found, strict=True)}
                told(done + 1)
        return {"faces": [face_out(faces[i]) for i in range(len(samples))], "jumps": appearance.jumps_of(follow)}

    def still(self, request: JsonObject) -> JsonObject:
        """One frame for a screen, about a second into the film, as `preview` gives a photo."""
        path, facts = Path(request["path"]), facts_in(request["facts"])
        if not facts.width:
            raise UnsupportedFormat("A sound recording has no picture.", "no video")
        second = min(float(request["second"]), max(0.0, facts.video_end - 1 / float(facts.rate)))
        picture = rgb(still(path, facts, max(0.0, second), self._tools), facts.matrix)
        data = small_jpeg(picture, int(request["longest"]), request["box"])
        return {"jpeg": base64.b64encode(data).decode("ascii"), "width": facts.width, "height": facts.height}

    def speech(self, request: JsonObject) -> JsonObject:
        """Where somebody speaks. Voices are found, never compared."""
        path, facts = Path(request["path"]), facts_in(request["facts"])
        told = self._progress("listen", math.ceil(facts.duration))
        return {"speech": [[s.start, s.end] for s in sound.find_speech(path, facts, self._tools, told)]}

    def produce(self, request: JsonObject) -> JsonObject:
        """The second pass: write the covered film, and read it back beside the original."""
        path, target, facts = Path(request["path"]), Path(request["target"]), facts_in(request["facts"])
        covers, muted = covers_in(request["covers"]), stretches_in(request["muted"])

        def painter() -> Painter:
            return Painter(covers, str(request["style"]), int(request["seed"]), float(facts.rate), facts.matrix)

        written_frames, same = render_and_compare.render(
            path,
            facts,
            painter(),
            target,
            self._tools,
            self._sound(path, facts, muted),
            int(request["fingerprint"]),
            self._progress("render", facts.expected_frames),
        )
        result = probe(target, self._limits, self._tools)
        checks = [
            same,
            *render_and_compare.compare(
                path,
                target,
                facts,
                result,
                written_frames,
                covers,
                painter(),
                self._tools,
                self._progress("check", facts.expected_frames),
            ),
            *(self._check_sound(path, target, facts, result, muted) if facts.sound else ()),
        ]
        return {"checks": [check_out(c) for c in checks], "frames": written_frames}

    def check(self, request: JsonObject) -> JsonObject:
        """Open a film that another process wrote: what it is made of, and the faces in its watched frames."""
        path = Path(request["path"])
        scanned, facts = scan_film(path), probe(path, self._limits, self._tools)
        shown: dict[int, list[Box]] = {}
        for frame, box in request["shown"]:
            shown.setdefault(int(frame), []).append(Box(*(float(v) for v in box)))
        found: list[JsonObject] = []
        told = self._progress("check", facts.expected_frames)
        watched = frozenset(int(n) for n in request["watched"])
        for face in look_at_result(path, facts, watched, self._detectors, self._threads, self._tools, told):
            if len(found) < _MOST_FOUND:
                allowed = any(b.iou(face.detection.box) >= _SAME_FACE for b in shown.get(face.frame, ()))
                wanted = request["embed"] and not allowed
                value = self._describe(face.image, [face.detection])[0] if wanted else Face(0, face.detection)
                found.append({"frame": face.frame, "face": face_out(value)})
        return {"checks": [check_out(c) for c in scanned], "found": found}

    def recording(self, request: JsonObject) -> JsonObject:
        """Write a sound recording with some stretches silent, and listen to what was written."""
        path, target, facts = Path(request["path"]), Path(request["target"]), facts_in(request["facts"])
        muted = stretches_in(request["muted"])
        told = self._progress("render", math.ceil(facts.duration))
        sound.write_recording(path, facts, self._tools, muted, target, told)
        result = probe(target, self._limits, self._tools)
        checks = [*scan_film(target), *self._check_sound(path, target, facts, result, muted)]
        return {"checks": [check_out(c) for c in checks], "frames": 0, "found": []}

    def _check_sound(
        self, path: Path, target: Path, facts: FilmFacts, result: FilmFacts, muted: tuple[Stretch, ...]
    ) -> list[Check]:
        told = self._progress("check", 2 * math.ceil(facts.duration))
        return sound.check_sound(path, target, facts, result, muted, self._tools, told)

    def _sound(self, path: Path, facts: FilmFacts, muted: tuple[Stretch, ...]) -> Callable[[BinaryIO], None] | None:
        if not facts.sound:
            return None
        return lambda sink: sound.write_muted(path, facts, self._tools, muted, sink)

    def _progress(self, step: str, total: int) -> Callable[[int], None]:
        told = [0.0]

        def done(count: int) -> None:
            if time.monotonic() - told[0] >= _TELL_SECONDS:
                told[0] = time.monotonic()
                self._tell(step, count, max(count, total))

        return done


def _detection(seen: FirstPass, sample: Sample) -> tuple[int, Detection]:
    track = seen.tracks[sample.track]
    box = Box(*(float(v) for v in track.boxes[sample.at]))
    a, b, c, d, e = ((float(x), float(y)) for x, y in track.marks[sample.at])
    return int(track.frames[sample.at]), Detection(box, float(track.scores[sample.at]), (a, b, c, d, e), ())
